import assert from "node:assert/strict";
import http2, { type ServerHttp2Stream } from "node:http2";
import fc from "fast-check";
import { systemClock } from "../../common/module/mod.ts";
import { checkHealth, healthRequest, readHealthResponse } from "./grpc_health.ts";
import { handlerRunner } from "./handlers.ts";

type Answer = { frame?: number[]; status?: string; message?: string; http?: number } | "silence";

/** A server of the health protocol, and what it was asked. */
async function withServer(
  answer: Answer,
  act: (port: number, asked: string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = http2.createServer();
  const sessions: Array<{ destroy(): void }> = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const bytes: number[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Uint8Array) => bytes.push(...chunk));
    stream.on("end", () => {
      asked.push(`${headers[":method"]} ${headers[":path"]} ${headers["content-type"]} ${bytes.join(",")}`);
      if (answer === "silence") return;
      const { frame = [], status = "0", message = "", http = 200 } = answer;
      stream.respond({ ":status": http, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on(
        "wantTrailers",
        () => stream.sendTrailers({ "grpc-status": status, "grpc-message": message }),
      );
      stream.end(new Uint8Array(frame));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  try {
    await act((server.address() as { port: number }).port, asked);
  } finally {
    for (const session of sessions) session.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const soon = () => AbortSignal.timeout(5000);

Deno.test("checkHealth() asks as the kubelet does and tells each status", async (t) => {
  const rows = [[1, "SERVING"], [2, "NOT_SERVING"], [3, "SERVICE_UNKNOWN"], [77, "UNKNOWN"]] as const;
  for (const [code, status] of rows) {
    await t.step(status, () =>
      withServer({ frame: [0, 0, 0, 0, 2, 8, code] }, async (port, asked) => {
        const target = { hostname: "127.0.0.1", port, service: "db" };
        assert.equal(await checkHealth(target, soon()), status);
        assert.deepEqual(asked, [
          "POST /grpc.health.v1.Health/Check application/grpc 0,0,0,0,4,10,2,100,98",
        ]);
      }));
  }
});

Deno.test("checkHealth() says why there is no answer", async (t) => {
  const rows: Array<[Answer, RegExp]> = [
    [{ status: "12" }, /does not implement the grpc health protocol/],
    [{ status: "5", message: "unknown service" }, /gRPC status 5: unknown service/],
    [{ http: 404 }, /HTTP 404/],
    [{ frame: [1, 0, 0, 0, 0] }, /not a plain gRPC message/],
    [{ frame: new Array(20_000).fill(0) }, /too long/],
    ["silence", /too late/],
  ];
  for (const [answer, expected] of rows) {
    await t.step(expected.source, () =>
      withServer(answer, async (port) => {
        const stop = new AbortController();
        const timer = setTimeout(() => stop.abort(new Error("too late")), answer === "silence" ? 100 : 5000);
        await assert.rejects(
          checkHealth({ hostname: "127.0.0.1", port, service: "" }, stop.signal),
          expected,
        );
        clearTimeout(timer);
      }));
  }
  await t.step("nobody listens", async () => {
    await assert.rejects(checkHealth({ hostname: "127.0.0.1", port: 1, service: "" }, soon()), /refused/i);
  });
});

Deno.test("handlerRunner() takes a server that serves for healthy, and no other", async (t) => {
  const run = handlerRunner({ execSync: () => Promise.reject(new Error("not this")) }, systemClock);
  const rows = [[1, true, "service healthy"], [2, false, 'service unhealthy (responded with "NOT_SERVING")']];
  for (const [code, ok, output] of rows) {
    await t.step(
      String(output),
      () =>
        withServer({ frame: [0, 0, 0, 0, 2, 8, Number(code)] }, async (port) => {
          const target = {
            containerId: "c",
            container: { name: "c" },
            podIP: "127.0.0.1",
            timeoutMs: 5000,
            signal: new AbortController().signal,
          };
          assert.deepEqual(await run({ grpc: { port } }, target), { ok, output });
        }),
    );
  }
});

Deno.test("healthRequest() and readHealthResponse() frame messages of any length, and survive any bytes", () => {
  assert.deepEqual([...healthRequest("")], [0, 0, 0, 0, 0]);
  assert.deepEqual([...healthRequest("x".repeat(200))].slice(0, 8), [0, 0, 0, 0, 203, 10, 200, 1]);
  assert.equal(readHealthResponse(new Uint8Array([0, 0, 0, 0, 0])), "UNKNOWN");
  const withMore = [18, 2, 7, 7, 8, 1, 29, 1, 2, 3, 4];
  assert.equal(readHealthResponse(new Uint8Array([0, 0, 0, 0, withMore.length, ...withMore])), "SERVING");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const frame = new Uint8Array([0, 0, 0, 0, bytes.length, ...bytes]);
    try {
      readHealthResponse(frame);
    } catch (error) {
      assert.ok(error instanceof RangeError);
    }
  }));
});
