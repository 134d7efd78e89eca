import assert from "node:assert/strict";
import { StatusError } from "../../common/errors/mod.ts";
import { FakeKubeClient, type FakeKubeClientOptions } from "../../common/kubeclient/fake_client.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { createLogger, silentLogger } from "../../common/module/mod.ts";
import type { DeliveredObject } from "./delivery_class.ts";
import { CLUSTER_OBJECT_SYNCS, OBJECT_SYNCS, objectSyncLog } from "./object_sync_log.ts";
import { until } from "./_testing.ts";

const POD: DeliveredObject = {
  uid: "u1",
  namespace: "default",
  name: "web",
  apiVersion: "v1",
  kind: "Pod",
  deleting: false,
};
const NODE: DeliveredObject = { ...POD, uid: "u2", namespace: "", name: "edge-1", kind: "Node" };

async function start(options: FakeKubeClientOptions = {}, kube = new FakeKubeClient(options)) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = objectSyncLog({ kube, clock, log: createLogger("x", { write: (line) => lines.push(line) }) });
  const controller = new AbortController();
  const before = kube.calls.length;
  const ended = log.run(controller.signal).catch((error) => {
    if (error !== controller.signal.reason) throw error;
  });
  await until(
    () => lines.length > 0 || kube.calls.slice(before).some((call) => call.resource === "clusterobjectsyncs"),
    "what is recorded is listed",
  );
  // The fake answers without waiting for anything.
  await new Promise((resolve) => setTimeout(resolve));
  const version = () => kube.peek(OBJECT_SYNCS, "default/edge-1.u1")?.status?.objectResourceVersion;
  const stop = async () => {
    controller.abort(new Error("stop"));
    await ended;
  };
  return { kube, clock, lines, log, version, [Symbol.asyncDispose]: stop };
}

Deno.test("objectSyncLog() writes what was sent and what was confirmed, and reads it again", async () => {
  await using first = await start();
  await first.log.begin("edge-1", POD);
  assert.equal(first.log.begin("edge-1", POD), undefined);
  assert.equal(first.version(), undefined);
  assert.equal(first.log.recorded("edge-1", "u1"), undefined);
  assert.deepEqual(first.kube.peek(OBJECT_SYNCS, "default/edge-1.u1")?.spec, {
    objectAPIVersion: "v1",
    objectKind: "Pod",
    objectName: "web",
  });
  first.log.confirm("edge-1", POD, "7");
  first.log.confirm("edge-1", NODE, "8");
  assert.equal(first.log.recorded("edge-1", "u1"), "7");
  await first.clock.advance(1_000);
  await until(() => first.version() === "7", "the version is recorded");
  await until(() => first.kube.peek(CLUSTER_OBJECT_SYNCS, "edge-1.u2") !== undefined, "the node too");

  await using second = await start({}, first.kube);
  assert.equal(second.log.begin("edge-1", POD), undefined);
  second.log.confirm("edge-1", NODE, "9");
  const written = () => second.kube.peek(CLUSTER_OBJECT_SYNCS, "edge-1.u2")?.status?.objectResourceVersion;
  await until(() => written() === "9", "the newer version is recorded");
  assert.equal(second.version(), "7", "the beginning of another delivery takes nothing back");
  second.log.forget("edge-1", POD);
  await until(() => second.version() === undefined, "the record is gone");
  second.log.forgetNode("edge-1");
  await until(() => second.kube.peekAll(CLUSTER_OBJECT_SYNCS).length === 0, "the node's records are gone");
});

Deno.test("objectSyncLog() forgets on a new connection what was confirmed, and keeps what is recorded", async () => {
  await using parts = await start();
  parts.log.confirm("edge-1", POD, "7");
  await until(() => parts.version() === "7", "the version is recorded");
  parts.log.connected("edge-1");
  assert.equal(parts.log.recorded("edge-1", "u1"), undefined);
  assert.equal(parts.version(), "7");
  // An edge that lost its database takes again what it had.
  parts.log.confirm("edge-1", POD, "7");
  assert.equal(parts.log.recorded("edge-1", "u1"), "7");
  parts.log.forget("edge-1", POD);
  await until(() => parts.version() === undefined, "the record is gone");
});

Deno.test("objectSyncLog() removes a record once, and one it has not read yet", async () => {
  const removals = (kube: FakeKubeClient) => kube.calls.filter(({ verb }) => verb === "delete").length;
  await using first = await start();
  first.log.confirm("edge-1", POD, "7");
  await until(() => first.version() === "7", "the version is recorded");
  first.log.forget("edge-1", POD);
  await until(() => first.version() === undefined, "the record is gone");
  first.log.forget("edge-1", POD);
  first.log.confirm("edge-1", NODE, "8");
  await until(() => first.kube.peek(CLUSTER_OBJECT_SYNCS, "edge-1.u2") !== undefined, "the next is recorded");
  assert.equal(removals(first.kube), 1);

  const kube = new FakeKubeClient();
  const log = objectSyncLog({ kube, clock: new FakeClock(), log: silentLogger });
  log.forget("edge-1", POD);
  const stop = new AbortController();
  const ended = log.run(stop.signal);
  await until(() => removals(kube) === 1, "what may be recorded is removed");
  stop.abort(new Error("stop"));
  await ended;
});

Deno.test("objectSyncLog() never goes back to an older version", async () => {
  await using parts = await start();
  parts.log.confirm("edge-1", POD, "10");
  parts.log.confirm("edge-1", POD, "9");
  assert.equal(parts.log.recorded("edge-1", "u1"), "10");
  await until(() => parts.version() === "10", "the newer one is recorded");
});

for (const reason of ["NotFound", "Forbidden"] as const) {
  Deno.test(`objectSyncLog() records what was confirmed meanwhile once the API no longer says ${reason}`, async () => {
    let refuses = true;
    const kube = new FakeKubeClient({
      intercept: () => {
        if (refuses) throw new StatusError(reason, "the server refuses");
      },
    });
    const old = {
      metadata: { namespace: "default", name: "edge-1.u7" },
      status: { objectResourceVersion: "3" },
    };
    kube.seed(OBJECT_SYNCS, old);
    await using parts = await start({}, kube);
    parts.log.confirm("edge-1", POD, "7");
    parts.log.confirm("edge-1", NODE, "8");
    parts.log.forget("edge-1", { ...POD, uid: "u7" });
    await parts.clock.advance(120_000);
    assert.equal(parts.version(), undefined);
    refuses = false;
    await parts.clock.advance(61_000);
    await until(() => parts.version() === "7", "the pod's version is recorded");
    await until(() => kube.peek(CLUSTER_OBJECT_SYNCS, "edge-1.u2") !== undefined, "the node's too");
    await until(() => kube.peek(OBJECT_SYNCS, "default/edge-1.u7") === undefined, "what went is gone");
    assert.equal(parts.log.recorded("edge-1", "u1"), "7");
    assert.equal(parts.lines.length, 2);
    assert.match(parts.lines[1]!, /"What nodes confirmed is recorded now" waiting=3/);
  });

  Deno.test(`objectSyncLog() is a log in memory, with one warning, where the API says ${reason}`, async () => {
    await using parts = await start({
      intercept: () => {
        throw new StatusError(reason, "the server refuses");
      },
    });
    assert.equal(parts.log.begin("edge-1", POD), undefined);
    parts.log.confirm("edge-1", POD, "7");
    assert.equal(parts.log.recorded("edge-1", "u1"), "7");
    parts.log.connected("edge-1");
    assert.equal(parts.log.recorded("edge-1", "u1"), undefined);
    assert.equal(parts.lines.length, 1);
    assert.match(parts.lines[0]!, /kept in memory only/);
  });
}

Deno.test("objectSyncLog() writes what is left when it is told to stop, and gives up where that fails", async () => {
  const parts = await start();
  for (let i = 0; i < 20; i++) parts.log.begin("edge-1", { ...POD, uid: `u${i}` });
  await parts[Symbol.asyncDispose]();
  assert.equal(parts.kube.peekAll(OBJECT_SYNCS).length, 20);

  let broken = false;
  const other = await start({
    intercept: () => {
      if (broken) throw new Error("no answer");
    },
  });
  broken = true;
  other.log.begin("edge-1", POD);
  await other[Symbol.asyncDispose]();
  assert.equal(other.version(), undefined);
});

Deno.test("objectSyncLog() writes the newest version once the API works again", async () => {
  let broken = false;
  await using parts = await start({
    intercept: () => {
      if (broken) throw new Error("no answer");
    },
  });
  broken = true;
  parts.log.confirm("edge-1", POD, "7");
  await until(() => parts.clock.sleeping > 0, "it waits");
  parts.log.confirm("edge-1", POD, "8");
  broken = false;
  await parts.clock.advance(60_000);
  await until(() => parts.version() === "8", "the newest is recorded");
});

const ENDINGS: ReadonlyArray<readonly [how: string, refusal: StatusError]> = [
  [
    "is being terminated",
    new StatusError("Forbidden", "unable to create new content in namespace ending", {
      details: { causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }] },
    }),
  ],
  [
    "is gone",
    new StatusError("NotFound", 'namespaces "ending" not found', {
      details: { name: "ending", kind: "namespaces" },
    }),
  ],
];
for (const [how, refusal] of ENDINGS) {
  Deno.test(`objectSyncLog() records nothing in a namespace that ${how}, and goes on`, async () => {
    await using parts = await start({
      intercept: ({ verb, namespace }) => {
        if (verb === "create" && namespace === "ending") throw refusal;
      },
    });
    parts.log.confirm("edge-1", { ...POD, uid: "u9", namespace: "ending" }, "7");
    parts.log.confirm("edge-1", POD, "8");
    await until(() => parts.version() === "8", "the other one is recorded");
    assert.equal(parts.clock.sleeping, 0, "it does not try again");
    assert.deepEqual(parts.lines, []);
  });
}

const requests = ({ calls }: FakeKubeClient) =>
  calls.filter(({ verb }) => verb !== "list").map(({ verb, subresource }) =>
    [verb, subresource].join(" ").trim()
  );

Deno.test("objectSyncLog() needs two requests for an object that is delivered and confirmed", async () => {
  await using parts = await start();
  await parts.log.begin("edge-1", POD);
  parts.log.confirm("edge-1", POD, "7");
  await parts.clock.advance(1_000);
  await until(() => parts.version() === "7", "the version is recorded");
  assert.deepEqual(requests(parts.kube), ["create", "patch status"]);
});

Deno.test("objectSyncLog() leaves what an earlier run recorded when a delivery begins before it was read", async () => {
  const kube = new FakeKubeClient();
  kube.seed(OBJECT_SYNCS, {
    metadata: { namespace: "default", name: "edge-1.u1" },
    status: { objectResourceVersion: "3" },
  });
  const log = objectSyncLog({ kube, clock: new FakeClock(), log: silentLogger });
  const begun = log.begin("edge-1", POD);
  const stop = new AbortController();
  const ended = log.run(stop.signal);
  await begun;
  assert.equal(kube.peek(OBJECT_SYNCS, "default/edge-1.u1")?.status?.objectResourceVersion, "3");
  stop.abort();
  await ended;
});

Deno.test("objectSyncLog() lets a delivery go when its record fails, and records it later with what was confirmed", async () => {
  let broken = true;
  await using parts = await start({
    intercept: ({ verb }) => {
      if (broken && verb !== "list") throw new Error("no answer");
    },
  });
  await parts.log.begin("edge-1", POD);
  await until(() => parts.clock.sleeping > 0, "it waits");
  parts.log.confirm("edge-1", POD, "7");
  broken = false;
  await parts.clock.advance(60_000);
  await until(() => parts.version() === "7", "it is recorded");
  assert.deepEqual(requests(parts.kube).slice(-2), ["create", "patch status"]);
});

Deno.test("objectSyncLog() tells what was confirmed once deliveries pause, or have gone on for ten seconds", async () => {
  await using parts = await start();
  const told = () => requests(parts.kube).filter((request) => request === "patch status").length;
  const deliver = async (uid: string) => {
    await parts.log.begin("edge-1", { ...POD, uid });
    parts.log.confirm("edge-1", { ...POD, uid }, "7");
  };
  await deliver("u1");
  await deliver("u2");
  await parts.clock.advance(400);
  await deliver("u3");
  await parts.clock.advance(400);
  assert.equal(told(), 0);
  await parts.clock.advance(200);
  await until(() => told() === 3, "all is told");
  let seconds = 0;
  for (; told() === 3; seconds += 0.25) {
    await deliver(`long${seconds}`);
    await parts.clock.advance(250);
  }
  assert.ok(seconds >= 10 && seconds <= 11, `${seconds}`);
});

Deno.test("objectSyncLog() records new deliveries before what was confirmed of old ones", async () => {
  await using parts = await start();
  const old = Array.from({ length: 40 }, (_, i) => ({ ...POD, uid: `old${i}` }));
  await Promise.all(old.map((object) => parts.log.begin("edge-1", object)));
  await parts.clock.advance(1_000);
  const before = requests(parts.kube).length;
  for (const object of old) parts.log.confirm("edge-1", object, "7");
  await parts.log.begin("edge-1", POD);
  assert.ok(requests(parts.kube).slice(before).indexOf("create") <= 8);
});
