import assert from "node:assert/strict";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { startHub } from "./_testing.ts";

/** Bytes that look random and are the same every time. */
function bytes(seed: number, length: number): Uint8Array {
  let state = seed * 2654435761 + 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  });
}

const closed = (socket: { on(event: "close" | "error", run: () => void): unknown }) =>
  new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });

Deno.test("cloudHub() outlives clients that send anything at any layer", async (t) => {
  await using hub = await startHub({ handshakeTimeoutMs: 500, maxFrameBytes: 100_000 });
  await using bystander = await hub.connect("edge-1");
  const credentials = await hub.issue("edge-2");
  for (const name of ["https", "websocket"] as const) {
    const port = hub.ports[name];
    await t.step(`${name}: instead of TLS`, async () => {
      await Promise.all(Array.from({ length: 30 }, (_, seed) => {
        const socket = connect(port, "127.0.0.1");
        socket.resume();
        // Every other one begins like a TLS record.
        const garbage = bytes(seed, 20 + seed * 37);
        if (seed % 2 === 0) garbage.set([0x16, 0x03, 0x01]);
        socket.write(garbage);
        return closed(socket);
      }));
    });
    await t.step(`${name}: instead of HTTP`, async () => {
      await Promise.all(Array.from({ length: 20 }, (_, seed) => {
        const socket = connectTls({ host: "127.0.0.1", port, ca: hub.ca, ...credentials }, () => {
          if (seed % 2 === 0) socket.write("GET /edge.crt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n");
          socket.write(bytes(seed, 20 + seed * 37));
        });
        socket.resume();
        return closed(socket);
      }));
    });
  }
  await t.step("instead of WebSocket frames", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const edge = await hub.connect("edge-2", { credentials });
      // The connection beneath the library, which would not write this.
      const { _socket: socket } = edge.socket as unknown as { _socket: { write(bytes: Uint8Array): void } };
      socket.write(bytes(seed, 20 + seed * 371));
      await edge[Symbol.asyncDispose]();
    }
  });
  assert.equal(bystander.socket.readyState, bystander.socket.OPEN);
  assert.equal((await hub.request("/ca.crt")).status, 200);
  await using after = await hub.connect("edge-2", { credentials });
  assert.equal(after.socket.readyState, after.socket.OPEN);
});
