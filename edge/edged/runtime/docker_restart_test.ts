import assert from "node:assert/strict";
import { makeDemoImages } from "../../../scripts/demo_image.ts";
import { silentLogger, systemClock } from "../../../common/module/mod.ts";
import { containerConfig, isKind, newPod, sandboxConfig } from "./contract.ts";
import { dockerRuntime } from "./docker.ts";
import { DEMO_IMAGE, dockerAnswers, PAUSE } from "./docker_support.ts";
import { systemProcesses } from "./processes.ts";
import { type ContainerRuntime, RuntimeError } from "./types.ts";

/** Where containerd listens: on its own, or as the machine's engine started it. */
const CONTAINERD_SOCKETS = ["/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"];

async function containerdSocket(): Promise<string | undefined> {
  for (const path of CONTAINERD_SOCKETS) if (await isThere(path)) return path;
  return undefined;
}

/**
 * An engine of this test alone, with everything below one directory, and in a network namespace of its own: without one it
 * would take the bridge of the machine's engine away.
 */
function startEngine(dir: string, containerd: string): Deno.ChildProcess {
  return new Deno.Command("unshare", {
    args: [
      "--net",
      "--",
      "dockerd",
      `--host=unix://${dir}/docker.sock`,
      `--data-root=${dir}/data`,
      `--exec-root=${dir}/exec`,
      `--pidfile=${dir}/docker.pid`,
      "--containerd-namespace=kubeedge-restart-test",
      "--containerd-plugins-namespace=kubeedge-restart-test-plugins",
      `--containerd=${containerd}`,
      "--bridge=none",
      "--iptables=false",
      "--live-restore",
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function untilAnswers(runtime: ContainerRuntime): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await runtime.version();
      return;
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.kind !== "unavailable" || Date.now() > deadline) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** An engine leaves its data directory and a network namespace mounted, once more for each time it was killed. */
async function unmountBelow(dir: string): Promise<void> {
  const targets = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n").map((line) =>
    line.split(" ")[4] ?? ""
  );
  for (const target of targets.filter((t) => t.startsWith(`${dir}/`)).reverse()) {
    const { code } = await new Deno.Command("umount", { args: ["--", target] }).output();
    assert.equal(code, 0, target);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** An engine can be started beside the one that runs. */
async function canStartEngine(): Promise<boolean> {
  return Deno.uid() === 0 && await containerdSocket() !== undefined &&
    await isThere("/usr/sbin/dockerd") &&
    await dockerAnswers();
}

Deno.test({
  name: "dockerRuntime: an engine that stops is told, and comes back with the containers that ran on",
  ignore: !await canStartEngine(),
  fn: async () => {
    const containerd = await containerdSocket();
    assert.ok(containerd);
    const dir = await Deno.makeTempDir();
    const host = `unix://${dir}/docker.sock`;
    const runtime = dockerRuntime(
      { processes: systemProcesses(systemClock), clock: systemClock, log: silentLogger },
      { nodeName: "restart-test", host },
    );
    let engine = startEngine(dir, containerd);
    let running = true;
    try {
      await untilAnswers(runtime);
      await makeDemoImages({ host });
      const pod = newPod();
      const sandbox = await runtime.runPodSandbox({ ...sandboxConfig(pod, PAUSE), hostNetwork: true });
      const id = await runtime.createContainer(
        sandbox,
        containerConfig(pod, DEMO_IMAGE, ["/bin/busybox", "sleep", "100000"]),
      );
      const events = runtime.events(new AbortController().signal)[Symbol.asyncIterator]();
      const first = events.next();
      await runtime.startContainer(id);
      assert.equal((await first).value?.podUid, pod.uid);
      const before = await runtime.containerStatus(id);

      const ended = assert.rejects(async () => {
        while (!(await events.next()).done);
      }, isKind("unavailable"));
      engine.kill("SIGKILL");
      await engine.status;
      running = false;
      await ended;
      await assert.rejects(runtime.listContainers(), isKind("unavailable"));
      await assert.rejects(runtime.stopContainer(id, 0), isKind("unavailable"));

      engine = startEngine(dir, containerd);
      running = true;
      await untilAnswers(runtime);
      assert.deepEqual(await runtime.containerStatus(id), before);
      await runtime.removePodSandbox(sandbox);
      assert.deepEqual(await runtime.listContainers(), []);
    } finally {
      if (!running) {
        engine = startEngine(dir, containerd);
        await untilAnswers(runtime);
      }
      for (const { id } of await runtime.listPodSandboxes()) await runtime.removePodSandbox(id);
      engine.kill("SIGTERM");
      await engine.status;
      await unmountBelow(dir);
      await Deno.remove(dir, { recursive: true });
    }
  },
});
