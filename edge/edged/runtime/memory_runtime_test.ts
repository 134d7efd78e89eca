import assert from "node:assert/strict";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { systemClock } from "../../../common/module/mod.ts";
import {
  containerConfig,
  contractProgram,
  isKind,
  newPod,
  runtimeContract,
  sandboxConfig,
  untilState,
} from "./contract.ts";
import { type MemoryProgram, MemoryRuntime } from "./memory_runtime.ts";
import { RuntimeError, type RuntimeEvent } from "./types.ts";

const IMAGES = [{ reference: "kubeedge/pause:3.6" }, { reference: "demo-web:1" }];

runtimeContract("MemoryRuntime", async () => ({
  runtime: new MemoryRuntime({ clock: systemClock, images: IMAGES, program: contractProgram }),
  pauseImage: "kubeedge/pause:3.6",
  image: "demo-web:1",
}));

async function running(program: MemoryProgram = {}) {
  const clock = new FakeClock();
  const runtime = new MemoryRuntime({
    clock,
    images: IMAGES,
    registry: [{ reference: "private:1" }],
    program: () => program,
    authorize: (_, auth) => auth?.username === "u",
  });
  const pod = newPod();
  const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, "kubeedge/pause:3.6"));
  const id = await runtime.createContainer(sandbox, containerConfig(pod, "demo-web:1", ["x"]));
  await runtime.startContainer(id);
  return { clock, runtime, pod, sandbox, id };
}

Deno.test("MemoryRuntime ends a program when its time is over", async () => {
  const { clock, runtime, id } = await running({ runsForMs: 1000, exitCode: 4 });
  const start = clock.now();
  await clock.advance(999);
  assert.equal((await runtime.containerStatus(id)).state, "running");
  await clock.advance(1);
  const status = await untilState(runtime, id, "exited");
  assert.deepEqual([status.exitCode, status.finishedAt], [4, start + 1000]);
});

Deno.test("MemoryRuntime.exit() ends a container from outside, also for want of memory", async () => {
  const { runtime, id } = await running();
  runtime.exit(id, 137, { oomKilled: true });
  assert.equal((await runtime.containerStatus(id)).reason, "OOMKilled");
  await runtime.startContainer(id);
  assert.equal((await runtime.containerStatus(id)).state, "running");
});

Deno.test("MemoryRuntime.failNext() fails calls in turn and then no more", async () => {
  const { runtime } = await running();
  runtime.failNext("listContainers", new RuntimeError("failed", "one"));
  runtime.failNext("listContainers", new RuntimeError("unavailable", "two"));
  await assert.rejects(runtime.listContainers(), isKind("failed"));
  await assert.rejects(runtime.listContainers(), isKind("unavailable"));
  assert.equal((await runtime.listContainers()).length, 1);
});

Deno.test("MemoryRuntime.stopEngine() ends streams, refuses calls, and leaves containers running", async () => {
  const { runtime, id } = await running();
  const events = runtime.events(new AbortController().signal)[Symbol.asyncIterator]();
  const next = events.next();
  // The stream is there once something comes through it.
  while (!runtime.calls.includes("events")) await Promise.resolve();
  await runtime.version();
  runtime.stopEngine();
  await assert.rejects(next, isKind("unavailable"));
  await assert.rejects(runtime.containerStatus(id), isKind("unavailable"));
  runtime.startEngine();
  assert.equal((await runtime.containerStatus(id)).state, "running");
});

Deno.test("MemoryRuntime.reboot() stops everything and forgets nothing", async () => {
  const { runtime, id, sandbox, pod } = await running();
  const stop = new AbortController();
  const seen: RuntimeEvent[] = [];
  const watching = (async () => {
    for await (const event of runtime.events(stop.signal)) seen.push(event);
  })();
  await runtime.version();
  runtime.reboot();
  assert.equal((await runtime.containerStatus(id)).exitCode, 255);
  assert.equal((await runtime.podSandboxStatus(sandbox)).state, "notready");
  stop.abort();
  await watching;
  assert.deepEqual(seen.map((e) => [e.podUid, e.containerId, e.type]), [
    [pod.uid, id, "stopped"],
    [pod.uid, sandbox, "stopped"],
  ]);
});

Deno.test("MemoryRuntime.pullImage() asks for what the registry asks for", async () => {
  const { runtime } = await running();
  await assert.rejects(runtime.pullImage("no:1", undefined), isKind("image-missing"));
  await assert.rejects(runtime.pullImage("private:1", undefined), isKind("image-missing"));
  const id = await runtime.pullImage("private:1", { username: "u", password: "p" });
  assert.equal((await runtime.imageStatus("private:1"))?.id, id);
  await runtime.removeImage("private:1");
  assert.equal(await runtime.imageStatus("private:1"), undefined);
});

Deno.test("MemoryRuntime.stopContainer() waits for the grace of a program that does not listen", async () => {
  const { clock, runtime, id } = await running({ onTerm: "ignore" });
  const stopping = runtime.stopContainer(id, 30);
  await clock.advance(29_999);
  assert.equal((await runtime.containerStatus(id)).state, "running");
  await clock.advance(1);
  await stopping;
  assert.equal((await runtime.containerStatus(id)).exitCode, 137);
});
