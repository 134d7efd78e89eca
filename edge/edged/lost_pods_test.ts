import assert from "node:assert/strict";
import { StatusError } from "../../common/errors/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { type MemoryProgram, MemoryRuntime } from "./runtime/memory_runtime.ts";
import { MemoryKubeApi, MemoryVolumes, podsOn, testPod } from "./testing.ts";

/** A pod that runs, of which the edged that comes after knows nothing. */
async function orphan(
  program: MemoryProgram = {},
): Promise<{ clock: FakeClock; runtime: MemoryRuntime } & Disposable> {
  const clock = new FakeClock();
  const runtime = new MemoryRuntime({
    clock,
    program: () => program,
    images: [{ reference: "busybox:1" }, { reference: "pause" }],
  });
  const first = podsOn(runtime, clock, new MemoryKubeApi(), new MemoryVolumes());
  await first.pods.load();
  first.pods.onEvent({ type: "pod", pod: testPod() });
  await first.settle();
  await first.stop();
  return { clock, runtime, [Symbol.dispose]: () => runtime[Symbol.dispose]() };
}

const ids = async (runtime: MemoryRuntime) =>
  (await runtime.listContainers()).map(({ id, state }) => `${state} ${id}`);

Deno.test("Pods removes what belongs to nobody, but only once the store was read", async () => {
  using left = await orphan();
  const { clock, runtime } = left;
  const volumes = new MemoryVolumes();
  volumes.present.add("u1").add("u9");
  const api = new MemoryKubeApi();
  api.connected = false;
  api.gonePods = ["u1"];
  const second = podsOn(runtime, clock, api, volumes);
  await second.settle();
  assert.equal((await runtime.listContainers())[0]!.state, "running");
  await second.pods.load();
  await second.engine.relist();
  await second.pods.removeStrayVolumes();
  await second.settle();
  assert.deepEqual(await runtime.listContainers(), []);
  assert.deepEqual(await runtime.listPodSandboxes(), []);
  assert.deepEqual([...volumes.present], []);
  await second.stop();
});

Deno.test("Pods goes on with a pod that the store has lost, as long as the cloud is away and once it has it", async () => {
  using left = await orphan();
  const { clock, runtime } = left;
  const before = await ids(runtime);
  const volumes = new MemoryVolumes();
  volumes.present.add("u1");
  const api = new MemoryKubeApi();
  api.connected = false;
  const second = podsOn(runtime, clock, api, volumes);
  await second.pods.load();
  await second.advance(3_600_000);
  await second.pods.removeStrayVolumes();
  assert.deepEqual(await ids(runtime), before, "the cloud was not there to ask");
  assert.deepEqual([...volumes.present], ["u1"]);
  api.connected = true;
  api.lostPods = [{ type: "pod", pod: testPod({ metadata: { resourceVersion: "9" } }) }];
  second.pods.onEvent({ type: "connection", connected: true });
  await second.settle();
  assert.deepEqual(await ids(runtime), before, "the same container");
  assert.equal(second.status()?.phase, "Running");
  await second.advance(120_000);
  assert.deepEqual(await ids(runtime), before);
  await second.stop();
});

Deno.test("Pods asks for what a pod shows that the store has lost, since the store has lost that too", async () => {
  using left = await orphan();
  const api = new MemoryKubeApi();
  const spec = {
    containers: [{
      name: "main",
      image: "busybox:1",
      env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "settings", key: "a" } } }],
      envFrom: [{ secretRef: { name: "password" } }],
    }],
    volumes: [{ name: "www", configMap: { name: "site" } }],
    imagePullSecrets: [{ name: "registry" }],
  };
  api.lostPods = [{ type: "pod", pod: testPod({ spec }) }];
  const asked: string[] = [];
  const missing = (name: string) => {
    asked.push(name);
    return Promise.reject(new StatusError("ServiceUnavailable", "away again"));
  };
  api.getConfigMap = (_namespace, name) => missing(name);
  api.getSecret = (_namespace, name) => missing(name);
  const second = podsOn(left.runtime, left.clock, api, new MemoryVolumes());
  await second.pods.load();
  await second.engine.relist();
  await second.settle();
  assert.deepEqual(asked.sort(), ["password", "registry", "settings", "site"]);
  await second.stop();
});

Deno.test("Pods removes a pod that the store has lost when the cloud says it is gone, and when it never says", async (t) => {
  await t.step("NotFound", async () => {
    using left = await orphan({ onTerm: "ignore" });
    const api = new MemoryKubeApi();
    const second = podsOn(left.runtime, left.clock, api, new MemoryVolumes());
    await second.pods.load();
    await second.engine.relist();
    await left.clock.advance(1500);
    assert.equal((await left.runtime.listContainers()).length, 1, "it has the grace period it was made with");
    await left.clock.advance(1000);
    await second.settle();
    assert.deepEqual(await left.runtime.listContainers(), []);
    assert.deepEqual(api.podPatches, []);
    await second.stop();
  });
  await t.step("taken away while the question is open", async () => {
    using left = await orphan();
    const api = new MemoryKubeApi();
    api.connected = false;
    const second = podsOn(left.runtime, left.clock, api, new MemoryVolumes());
    await second.pods.load();
    await second.engine.relist();
    second.pods.onEvent({ type: "pod-removed", namespace: "default", name: "web", uid: "u1" });
    await second.settle();
    assert.deepEqual(await left.runtime.listContainers(), []);
    await second.stop();
  });
  await t.step("no decision in five minutes; what was removed is reported", async () => {
    using left = await orphan();
    const api = new MemoryKubeApi();
    api.lookUpPod = () => Promise.reject(new StatusError("Forbidden", "not for you"));
    const second = podsOn(left.runtime, left.clock, api, new MemoryVolumes());
    await second.pods.load();
    await second.advance(240_000);
    assert.equal((await left.runtime.listContainers()).length, 1);
    await second.advance(180_000);
    assert.deepEqual(await left.runtime.listContainers(), []);
    const [{ name, patch } = assert.fail("nothing was reported")] = api.podPatches;
    assert.deepEqual([name, patch.metadata], ["web", { uid: "u1" }]);
    second.pods.onEvent({ type: "pod", pod: testPod({ metadata: { resourceVersion: "9" } }) });
    await second.settle();
    assert.deepEqual((await left.runtime.listContainers()).map(({ state }) => state), ["running"]);
    await second.stop();
  });
});
