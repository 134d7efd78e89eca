import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createAuthority, printEcKeyPem, printPem } from "../../common/pki/mod.ts";
import { systemClock } from "../../common/module/mod.ts";
import { handlerRunner, statusCode } from "./handlers.ts";
import { RuntimeError } from "./runtime/types.ts";

const run = handlerRunner({
  execSync: (_id, command) =>
    command[0] === "gone"
      ? Promise.reject(new RuntimeError("failed", "no such program"))
      : Promise.resolve({ exitCode: Number(command[0]), output: "said" }),
}, systemClock);

const target = (port: number) => ({
  containerId: "c",
  container: { name: "web", ports: [{ name: "http", containerPort: port }] },
  podIP: "127.0.0.1",
  timeoutMs: 300,
  signal: new AbortController().signal,
});

/** A server of raw answers; it closes each connection once it has answered. */
function rawServer(answer: (request: string) => string | undefined) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const requests: string[] = [];
  const serve = async () => {
    for await (const connection of listener) {
      open.add(connection);
      const buffer = new Uint8Array(8192);
      const count = await connection.read(buffer);
      const request = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      requests.push(request);
      const text = answer(request);
      if (text === undefined) continue;
      await connection.write(new TextEncoder().encode(text));
      open.delete(connection);
      connection.close();
    }
  };
  const served = serve();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) connection.close();
      await served;
    },
  };
}

Deno.test("handlerRunner() judges an answer over HTTP by its code alone", async (t) => {
  const table: Array<[string, string | undefined, boolean, RegExp?]> = [
    ["200", "HTTP/1.1 200 OK\r\n\r\nbody", true],
    ["no reason phrase", "HTTP/1.0 204\r\n\r\n", true],
    ["redirect", "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\n\r\n", true],
    ["interim", "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true],
    ["503", "HTTP/1.1 503 Busy\r\n\r\n", false, /statuscode: 503/],
    ["404", "HTTP/1.1 404 No\r\n\r\n", false, /statuscode: 404/],
    ["not HTTP", "SSH-2.0-OpenSSH\r\n", false, /not HTTP/],
    ["nothing", "", false, /not HTTP/],
    ["endless line", "x".repeat(64 * 1024), false, /not HTTP|reset/i],
    ["silence", undefined, false, /No answer in 300 ms/],
  ];
  for (const [name, answer, ok, output] of table) {
    await t.step(name, async () => {
      await using server = rawServer(() => answer);
      const result = await run({ httpGet: { port: server.port } }, target(server.port));
      assert.equal(result.ok, ok, result.output);
      if (output !== undefined) assert.match(result.output, output);
    });
  }
});

Deno.test("handlerRunner() asks for the path and with the headers of the spec", async () => {
  await using server = rawServer(() => "HTTP/1.1 200 OK\r\n\r\n");
  const httpHeaders = [{ name: "Host", value: "web.example" }, { name: "X-Probe", value: "1" }];
  await run({ httpGet: { path: "a b/ü", port: "http", httpHeaders } }, target(server.port));
  const [first, ...rest] = server.requests[0]!.split("\r\n");
  assert.equal(first, "GET /a%20b/%C3%BC HTTP/1.1");
  assert.ok(
    rest.includes("host: web.example") && rest.includes("x-probe: 1") && rest.includes("connection: close"),
  );
});

Deno.test("handlerRunner() lets nobody write a second request into a header or path", async () => {
  await using server = rawServer(() => "HTTP/1.1 200 OK\r\n\r\n");
  const httpHeaders = [{ name: "X", value: "1\r\nHost: evil" }];
  const result = await run({ httpGet: { port: server.port, httpHeaders } }, target(server.port));
  assert.match(result.output, /cannot be sent/);
  await run(
    { httpGet: { port: server.port, path: "/x HTTP/1.1\r\nHost: evil\r\n\r\n" } },
    target(server.port),
  );
  assert.deepEqual(
    server.requests.map((request) => request.split("\r\n").filter((l) => /^host: evil/i.test(l)).length),
    [0],
  );
});

Deno.test("handlerRunner() asks servers of node and over TLS whoever signed them", async () => {
  const plain = createHttpServer((_request, response) => void response.end("x".repeat(100_000)));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const { port } = plain.address() as { port: number };
  assert.equal((await run({ httpGet: { port } }, target(port))).ok, true);
  plain.closeAllConnections();
  await new Promise((resolve) => plain.close(resolve));

  const refused = await run({ httpGet: { port, scheme: "HTTPS" } }, target(port));
  assert.equal(refused.ok, false);
  const { certificate, key } = await createAuthority(Date.now());
  const identity = { key: printEcKeyPem(key), cert: printPem("CERTIFICATE", certificate) };
  const tls = createTlsServer(identity, (_request, response) => void response.end("x"));
  await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
  const { port: tlsPort } = tls.address() as { port: number };
  const result = await run({ httpGet: { port: tlsPort, scheme: "HTTPS" } }, {
    ...target(tlsPort),
    timeoutMs: 5_000,
  });
  assert.equal(result.ok, true, result.output);
  tls.closeAllConnections();
  await new Promise((resolve) => tls.close(resolve));
});

Deno.test("handlerRunner() connects, runs commands and tells what it cannot do", async (t) => {
  await using server = rawServer(() => "");
  const { port } = server;
  const table: Array<[string, Parameters<typeof run>[0], boolean, RegExp?]> = [
    ["TCP", { tcpSocket: { port } }, true],
    ["TCP refused", { tcpSocket: { port: 1 } }, false, /refused/i],
    ["no such port", { tcpSocket: { port: "https" } }, false, /Cannot find port https/],
    ["command", { exec: { command: ["0"] } }, true],
    ["command that fails", { exec: { command: ["3"] } }, false, /exit code 3: said/],
    ["command that cannot run", { exec: { command: ["gone"] } }, false, /no such program/],
    ["sleep", { sleep: { seconds: 0 } }, true],
    ["gRPC refused", { grpc: { port: 1 } }, false, /refused/i],
    ["nothing", {}, false, /no exec/],
  ];
  for (const [name, handler, ok, output] of table) {
    await t.step(name, async () => {
      const result = await run(handler, target(port));
      assert.equal(result.ok, ok, result.output);
      if (output !== undefined) assert.match(result.output, output);
    });
  }
});

Deno.test("statusCode() waits for a whole line and refuses what is none of HTTP", () => {
  assert.equal(statusCode("HTTP/1.1 20"), undefined);
  assert.equal(statusCode("HTTP/1.1 200 OK\r\n"), 200);
  for (const text of ["HTTP/2 200\r\n", "HTTP/1.1 999 x\r\n", "HTTP/1.1 2000\r\n", "\n"]) {
    assert.throws(() => statusCode(text), /not HTTP/);
  }
});
