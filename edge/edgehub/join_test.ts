import assert from "node:assert/strict";
import { createAuthority, createNodeRequest } from "../../common/pki/mod.ts";
import { errorText } from "../../common/errors/mod.ts";
import { joinByToken, renewCertificate } from "./join.ts";
import { TestCloud } from "./_test_cloud.ts";

const signal = new AbortController().signal;

function join(cloud: TestCloud, token: string, now = Date.now()) {
  const httpServer = `https://127.0.0.1:${cloud.ports.join}`;
  return joinByToken(token, { nodeName: "edge-1", httpServer, now, timeoutMs: 5000, signal });
}

const says = (text: RegExp) => (error: unknown) => {
  assert.match(errorText(error), text);
  return true;
};

Deno.test("joinByToken() names the fix for each token that does not work", async (t) => {
  await using cloud = await TestCloud.start();
  const good = await cloud.token();
  const rows: Array<[string, string, RegExp]> = [
    ["empty", "", /token: it is empty.*keadm gettoken/],
    ["malformed", "abc", /token: .*keadm gettoken/],
    ["without the CA hash", good.slice(good.indexOf(".") + 1), /CA hash in front is missing/],
    ["base64-encoded", btoa(good), /base64.*base64 -d/],
    ["expired", await cloud.token(Date.now() - 5000), /cloud refused.*expired since.*keadm gettoken/],
    [
      "with a wrong signature",
      good.slice(0, -8) + "AAAAAAAA",
      /cloud refused.*signature is invalid.*keadm gettoken/,
    ],
  ];
  for (const [name, token, text] of rows) {
    await t.step(name, () => assert.rejects(join(cloud, token), says(text)));
  }
});

Deno.test("joinByToken() trusts nothing and sends no token when the CA is not the token's", async () => {
  await using cloud = await TestCloud.start();
  await using other = await TestCloud.start();
  await assert.rejects(join(cloud, await other.token()), says(/CA hash.*belongs to another cluster/));
  assert.deepEqual(cloud.requests.map((r) => r.path), ["/ca.crt"]);
});

Deno.test("joinByToken() refuses a server whose certificate the CA did not sign, before it sees the token", async () => {
  await using impostor = await TestCloud.start();
  await using real = await TestCloud.start();
  impostor.caBody = real.ca.certificate;
  await assert.rejects(join(impostor, await real.token()), says(/Cannot reach https:.*not from the CA/));
  assert.deepEqual(impostor.requests.map((r) => r.path), ["/ca.crt"]);
});

Deno.test("joinByToken() names the address that the serving certificate lacks", async () => {
  await using cloud = await TestCloud.start(undefined, ["10.9.8.7"]);
  await assert.rejects(join(cloud, await cloud.token()), says(/advertiseAddress/));
});

Deno.test("joinByToken() names the clock when the CA is not valid at its time", async () => {
  await using cloud = await TestCloud.start();
  const token = await cloud.token();
  await assert.rejects(
    join(cloud, token, Date.UTC(2001, 0, 1)),
    says(/clock says 2001-01-01.*days behind the cloud's.*set the clock/),
  );
});

Deno.test("joinByToken() names the clock when a certificate signed just now has ended by it", async () => {
  await using cloud = await TestCloud.start();
  await assert.rejects(
    join(cloud, await cloud.token(), Date.now() + 10 * 365 * 86_400_000),
    says(
      /edge\.crt gave: .*; this machine's clock is 3650 days ahead of the cloud's: set the clock that is wrong$/,
    ),
  );
});

for (const hours of [-1, 1]) {
  Deno.test(`joinByToken() works with a clock that is ${hours} h off the cloud's, whose CA is new`, async () => {
    const ca = await createAuthority(Date.now());
    await using cloud = await TestCloud.start(undefined, undefined, ca);
    const now = Date.now() + hours * 3_600_000;
    const { notBefore, notAfter } = await join(cloud, await cloud.token(Date.now() + 86_400_000), now);
    assert.ok(notBefore < now && now < notAfter);
  });
}

Deno.test("joinByToken() lets the cloud decide about a token that is expired by a clock that is fast, and tells of the clock", async () => {
  await using cloud = await TestCloud.start();
  const told: unknown[] = [];
  const joinAt = (now: number, token: string) =>
    joinByToken(token, {
      nodeName: "edge-1",
      httpServer: `https://127.0.0.1:${cloud.ports.join}`,
      now,
      timeoutMs: 5000,
      log: { warning: (message, fields) => told.push([message, fields?.difference]) },
      signal,
    });
  const hour = 3_600_000;
  await joinAt(Date.now() + hour, await cloud.token(Date.now() + hour / 2));
  assert.deepEqual(told, [[
    "The clocks of this machine and of the cloud differ; set the one that is wrong",
    "this machine's clock is 1 h 0 min ahead of the cloud's",
  ]]);
  await assert.rejects(
    joinAt(Date.now() - hour, await cloud.token(Date.now() - hour / 2)),
    says(/expired since.*keadm gettoken.*clock is 1 h 0 min behind the cloud's/),
  );
  told.length = 0;
  await joinAt(Date.now(), await cloud.token());
  assert.deepEqual(told, []);
});

Deno.test("joinByToken() bounds what it reads", async () => {
  await using cloud = await TestCloud.start();
  cloud.caBody = new Uint8Array(2 * 1024 * 1024);
  await assert.rejects(join(cloud, await cloud.token()), says(/more than 1048576 bytes/));
});

Deno.test("joinByToken() refuses a certificate for another node", async () => {
  await using cloud = await TestCloud.start();
  cloud.foreignCsr = (await createNodeRequest("edge-2")).csr;
  await assert.rejects(join(cloud, await cloud.token()), says(/"system:node:edge-2", not for node "edge-1"/));
});

Deno.test("joinByToken() refuses a certificate for another key", async () => {
  await using cloud = await TestCloud.start();
  cloud.foreignCsr = (await createNodeRequest("edge-1")).csr;
  await assert.rejects(join(cloud, await cloud.token()), says(/not for the key/));
});

Deno.test("joinByToken() says when nothing listens, when nothing answers, and what the server said", async () => {
  const cloud = await TestCloud.start();
  const token = await cloud.token();
  cloud.refusal = { status: 500, text: "failed to sign certs for edgenode edge-1" };
  await assert.rejects(join(cloud, token), says(/HTTP 500 failed to sign certs/));
  const { join: port } = cloud.ports;
  await cloud[Symbol.asyncDispose]();
  const httpServer = `https://127.0.0.1:${port}`;
  const options = { nodeName: "edge-1", httpServer, now: Date.now(), timeoutMs: 200, signal };
  await assert.rejects(joinByToken(token, options), says(/Cannot reach .*is cloudcore running/));
  using mute = Deno.listen({ hostname: "127.0.0.1", port });
  const accepted = mute.accept();
  await assert.rejects(joinByToken(token, options), says(/no reply in 0.2 s/));
  (await accepted).close();
});

Deno.test("joinByToken() stops when told to", async () => {
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using cloud = await TestCloud.start();
  const controller = new AbortController();
  const joining = joinByToken(await cloud.token(), {
    nodeName: "edge-1",
    httpServer: `https://127.0.0.1:${mute.addr.port}`,
    now: Date.now(),
    signal: controller.signal,
  });
  const connection = await mute.accept();
  controller.abort(new DOMException("stop", "AbortError"));
  await assert.rejects(joining, { name: "AbortError" });
  connection.close();
});

Deno.test("renewCertificate() shows the present certificate and no token, and brings a fresh key", async () => {
  await using cloud = await TestCloud.start();
  const present = await join(cloud, await cloud.token());
  const renewed = await renewCertificate(present, {
    nodeName: "edge-1",
    httpServer: `https://127.0.0.1:${cloud.ports.join}`,
    now: Date.now(),
    signal,
  });
  const { peer, authorization, nodeName } = cloud.requests.at(-1)!;
  assert.deepEqual([peer, authorization, nodeName], ["system:node:edge-1", "", "edge-1"]);
  assert.notEqual(renewed.key, present.key);
  assert.equal(renewed.ca, present.ca);
});
