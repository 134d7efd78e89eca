/** Nodes that send more than their part: what they may take of cloudhub's memory and time. */
import assert from "node:assert/strict";
import { type Message, newMessage, printMessage } from "../../common/model/mod.ts";
import { type Logger, silentLogger, systemClock } from "../../common/module/mod.ts";
import { type RunningHub, startHub, type TestEdge, until } from "./_testing.ts";

const KEEPALIVE_MS = 600_000;

const ping = (fields: string) =>
  newMessage({ source: fields, group: fields, operation: "ping", resource: fields }, null);

/** A text frame as a client sends it, under a mask of zeros. */
function clientFrame(text: string): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(text);
  assert.ok(payload.length > 125 && payload.length < 65_536);
  return Uint8Array.of(0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0, ...payload);
}

/** A session of which nothing is read. */
async function openDeaf(hub: RunningHub, node: string): Promise<Deno.TlsConn> {
  const { websocket: port } = hub.ports;
  const conn = await Deno.connectTls({
    hostname: "127.0.0.1",
    port,
    caCerts: [hub.ca],
    ...await hub.issue(node),
  });
  const head = [
    `GET /p/${node}/events HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    `node_id: ${node}`,
    "ConnectionUse: msg",
    "\r\n",
  ];
  await conn.write(new TextEncoder().encode(head.join("\r\n")));
  return conn;
}

const framesIn = (hub: RunningHub) =>
  Number(/^kubeedge_cloudhub_frames_total\{direction="in"\} (\d+)/m.exec(hub.metrics())?.[1] ?? 0);

Deno.test("a node that asks for more than it reads is not read from, until it reads", async () => {
  await using hub = await startHub({ keepaliveIntervalMs: KEEPALIVE_MS });
  const conn = await openDeaf(hub, "deaf");
  const frame = clientFrame(printMessage(ping("x".repeat(8192))));
  const frames = 1000;
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < frames; i++) {
      for (let at = 0; at < frame.length;) at += await conn.write(frame.subarray(at));
      written++;
    }
  })();
  let last = -1;
  await until(async () => {
    const now = framesIn(hub);
    const stands = now > 0 && now === last;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return stands;
  }, "no more is read");
  assert.ok(written < frames, "everything was taken");
  const buffer = new Uint8Array(65_536);
  const reading = (async () => {
    while (framesIn(hub) < frames) assert.notEqual(await conn.read(buffer), null);
  })();
  await writing;
  // The end of what the hub has to say may have been read before it is counted.
  const control = setInterval(() => conn.write(frame).catch(() => {/* closed below */}), 200);
  await reading;
  clearInterval(control);
  conn.close();
});

/** Whether an edge was answered a message. */
const answered = (edge: TestEdge, { header }: Message) => {
  const seen = Promise.withResolvers<void>();
  edge.socket.on("message", (data: Uint8Array) => {
    if (String(data).includes(`"parent_msg_id":"${header.msgId}"`)) seen.resolve();
  });
  return seen.promise;
};

Deno.test("a node that takes more than its share of the time is not read from for a while", async () => {
  let now = 0;
  const slow: Logger = {
    ...silentLogger,
    warning: (message) => {
      if (message === "Ignored a frame that is not a message") now += 400;
    },
    child: () => slow,
  };
  const clock = { ...systemClock, elapsed: () => now };
  await using hub = await startHub({ keepaliveIntervalMs: KEEPALIVE_MS }, { clock, log: slow });
  await using greedy = await hub.connect("greedy");
  await using modest = await hub.connect("modest");
  const before = now;
  greedy.socket.send("not a message");
  await until(() => now > before, "it is read");
  const asked = ping("greedy");
  let isAnswered = false;
  const answer = answered(greedy, asked).then(() => isAnswered = true);
  greedy.send(asked);
  for (let i = 0; i < 50; i++) {
    const one = ping("modest");
    const reply = answered(modest, one);
    modest.send(one);
    await reply;
  }
  assert.ok(!isAnswered);
  now += 1000;
  await answer;
});
