import assert from "node:assert/strict";
import { inOwnTime, tokenKey, tokenState } from "./service_account_token.ts";

const issued = Date.UTC(2026, 0, 1);
const token = {
  spec: { expirationSeconds: 1000 },
  status: { token: "t", expirationTimestamp: new Date(issued + 1_000_000).toISOString() },
};

Deno.test("tokenState() is fresh for 80 % of the life, then aging until it expires", () => {
  assert.equal(tokenState(token, issued), "fresh");
  assert.equal(tokenState(token, issued + 799_000), "fresh");
  assert.equal(tokenState(token, issued + 801_000), "aging");
  assert.equal(tokenState(token, issued + 999_999), "aging");
  assert.equal(tokenState(token, issued + 1_000_000), "expired");
});

Deno.test("tokenState() is aging after a day, whatever the life, and expired without a time", () => {
  const year = 365 * 24 * 3600;
  const long = {
    spec: { expirationSeconds: year },
    status: { expirationTimestamp: new Date(issued + year * 1000).toISOString() },
  };
  assert.equal(tokenState(long, issued + 25 * 3600 * 1000), "aging");
  assert.equal(tokenState({ spec: {}, status: {} }, issued), "expired");
  assert.equal(tokenState({}, issued), "expired");
});

Deno.test("tokenKey() is the key upstream computes", () => {
  const resource = { namespace: "default", type: "serviceaccounttoken", name: "web" };
  const ref = { kind: "Pod", apiVersion: "v1", name: "web-0", uid: "u1" };
  assert.equal(
    tokenKey(resource, { spec: { audiences: null, expirationSeconds: 3607, boundObjectRef: ref } }),
    '"web"/"default"/[]string(nil)/3607/v1.BoundObjectReference{Kind:"Pod", APIVersion:"v1", Name:"web-0", UID:"u1"}',
  );
  assert.equal(
    tokenKey(resource, { spec: { audiences: ["a", "b"] } }),
    '"web"/"default"/[]string{"a", "b"}/0/v1.BoundObjectReference{Kind:"", APIVersion:"", Name:"", UID:""}',
  );
});

Deno.test("inOwnTime() tells a token's end by this edge's clock when that is far from the API server's", async (t) => {
  const jwt = (payload: string) =>
    `e30.${new TextEncoder().encode(payload).toBase64({ alphabet: "base64url", omitPadding: true })}.x`;
  const hour = 3_600_000;
  const issuedNow = jwt(JSON.stringify({ iat: issued / 1000 }));
  const rows: Array<[name: string, text: string, now: number, endsAfterNow: number]> = [
    ["clocks that agree", issuedNow, issued + 2_000, 998_000],
    ["an hour fast", issuedNow, issued + hour, 1_000_000],
    ["an hour slow", issuedNow, issued - hour, 1_000_000],
    ["no JWT", "t", issued - hour, hour + 1_000_000],
    ["no JSON", jwt("{"), issued - hour, hour + 1_000_000],
    ["no base64", "a.%.c", issued - hour, hour + 1_000_000],
    ["no time", jwt('{"iat":"x"}'), issued - hour, hour + 1_000_000],
    ["a time out of the calendar", jwt('{"iat":-1e300}'), issued - hour, hour + 1_000_000],
  ];
  for (const [name, text, now, endsAfterNow] of rows) {
    await t.step(name, () => {
      const own = inOwnTime({ ...token, status: { ...token.status, token: text } }, now);
      const { expirationTimestamp, token: kept } = own.status as {
        expirationTimestamp: string;
        token: string;
      };
      assert.deepEqual([Date.parse(expirationTimestamp) - now, kept], [endsAfterNow, text]);
    });
  }
  for (const hours of [-1, 0, 1]) {
    const now = issued + hours * hour;
    const own = inOwnTime({ ...token, status: { ...token.status, token: issuedNow } }, now);
    assert.deepEqual([tokenState(own, now), tokenState(own, now + 1_000_000)], ["fresh", "expired"]);
  }
});
