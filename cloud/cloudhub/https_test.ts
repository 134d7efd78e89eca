import assert from "node:assert/strict";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { NODES, SECRETS } from "../../common/kubeclient/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import { Mailbox, silentLogger, systemClock } from "../../common/module/mod.ts";
import {
  createAuthority,
  createJoinToken,
  createNodeRequest,
  issueServingCertificate,
  loadAuthority,
  parseCertificate,
  parseFirstPem,
  parseJoinToken,
  printEcKeyPem,
  printPem,
} from "../../common/pki/mod.ts";
import { leastMissed, listenTls, networkOf } from "./listener.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { credentialsOf, httpsCall, join, startHub, until } from "./_testing.ts";

Deno.test("cloudHub() answers /ca.crt with the CA in DER and joins a node with a token", async () => {
  await using hub = await startHub();
  const ca = await hub.request("/ca.crt");
  assert.equal(ca.status, 200);
  assert.deepEqual(ca.body, parseFirstPem(hub.ca).der);

  const joined = await join(hub, "edge-1");
  assert.equal(joined.status, 200);
  const info = parseCertificate(joined.body);
  assert.deepEqual(info.subject, { commonName: "system:node:edge-1", organizations: ["system:nodes"] });
  assert.equal(info.notAfter - info.notBefore, 365 * 86_400_000);
  assert.match(hub.metrics(), /kubeedge_cloudhub_joins_total\{result="joined"\} 1/);

  // What was issued opens a session.
  const credentials = { cert: printPem("CERTIFICATE", joined.body), key: printEcKeyPem(joined.key) };
  await using edge = await hub.connect("edge-1", { credentials });
  assert.equal(edge.socket.readyState, edge.socket.OPEN);
});

Deno.test("/edge.crt refuses tokens that are wrong, naming the fix", async (t) => {
  await using hub = await startHub();
  const token = await hub.token();
  const { jwt } = parseJoinToken(token);
  const other = await createAuthority(Date.now());
  const foreign = parseJoinToken(await createJoinToken(other.certificate, other.key, Date.now() + 60_000));
  const { csr } = await createNodeRequest("edge-1");
  const rows: Array<[string, string | undefined, RegExp]> = [
    ["none", undefined, /^token validation failure, token is empty$/],
    ["one word", "Bearer", /^token validation failure, token cannot be split$/],
    ["three words", "Bearer a b", /^token validation failure, token cannot be split$/],
    [
      "of another CA",
      `Bearer ${foreign.jwt}`,
      /^token validation failure, err: .*signature is invalid.*keadm gettoken$/,
    ],
    ["malformed", "Bearer a.b.c", /^token validation failure, err: .*malformed.*keadm gettoken/],
    ["with its CA hash", `Bearer ${token}`, /err: .*CA hash in front must not be sent/],
    ["base64-encoded", `Bearer ${btoa(token)}`, /err: .*looks base64-encoded: decode it/],
  ];
  for (const [name, authorization, pattern] of rows) {
    await t.step(name, async () => {
      const headers = {
        NodeName: "edge-1",
        ...(authorization === undefined ? {} : { Authorization: authorization }),
      };
      const answer = await hub.request("/edge.crt", { headers, body: csr });
      assert.equal(answer.status, 401);
      assert.match(answer.text, pattern);
    });
  }
  await t.step("the scheme word does not count", async () => {
    const headers = { NodeName: "edge-1", Authorization: `Token ${jwt}` };
    assert.equal((await hub.request("/edge.crt", { headers, body: csr })).status, 200);
  });
});

Deno.test("/edge.crt refuses an expired token", async () => {
  await using hub = await startHub();
  const secret = (key: string) =>
    Uint8Array.fromBase64(hub.kube.peek(SECRETS, "kubeedge/casecret")!.data![key]!);
  const expired = await createJoinToken(secret("cadata"), secret("cakeydata"), Date.now() - 60_000);
  const answer = await join(hub, "edge-1", expired);
  assert.equal(answer.status, 401);
  assert.match(answer.text, /expired since .*get a new one with: keadm gettoken/);
  for (let i = 0; i < 3; i++) await join(hub, "edge-1", expired);
  const told = hub.logged.filter((line) => line.includes('"Refused a node certificate"')).map((line) =>
    line[0]
  );
  assert.deepEqual(told, ["W", "D", "D", "D"], "an edge that tries again and again is told of once");
});

Deno.test("/edge.crt gives a node a certificate for its own name only", async (t) => {
  await using hub = await startHub();
  const { jwt } = parseJoinToken(await hub.token());
  const { csr } = await createNodeRequest("edge-2");
  const ask = (node: string, body: Uint8Array, more: Record<string, string> = {}) =>
    hub.request("/edge.crt", { headers: { NodeName: node, Authorization: `Bearer ${jwt}`, ...more }, body });
  const forged = csr.slice();
  forged.set(
    new TextEncoder().encode("edge-1"),
    new TextDecoder("latin1").decode(forged).indexOf("edge-2"),
  );
  await t.step("another node's name", async () => {
    const answer = await ask("edge-1", csr);
    assert.equal(answer.status, 403);
    assert.match(
      answer.text,
      /^failed to sign certs for edgenode edge-1, err: the request is for "system:node:edge-2"/,
    );
  });
  await t.step("a name changed after signing", async () => {
    const answer = await ask("edge-1", forged);
    assert.equal(answer.status, 500);
    assert.match(
      answer.text,
      /^failed to sign certs for edgenode edge-1, err: .*not signed with the key it carries/,
    );
  });
  await t.step("a name with a slash", async () => {
    const answer = await ask("a/b", (await createNodeRequest("a/b")).csr);
    assert.equal(answer.status, 400);
    assert.match(answer.text, /is not the name of a node/);
  });
  await t.step("no name", async () => assert.equal((await ask("", csr)).status, 400));
  await t.step("not a request at all", async () => {
    const answer = await ask("edge-2", new TextEncoder().encode("hello"));
    assert.equal(answer.status, 500);
    assert.match(answer.text, /^failed to sign certs for edgenode edge-2, err: /);
  });
  await t.step("usages that are no array", async () => {
    const answer = await ask("edge-2", csr, { ExtKeyUsages: '{"a":1}' });
    assert.equal(answer.status, 500);
    assert.match(answer.text, /ExtKeyUsages is not a JSON array/);
  });
  await t.step("usages as asked for", async () => {
    const answer = await ask("edge-2", csr, { ExtKeyUsages: "[2, 1]" });
    assert.deepEqual(parseCertificate(answer.body).extendedKeyUsages, [
      "1.3.6.1.5.5.7.3.2",
      "1.3.6.1.5.5.7.3.1",
    ]);
  });
});

Deno.test("/edge.crt renews by certificate", async (t) => {
  await using hub = await startHub();
  const mine = await hub.issue("edge-1");
  const { csr } = await createNodeRequest("edge-1");
  const renew = (credentials: typeof mine, node = "edge-1", body: Uint8Array = csr) =>
    hub.request("/edge.crt", { headers: { NodeName: node, Authorization: "ignored" }, body, credentials });

  await t.step("its own", async () => {
    const answer = await renew(mine);
    assert.equal(answer.status, 200);
    assert.equal(parseCertificate(answer.body).subject.commonName, "system:node:edge-1");
  });
  await t.step("not another node's", async () => {
    const answer = await renew(mine, "edge-2", (await createNodeRequest("edge-2")).csr);
    assert.equal(answer.status, 401);
    assert.equal(
      answer.text,
      "failed to verify the certificate for edgenode: edge-2, err: request node name is not match with the certificate",
    );
  });
  await t.step("not with another name in the request", async () => {
    assert.equal((await renew(mine, "edge-1", (await createNodeRequest("edge-2")).csr)).status, 403);
  });
  await t.step("not with a certificate of another CA", async () => {
    const other = await loadAuthority(await createAuthority(Date.now()));
    const answer = await renew(await credentialsOf("edge-1", other, { now: Date.now(), validityDays: 1 }));
    assert.equal(answer.status, 401);
    assert.match(
      answer.text,
      /^failed to verify the certificate for edgenode: edge-1, err: failed to verify edge certificate: .*unknown authority/,
    );
  });
  await t.step("not with an expired one", async () => {
    const answer = await renew(await hub.issue("edge-1", { now: Date.now() - 5 * 86_400_000 }));
    assert.equal(answer.status, 401);
    assert.match(answer.text, /expired at/);
  });
});

Deno.test("the HTTPS endpoint bounds bodies and names what it does not know", async (t) => {
  const tasks = new Mailbox<Message>("tasks", 8);
  const kube = new FakeKubeClient();
  kube.seed(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: "edge-1" } });
  await using hub = await startHub({}, { kube, taskManager: tasks.send });
  const rows: Array<[string, string, string, number, string]> = [
    ["unknown path", "GET", "/nothing", 404, "404: Page Not Found"],
    ["the root", "GET", "/", 404, "404: Page Not Found"],
    ["wrong method", "POST", "/ca.crt", 405, "405: Method Not Allowed"],
    [
      "wrong method at the task state",
      "GET",
      "/task/upgrade/name/t/node/n/status",
      405,
      "405: Method Not Allowed",
    ],
    ["a node that is there", "GET", "/node/edge-1", 200, "Node found"],
    ["a node that is not", "GET", "/node/edge-9", 404, "Node not found"],
    ["no node", "GET", "/node/", 404, "404: Page Not Found"],
    ["what is not the name of a node", "GET", "/node/%2e%2e", 404, "Node not found"],
    ["a malformed escape", "GET", "/node/%zz", 400, "400 Bad Request"],
  ];
  for (const [name, method, path, status, text] of rows) {
    await t.step(name, async () => {
      const answer = await hub.request(path, { method });
      assert.deepEqual([answer.status, answer.text], [status, text]);
    });
  }
  await t.step("a task state becomes a message", async () => {
    const path = "/task/upgrade/name/task-1/node/edge-1/status";
    const answer = await hub.request(path, {
      method: "POST",
      body: '{"NodeName":"edge-1","State":"Success"}',
    });
    assert.deepEqual([answer.status, answer.text], [200, "ok"]);
    const message = await tasks.receive();
    assert.deepEqual(message?.route, {
      source: "cloudhub",
      group: "cloudhub",
      operation: "upgrade",
      resource: "task/task-1/node/edge-1",
    });
  });
  await t.step("a task state that is not JSON", async () => {
    assert.equal((await hub.request("/nodeupgrade", { method: "POST", body: "{" })).status, 400);
  });
  await t.step("a body over the limit", async () => {
    const answer = await hub.request("/edge.crt", {
      headers: { NodeName: "a", Authorization: `Bearer ${parseJoinToken(await hub.token()).jwt}` },
      body: new Uint8Array(1024 * 1024 + 1),
    });
    assert.equal(answer.status, 500);
    assert.match(answer.text, /larger than 1048576 bytes/);
  });
  await t.step("a body over the limit whose length is not told", async () => {
    const text = " ".repeat(3 * 1024 * 1024 + 1);
    const body = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    const socket = connectTls({ host: "127.0.0.1", port: hub.ports.https, ca: hub.ca });
    let answer = "";
    socket.on("data", (data) => answer += String(data));
    socket.write(`POST /nodeupgrade HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    await new Promise<void>((resolve) => socket.on("close", () => resolve()));
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /Request entity too large: .*larger than 3145728 bytes$/);
  });
  await t.step("a body over the limit is not read before it is known who asks", async () => {
    const answer = await hub.request("/edge.crt", { body: new Uint8Array(1024 * 1024 + 1) });
    assert.deepEqual([answer.status, answer.text], [401, "token validation failure, token is empty"]);
  });
  await t.step("an API that fails", async () => {
    const failing = new FakeKubeClient({
      intercept: (call) => {
        if (call.resource === "nodes") throw new Error("down");
      },
    });
    await using hub = await startHub({}, { kube: failing });
    const answer = await hub.request("/node/edge-1");
    assert.deepEqual([answer.status, answer.text], [500, "Failed to query node information"]);
  });
});

Deno.test("a client that never finishes is dropped while others are served", async (t) => {
  await using hub = await startHub({ handshakeTimeoutMs: 300 });
  const credentials = await hub.issue("edge-1");
  const closed = (socket: { on(event: "close" | "error", run: () => void): unknown }) =>
    new Promise<void>((resolve) => {
      socket.on("error", () => {});
      socket.on("close", () => resolve());
    });
  for (const name of ["https", "websocket"] as const) {
    const port = hub.ports[name];
    await t.step(`${name}: says nothing`, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.resume();
      const end = closed(socket);
      assert.equal((await hub.request("/ca.crt")).status, 200);
      await end;
    });
    await t.step(`${name}: stops in the middle of TLS`, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.resume();
      socket.write(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01));
      await closed(socket);
    });
    await t.step(`${name}: stops after TLS`, async () => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: hub.ca, ...credentials });
      socket.resume();
      await closed(socket);
    });
    await t.step(`${name}: stops in the head of the request`, async () => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: hub.ca, ...credentials }, () => {
        socket.write("GET / HTTP/1.1\r\nHost: a\r\nX-");
      });
      socket.resume();
      await closed(socket);
    });
    await t.step(`${name}: speaks no TLS`, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.resume();
      socket.write("GET / HTTP/1.1\r\n\r\n");
      await closed(socket);
    });
  }
});

Deno.test("a request whose body never ends is dropped after 30 s, whoever sent it", async () => {
  const begin = Date.now();
  const clock = new FakeClock(begin);
  await using hub = await startHub({}, { clock });
  const { jwt } = parseJoinToken(await hub.token());
  const head = (lines: string) => `GET /edge.crt HTTP/1.1\r\nHost: a\r\nNodeName: edge-1\r\n${lines}\r\n\r\n`;
  const requests = [
    `${head(`Authorization: Bearer ${jwt}\r\nContent-Length: 1000`)}half`,
    `${head(`Authorization: Bearer ${jwt}\r\nTransfer-Encoding: chunked`)}5\r\nhalf`,
    `${head("Content-Length: 1000")}half`,
  ];
  const ended = requests.map((text) => {
    const socket = connectTls({ host: "127.0.0.1", port: hub.ports.https, ca: hub.ca });
    const asked = new Promise<void>((resolve) => socket.write(text, () => resolve()));
    const closed = new Promise<void>((resolve) => {
      socket.on("error", () => {});
      socket.on("close", () => resolve());
    });
    socket.resume();
    return { asked, closed };
  });
  await Promise.all(ended.map(({ asked }) => asked));
  // Others are served meanwhile, by which the heads above were read.
  assert.equal((await hub.request("/ca.crt")).status, 200);
  const all = Promise.all(ended.map(({ closed }) => closed)).then(() => true);
  await until(async () => {
    await clock.advance(1_000);
    return await Promise.race([all, Promise.resolve(false)]);
  }, "all three are dropped");
  assert.ok(clock.now() - begin >= 29_000);
});

Deno.test("clients that nobody knows take neither all connections nor much memory", async () => {
  await using hub = await startHub();
  const stuck = (body: string) => {
    const socket = connectTls({ host: "127.0.0.1", port: hub.ports.https, ca: hub.ca });
    socket.on("error", () => {});
    const head = `POST /nodeupgrade HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length + 1}\r\n\r\n`;
    return new Promise<typeof socket>((resolve) => socket.write(head + body, () => resolve(socket)));
  };
  const body = " ".repeat(3 * 1024 * 1024 - 1);
  const send = () => hub.request("/nodeupgrade", { method: "POST", body });
  const large = await Promise.all(Array.from({ length: 10 }, () => stuck(body)));
  await until(async () => (await send()).status === 503, "too much is read");
  assert.equal((await send()).text, "too many requests are being read: try again later");
  const small = await Promise.all(Array.from({ length: 300 }, () => stuck("")));
  assert.equal((await join(hub, "edge-1")).status, 200);
  for (const socket of [...large, ...small]) socket.destroy();
  await until(async () => (await send()).status === 400, "there is room again");
});

Deno.test("refusals that anybody can bring about are logged now and then", async () => {
  const clock = new FakeClock(Date.now());
  await using hub = await startHub({}, { clock });
  const lines = () => hub.logged.filter((line) => line.includes("Refused a node certificate"));
  for (let i = 0; i < 30; i++) await hub.request("/edge.crt", { headers: { NodeName: `edge-${i}` } });
  assert.equal(lines().length, 21);
  await clock.advance(2_000);
  await hub.request("/edge.crt");
  assert.match(lines().at(-1)!, /suppressed=9$/m);
});

Deno.test("leastMissed() names one of the peer with most connections, who asked last of all", async (t) => {
  const entry = (name: string) => ({ name, peer: name[0]!, asked: name[1] === "+" });
  const rows: Array<[names: string, expected: string | undefined]> = [
    ["", undefined],
    ["a+ b+", undefined],
    ["a+ b- c-", "b-"],
    ["b- a+1 a+2", "a+1"],
    ["b- a+1 a-2 a-3", "a-2"],
    ["a+ b-1 b-2 c-1 c-2 c-3", "c-1"],
  ];
  for (const [names, expected] of rows) {
    await t.step(names || "none", () => {
      const entries = names === "" ? [] : names.split(" ").map(entry);
      assert.equal(leastMissed(entries)?.name, expected);
    });
  }
});

Deno.test("networkOf() tells who may use an address", async (t) => {
  const rows: Array<[address: string, network: string]> = [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:DB8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::9", "2001:db8:1:2"],
    ["2001:db8::3:4:5:6", "2001:db8:0:0"],
    ["2001:db8::2:3:4:5:6", "2001:db8:0:2"],
    ["::1", "0:0:0:0"],
    ["", ""],
  ];
  for (const [address, network] of rows) {
    await t.step(address, () => assert.equal(networkOf(address), network));
  }
});

Deno.test("listenTls() makes room for one more client by dropping one that says nothing", async () => {
  const authority = await loadAuthority(await createAuthority(Date.now()));
  const now = Date.now();
  const serving = await issueServingCertificate(authority, { dnsNames: [], addresses: ["127.0.0.1"], now });
  await using listener = await listenTls({
    address: "127.0.0.1",
    port: 0,
    portKey: "port",
    serving,
    caCertificate: authority.certificate,
    clientCertificates: "request",
    maxConnections: 2,
    handshakeTimeoutMs: 60_000,
    requestTimeoutMs: 60_000,
    onRequest: (_request, response) => response.end("served"),
    clock: systemClock,
    log: silentLogger,
  });
  const dropped = [1, 2].map(() => {
    const socket = connect(listener.port, "127.0.0.1");
    socket.resume();
    return new Promise<void>((resolve) => {
      socket.on("error", () => {});
      socket.on("close", () => resolve());
    });
  });
  const ca = printPem("CERTIFICATE", authority.certificate);
  const answer = await httpsCall(listener.port, ca, "/", {});
  assert.equal(answer.text, "served");
  await Promise.race(dropped);
});

Deno.test("cloudHub() names port and configuration key when a port is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  await assert.rejects(startHub({ https: { address: "127.0.0.1", port } }), (error: Error) => {
    assert.match(
      error.message,
      new RegExp(`127.0.0.1:${port}: the port is taken.*modules.cloudHub.https.port`),
    );
    return true;
  });
  await assert.rejects(
    startHub({ websocket: { address: "127.0.0.1", port } }),
    /modules.cloudHub.websocket.port/,
  );
});

Deno.test("cloudHub() names the address that this machine does not have, and its key", async () => {
  await assert.rejects(
    startHub({ https: { address: "192.0.2.1", port: 0 } }),
    /Cannot listen on 192\.0\.2\.1:0; it is no address of this machine: set modules\.cloudHub\.https\.address/,
  );
});
