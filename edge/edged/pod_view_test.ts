import assert from "node:assert/strict";
import { PodView } from "./pod_view.ts";
import { MemoryRuntime } from "./runtime/memory_runtime.ts";
import type { CallOptions, Container } from "./runtime/types.ts";
import { systemClock } from "../../common/module/mod.ts";
import { containerConfig, sandboxConfig } from "./runtime/contract.ts";

const signal = new AbortController().signal;

/** An engine whose answers to "which containers are there" arrive when the test lets them. */
class SlowRuntime extends MemoryRuntime {
  gate: Promise<void> = Promise.resolve();

  override async listContainers(
    filter: { podUid?: string } = {},
    options: CallOptions = {},
  ): Promise<Container[]> {
    const asked = await super.listContainers(filter, options);
    await this.gate;
    return asked;
  }
}

/** An engine whose lists show containers running that have ended. */
class LateRuntime extends MemoryRuntime {
  override async listContainers(
    filter: { podUid?: string } = {},
    options: CallOptions = {},
  ): Promise<Container[]> {
    return (await super.listContainers(filter, options)).map((each) => ({ ...each, state: "running" }));
  }
}

Deno.test("PodView.note() takes an event for news while a look is under way", async () => {
  const pod = { namespace: "default", name: "web", uid: "uid-1" };
  using runtime = new SlowRuntime({
    clock: systemClock,
    images: [{ reference: "pause:1" }, { reference: "image:1" }],
  });
  const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, "pause:1"));
  const id = await runtime.createContainer(sandbox, containerConfig(pod, "image:1", ["sleep"]));
  const view = new PodView(pod.uid, runtime);
  assert.equal((await view.look(signal)).containers[0]?.state, "created");

  await runtime.startContainer(id);
  assert.equal(view.note({ podUid: pod.uid, containerId: id, type: "started" }), true);
  const { promise, resolve } = Promise.withResolvers<void>();
  runtime.gate = promise;
  const looking = view.look(signal);
  // The engine has answered "running"; before the answer is here, the container ends.
  await Promise.resolve();
  runtime.exit(id, 137);
  assert.equal(view.note({ podUid: pod.uid, containerId: id, type: "stopped" }), true);
  resolve();
  await looking;
  assert.equal((await view.look(signal)).containers[0]?.state, "exited");
  assert.equal(view.note({ podUid: pod.uid, containerId: id, type: "stopped" }), false, "known by now");
});

Deno.test("PodView.look() asks about a container that is said to have ended while the list still shows it running", async () => {
  const pod = { namespace: "default", name: "web", uid: "uid-1" };
  using runtime = new LateRuntime({
    clock: systemClock,
    images: [{ reference: "pause:1" }, { reference: "image:1" }],
  });
  const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, "pause:1"));
  const id = await runtime.createContainer(sandbox, containerConfig(pod, "image:1", ["sleep"]));
  await runtime.startContainer(id);
  const view = new PodView(pod.uid, runtime);
  assert.equal((await view.look(signal)).containers[0]?.state, "running");

  runtime.exit(id, 137);
  assert.equal(view.note({ podUid: pod.uid, containerId: id, type: "stopped" }), true);
  const [seen] = (await view.look(signal)).containers;
  assert.equal(seen?.state, "exited");
  assert.equal(seen?.exitCode, 137);
});
