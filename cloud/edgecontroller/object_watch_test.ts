import assert from "node:assert/strict";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { CONFIG_MAPS, informer } from "../../common/kubeclient/mod.ts";
import { silentLogger } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { ObjectWatch } from "./object_watch.ts";
import { type Reference, referenceKey } from "./pod_references.ts";
import { Tasks } from "./tasks.ts";

const configMap = (name: string): Reference => ({ type: "configmap", namespace: "default", name });

function setUp(kube: FakeKubeClient) {
  const clock = new FakeClock();
  const tasks = new Tasks();
  const changed: string[] = [];
  const stop = new AbortController();
  const objects = new ObjectWatch({
    informers: (type, selection) =>
      informer(kube, type, selection, { clock, log: silentLogger, random: () => 0 }),
    clock,
    tasks,
    changed: (reference, event) => changed.push(`${event?.type ?? "known"} ${referenceKey(reference)}`),
    refused: () => {},
  });
  return {
    objects,
    clock,
    changed,
    signal: stop.signal,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await tasks.settled();
    },
  };
}

Deno.test("ObjectWatch tells unknown, absent and present apart", async () => {
  await using kube = new FakeKubeClient();
  await using rig = setUp(kube);
  const { objects, clock, signal } = rig;
  assert.deepEqual(objects.configMap("default", "a"), { state: "unknown" });
  objects.add(configMap("a"), signal);
  assert.deepEqual(objects.configMap("default", "a"), { state: "unknown" });
  await clock.advance(0);
  assert.deepEqual(objects.configMap("default", "a"), { state: "absent" });
  assert.deepEqual(objects.secret("default", "a"), { state: "unknown" });
  await kube.create(CONFIG_MAPS, { metadata: { namespace: "default", name: "a" }, data: { k: "1" } });
  await kube.create(CONFIG_MAPS, { metadata: { namespace: "default", name: "b" } });
  await clock.advance(0);
  const found = objects.configMap("default", "a");
  assert.ok(found.state === "present");
  assert.deepEqual(found.object.data, { k: "1" });
  assert.deepEqual(rig.changed, ["known configmap/default/a", "added configmap/default/a"]);
});

Deno.test("ObjectWatch does not watch claims", async () => {
  await using kube = new FakeKubeClient();
  await using rig = setUp(kube);
  rig.objects.add({ type: "persistentvolumeclaim", namespace: "default", name: "a" }, rig.signal);
  assert.equal(rig.objects.size, 0);
});

Deno.test("ObjectWatch lists few objects at once, and those that cannot be listed do not keep the others", async () => {
  const gate = Promise.withResolvers<void>();
  let listing = 0;
  await using kube = new FakeKubeClient({
    intercept: async ({ verb }) => {
      if (verb !== "list") return;
      listing++;
      await gate.promise;
    },
  });
  await using rig = setUp(kube);
  for (let i = 0; i < 50; i++) rig.objects.add(configMap(`c${i}`), rig.signal);
  await rig.clock.advance(0);
  assert.equal(listing, 32);
  await rig.clock.advance(5000);
  assert.equal(listing, 50);
  gate.resolve();
  await rig.clock.advance(0);
  assert.deepEqual(rig.objects.configMap("default", "c49"), { state: "absent" });
});

Deno.test("ObjectWatch lingers, and goes on when the object is needed again", async () => {
  await using kube = new FakeKubeClient();
  await using rig = setUp(kube);
  const { objects, clock, signal } = rig;
  objects.add(configMap("a"), signal);
  await clock.advance(0);
  objects.remove(configMap("a"), signal);
  await clock.advance(299_000);
  objects.add(configMap("a"), signal);
  await clock.advance(299_000);
  assert.deepEqual(objects.configMap("default", "a"), { state: "absent" });
  objects.remove(configMap("a"), signal);
  await clock.advance(300_000);
  assert.equal(objects.size, 0);
  assert.deepEqual(objects.configMap("default", "a"), { state: "unknown" });
});
