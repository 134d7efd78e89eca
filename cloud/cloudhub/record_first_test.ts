import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { newMessage } from "../../common/model/mod.ts";
import { startHub, until } from "./_testing.ts";
import { type DeliveryLog, MemoryDeliveryLog } from "./delivery_log.ts";

const WAIT = () => ({ signal: AbortSignal.timeout(30_000) });

function podMessage(name: string) {
  const resource = `node/edge-1/default/pod/${name}`;
  const metadata = { name, namespace: "default", uid: `uid-${name}`, resourceVersion: "7" };
  return newMessage(
    { source: "edgecontroller", group: "resource", operation: "insert", resource },
    { apiVersion: "v1", kind: "Pod", metadata },
    { resourceVersion: "7" },
  );
}

/** A log whose records are made when the test says so. */
function slowLog() {
  const begun = new Map<string, () => void>();
  const memory = new MemoryDeliveryLog();
  const log: DeliveryLog = {
    begin: (_node, { name }) => new Promise<void>((resolve) => begun.set(name, resolve)),
    recorded: (...given) => memory.recorded(...given),
    confirm: (...given) => memory.confirm(...given),
    forget: (...given) => memory.forget(...given),
    forgetNode: (...given) => memory.forgetNode(...given),
    connected: (...given) => memory.connected(...given),
  };
  return { log, begun };
}

Deno.test("cloudHub() sends an object only once its delivery is on record", async () => {
  const { log, begun } = slowLog();
  const clock = new FakeClock(Date.now());
  await using hub = await startHub({}, { deliveryLog: log, clock });
  await using edge = await hub.connect("edge-1");
  await hub.inbox.send(podMessage("a"));
  await hub.inbox.send(podMessage("b"));
  await until(() => begun.size === 2, "both deliveries are begun");
  begun.get("b")!();
  await until(() => /queue_messages 2/.test(hub.metrics()), "nothing went");
  begun.get("a")!();
  assert.equal((await edge.received.receive(WAIT()))?.route.resource, "default/pod/a");
  assert.equal((await edge.received.receive(WAIT()))?.route.resource, "default/pod/b");
});

Deno.test("cloudHub() does not wait for a record that takes its time", async () => {
  const { log, begun } = slowLog();
  await using hub = await startHub({}, { deliveryLog: log });
  await using edge = await hub.connect("edge-1");
  await hub.inbox.send(podMessage("a"));
  await until(() => begun.size === 1, "the delivery is begun");
  assert.equal((await edge.received.receive(WAIT()))?.route.resource, "default/pod/a");
});
