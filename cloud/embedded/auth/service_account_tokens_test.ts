import assert from "node:assert/strict";
import { generateTokenKey, ServiceAccountTokens, serviceAccountUser } from "./service_account_tokens.ts";

const SUBJECT = {
  namespace: "ns",
  name: "robot",
  uid: "u",
  audiences: ["api"],
  bound: { kind: "Pod", name: "p", uid: "pu" },
};
const NOW = Date.UTC(2026, 0, 1);

Deno.test("ServiceAccountTokens verify what they signed, until it expires", async () => {
  const key = await generateTokenKey();
  const tokens = await ServiceAccountTokens.load(key);
  const token = await tokens.sign(SUBJECT, NOW, NOW + 600_000);
  const verified = await tokens.verify(token, NOW + 1000);
  assert.deepEqual({ ...verified, id: "" }, {
    ...SUBJECT,
    bound: { kind: "pod", name: "p", uid: "pu" },
    expiresAt: NOW + 600_000,
    id: "",
  });
  assert.equal(await tokens.verify(token, NOW + 600_000), undefined);
  assert.equal(await tokens.verify(token, NOW - 3600_000), undefined);
  const again = await ServiceAccountTokens.load(key);
  assert.ok(await again.verify(token, NOW + 1000) !== undefined);
  const other = await ServiceAccountTokens.load(await generateTokenKey());
  assert.equal(await other.verify(token, NOW + 1000), undefined);
});

Deno.test("ServiceAccountTokens take nothing that was changed or is no token", async () => {
  const tokens = await ServiceAccountTokens.load(await generateTokenKey());
  const token = await tokens.sign(SUBJECT, NOW, NOW + 600_000);
  const [head, body, signature] = token.split(".") as [string, string, string];
  const text = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const none = text({ alg: "none" });
  const admin = text({ sub: "system:masters", exp: 4e9 });
  for (
    const bad of [
      "",
      ".",
      "..",
      "a.b.c",
      `${head}.${body}`,
      `${token}.x`,
      `${none}.${body}.`,
      `${none}.${admin}.${signature}`,
      `${head}.${admin}.${signature}`,
      `${head}.${body}.%%%`,
      "x".repeat(10_000),
    ]
  ) {
    assert.equal(await tokens.verify(bad, NOW + 1000), undefined, bad.slice(0, 30));
  }
});

Deno.test("serviceAccountUser() is what Kubernetes calls the account", () => {
  const user = serviceAccountUser({
    ...SUBJECT,
    bound: { kind: "pod", name: "p", uid: "pu" },
    expiresAt: 0,
    id: "1",
  });
  assert.equal(user.username, "system:serviceaccount:ns:robot");
  assert.deepEqual(user.groups, [
    "system:serviceaccounts",
    "system:serviceaccounts:ns",
    "system:authenticated",
  ]);
  assert.deepEqual(user.extra?.["authentication.kubernetes.io/pod-name"], ["p"]);
});
