import assert from "node:assert/strict";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import {
  type Message,
  newErrorResponse,
  newMessage,
  newResponse,
  objectResponse,
} from "../../common/model/mod.ts";
import { Mailbox, silentLogger } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { edged, edgedPermissions } from "./mod.ts";
import { MemoryRuntime } from "./runtime/memory_runtime.ts";
import { FACTS, MemoryVolumes, testPod } from "./testing.ts";

/** edged with metamanager played by the test. */
function start(options: { pods?: unknown[]; connected?: boolean; port?: number } = {}) {
  const clock = new FakeClock();
  const inbox = new Mailbox<Message>("edged", 64);
  const sent: Message[] = [];
  const runtime = new MemoryRuntime({
    clock,
    images: [{ reference: "busybox:1" }, { reference: "kubeedge/pause:3.6" }],
  });
  const state = { connected: options.connected ?? true };
  const listening = Promise.withResolvers<number>();
  const answer = (message: Message): unknown => {
    const { operation, resource } = message.route;
    if (operation === "query" && resource === "default/pod") {
      return (options.pods ?? []).map((p) => JSON.stringify(p));
    }
    if (resource === "default/gonepod") return [];
    if (!state.connected) return undefined;
    if (operation === "delete") return "OK";
    if (resource.startsWith("null/nodepatch/")) {
      return objectResponse({ metadata: { name: "edge-1", uid: "n1" } });
    }
    if (resource === "null/node/edge-1") {
      return objectResponse({ ...message.content as object, metadata: { name: "edge-1", uid: "n1" } });
    }
    if (operation === "query" && resource.startsWith("kube-node-lease/")) {
      return { Object: null, Err: { ErrStatus: { reason: "NotFound", code: 404, message: "no lease" } } };
    }
    return objectResponse(message.content);
  };
  const module = edged({
    inbox,
    metaManager: async (message) => {
      sent.push(message);
      const content = answer(message);
      await inbox.send(
        content === undefined
          ? newErrorResponse(message, "failed to process remote: not connected")
          : newResponse(message, content),
      );
    },
    runtime,
    volumes: () => new MemoryVolumes(),
    resolveEnv: () => () => Promise.resolve([]),
    clock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
    facts: () => Promise.resolve(() => Promise.resolve(FACTS)),
    onListen: listening.resolve,
  }, { nodeName: "edge-1", version: "v1.32.10-kubeedge-v1.23.1", readOnlyPort: options.port ?? 0 });
  const controller = new AbortController();
  const run = module.run(controller.signal);
  const settle = async () => {
    for (let i = 0; i < 40; i++) await clock.advance(0);
  };
  return {
    clock,
    inbox,
    sent,
    runtime,
    module,
    state,
    settle,
    listening: listening.promise,
    routes: () => sent.map(({ route }) => `${route.operation} ${route.resource}`),
    push: (operation: string, resource: string, content: unknown) =>
      inbox.send(newMessage({ source: "edgecontroller", group: "resource", operation, resource }, content)),
    async [Symbol.asyncDispose]() {
      controller.abort();
      await settle();
      await run;
      runtime[Symbol.dispose]();
    },
  };
}

Deno.test("edged() registers the node, reports it ready and renews the lease", async () => {
  await using bench = start();
  await bench.module.ready;
  await bench.settle();
  const routes = bench.routes();
  assert.ok(routes.includes("insert null/node/edge-1"));
  assert.ok(routes.includes("insert kube-node-lease/lease/edge-1"));
  const insert = bench.sent.find(({ route }) =>
    route.operation === "insert" && route.resource.startsWith("null/node/")
  )!;
  const patches = bench.sent.filter(({ route }) => route.resource === "null/nodepatch/edge-1");
  const said = JSON.stringify([insert.content, ...patches.map(({ content }) => content)]);
  assert.match(said, /EdgeReady/);
  for (const { route, header } of bench.sent) {
    assert.deepEqual([route.source, route.group], ["edged", "meta"]);
    assert.equal(header.sync, undefined);
  }
  bench.sent.length = 0;
  await bench.clock.advance(10_000);
  await bench.settle();
  assert.deepEqual(bench.routes(), ["update kube-node-lease/lease/edge-1"]);
});

Deno.test("edged() runs a pod that the cloud sends, patches its status as text and deletes it with its uid", async () => {
  await using bench = start();
  await bench.module.ready;
  await bench.push("update", "default/pod/web", testPod());
  await bench.settle();
  const patches = bench.sent.filter(({ route }) => route.resource === "default/podpatch/web");
  assert.ok(patches.length >= 1);
  assert.equal(typeof patches[0]!.content, "string");
  const last = JSON.parse(patches.at(-1)!.content as string);
  assert.equal(last.metadata.uid, "u1");
  assert.equal(last.status.phase, "Running");

  const metadata = {
    resourceVersion: "2",
    deletionTimestamp: "2026-01-01T00:00:00Z",
    deletionGracePeriodSeconds: 2,
  };
  await bench.push("update", "default/pod/web", testPod({ metadata }));
  await bench.settle();
  const deletion = bench.sent.find(({ route }) => route.operation === "delete")!;
  assert.equal(deletion.route.resource, "default/pod/web");
  assert.deepEqual(deletion.content, { gracePeriodSeconds: 0, preconditions: { uid: "u1" } });
  assert.deepEqual(await bench.runtime.listPodSandboxes(), []);
});

Deno.test("edged() starts the pods of its store without the cloud and reports them once it is there", async () => {
  await using bench = start({ pods: [testPod()], connected: false });
  await bench.module.ready;
  await bench.settle();
  const [container] = await bench.runtime.listContainers();
  assert.equal(container?.state, "running");
  bench.state.connected = true;
  bench.sent.length = 0;
  await bench.push("connect", "node/connection", "cloud_connected");
  await bench.settle();
  assert.ok(bench.routes().includes("insert null/node/edge-1"));
  const patch = bench.sent.find(({ route }) => route.resource === "default/podpatch/web")!;
  assert.equal(JSON.parse(patch.content as string).status.phase, "Running");
});

Deno.test("edged() says that the container runtime is down and recovers with it", async () => {
  await using bench = start();
  await bench.module.ready;
  await bench.push("update", "default/pod/web", testPod());
  await bench.settle();
  bench.sent.length = 0;
  bench.runtime.stopEngine();
  await bench.settle();
  const text = JSON.stringify(bench.sent.filter(({ route }) => route.resource.includes("nodepatch")));
  assert.match(text, /KubeletNotReady/);
  assert.match(text, /container runtime is down/);
  const [container] = await restarted(bench.runtime);
  bench.runtime.exit(container!.id, 1);
  bench.sent.length = 0;
  await bench.clock.advance(20_000);
  await bench.settle();
  assert.match(
    JSON.stringify(bench.sent.filter(({ route }) => route.resource.includes("nodepatch"))),
    /EdgeReady/,
  );
  const now = (await bench.runtime.listContainers()).filter((c) => c.state === "running");
  assert.deepEqual(now.map((c) => c.attempt), [1]);
});

async function restarted(runtime: MemoryRuntime) {
  runtime.startEngine();
  return await runtime.listContainers();
}

Deno.test("edged() takes no harm from messages that make no sense", async () => {
  await using bench = start();
  await bench.module.ready;
  for (const content of [null, [], 0, "{", "x", { metadata: null }, { metadata: { name: "../../etc" } }]) {
    await bench.push("insert", "default/pod/web", content);
    await bench.push("update", "default/pod", content);
    await bench.push("delete", "../pod/..", content);
    await bench.push("update", "null/node/edge-1", content);
    await bench.push("update", "", content);
  }
  await bench.push("update", "default/pod/web", testPod());
  await bench.settle();
  const [container] = await bench.runtime.listContainers();
  assert.equal(container?.state, "running");
});

Deno.test("edged() refuses options that cannot be", () => {
  const options = { nodeName: "edge-1", version: "v1" };
  assert.throws(() => edgedPermissions({ ...options, nodeName: "../x" }), TypeError);
  assert.throws(() => edgedPermissions({ ...options, readOnlyPort: 70_000 }), RangeError);
  assert.throws(() => edgedPermissions({ ...options, maxPods: 0 }), RangeError);
});
