import assert from "node:assert/strict";
import type { MemoryProgram } from "./memory_runtime.ts";
import {
  type ContainerConfig,
  type ContainerRuntime,
  type ContainerRuntimeStatus,
  type PodIdentity,
  type PodSandboxConfig,
  RuntimeError,
  type RuntimeEvent,
} from "./types.ts";

/** An engine under test. */
export interface ContractEngine {
  runtime: ContainerRuntime;
  /** Images that are there; the second has a shell. */
  pauseImage: string;
  image: string;
}

/** What the containers of the suite run, and what they would do, for engines that run nothing. */
const PROGRAMS = {
  polite: {
    command: ["sh", "-c", "trap 'exit 7' TERM; echo up; sleep 100000 & wait $!"],
    program: { onTerm: 7, output: "up\n" },
  },
  stubborn: { command: ["sh", "-c", "trap '' TERM; sleep 100000"], program: { onTerm: "ignore" } },
  done: { command: ["true"], program: { runsForMs: 0 } },
  failing: {
    command: ["sh", "-c", "echo one; echo two; exit 3"],
    program: { runsForMs: 0, exitCode: 3, output: "one\ntwo\n" },
  },
  missing: {
    command: ["/nonesuch"],
    program: { startError: 'exec: "/nonesuch": no such file or directory' },
  },
} satisfies Record<string, { command: string[]; program: MemoryProgram }>;

/** The programs of this suite for {@linkcode MemoryRuntime}. */
export function contractProgram(config: ContainerConfig): MemoryProgram {
  const command = JSON.stringify(config.command);
  const found = Object.values(PROGRAMS).find((p) => JSON.stringify(p.command) === command);
  assert.ok(found, `The suite has no program ${command}`);
  return {
    ...found.program,
    exec: ([, , script]) => ({ exitCode: script === "echo hello; exit 5" ? 5 : 0, output: "hello\n" }),
  };
}

/** A sandbox to start from. */
export function sandboxConfig(pod: PodIdentity, image: string): PodSandboxConfig {
  return {
    pod,
    attempt: 0,
    hostname: "web",
    hostNetwork: false,
    hostPID: false,
    hostIPC: false,
    portMappings: [],
    sysctls: {},
    cgroupParent: "",
    labels: {},
    annotations: {},
    image,
  };
}

/** A container to start from. */
export function containerConfig(pod: PodIdentity, image: string, command: string[]): ContainerConfig {
  return {
    pod,
    name: "main",
    attempt: 0,
    image,
    command,
    env: [],
    mounts: [],
    resources: {},
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      noNewPrivileges: false,
      supplementalGroups: [],
      addCapabilities: [],
      dropCapabilities: [],
    },
    stdin: false,
    stdinOnce: false,
    tty: false,
    labels: {},
    annotations: {},
  };
}

/** A pod that no other test has. */
export function newPod(): PodIdentity {
  return { namespace: "contract", name: `pod-${crypto.randomUUID().slice(0, 8)}`, uid: crypto.randomUUID() };
}

/** Looks until the container is in this state. */
export async function untilState(
  runtime: ContainerRuntime,
  id: string,
  state: ContainerRuntimeStatus["state"],
): Promise<ContainerRuntimeStatus> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const status = await runtime.containerStatus(id);
    if (status.state === state) return status;
    assert.ok(Date.now() < deadline, `Container is ${status.state}, not ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether an error is a RuntimeError of this kind. */
export function isKind(kind: RuntimeError["kind"]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RuntimeError, String(error));
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}

const NO_ID = "0123456789ab".repeat(6).slice(0, 64);

/** The suite that every engine passes. `make` is called per test; `ignore` says that there is no such engine here. */
export function runtimeContract(name: string, make: () => Promise<ContractEngine>, ignore = false): void {
  const test = (what: string, body: (t: ContractEngine & { pod: PodIdentity }) => Promise<void>) =>
    Deno.test({
      name: `${name}: ${what}`,
      ignore,
      fn: async () => {
        const engine = await make();
        const pod = newPod();
        try {
          await body({ ...engine, pod });
        } finally {
          for (const sandbox of await engine.runtime.listPodSandboxes({ podUid: pod.uid })) {
            await engine.runtime.removePodSandbox(sandbox.id);
          }
          if (engine.runtime instanceof Object && Symbol.dispose in engine.runtime) {
            (engine.runtime as ContainerRuntime & Disposable)[Symbol.dispose]();
          }
        }
      },
    });

  test("a container goes from created over running to exited to gone", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const ready = await runtime.podSandboxStatus(sandbox);
    assert.equal(ready.state, "ready");
    assert.equal(ready.ips.length, 1);
    assert.deepEqual(ready.pod, pod);

    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.polite.command),
    );
    const created = await runtime.containerStatus(id);
    assert.equal(created.state, "created");
    assert.equal(created.startedAt, undefined);
    assert.equal(created.exitCode, undefined);
    assert.equal(created.sandboxId, sandbox);
    assert.match(created.imageId, /sha256:/);

    await runtime.startContainer(id);
    const running = await runtime.containerStatus(id);
    assert.equal(running.state, "running");
    assert.ok(running.startedAt !== undefined && running.startedAt >= running.createdAt);
    assert.equal(running.finishedAt, undefined);
    await untilOutput(runtime, id, "up\n");

    await runtime.stopContainer(id, 10);
    const exited = await runtime.containerStatus(id);
    assert.deepEqual([exited.state, exited.exitCode, exited.reason], ["exited", 7, "Error"]);
    assert.ok(exited.finishedAt !== undefined && exited.finishedAt >= running.startedAt);

    await runtime.removeContainer(id);
    await assert.rejects(runtime.containerStatus(id), isKind("not-found"));
    await runtime.removePodSandbox(sandbox);
    await assert.rejects(runtime.podSandboxStatus(sandbox), isKind("not-found"));
    assert.deepEqual(await runtime.listPodSandboxes({ podUid: pod.uid }), []);
  });

  test("a container's end is told as the kubelet shows it", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const rows = [["done", PROGRAMS.done, 0, "Completed"], [
      "failing",
      PROGRAMS.failing,
      3,
      "Error",
    ]] as const;
    for (const [name, { command }, exitCode, reason] of rows) {
      const config = { ...containerConfig(pod, image, [...command]), name };
      const id = await runtime.createContainer(sandbox, config);
      await runtime.startContainer(id);
      const status = await untilState(runtime, id, "exited");
      assert.deepEqual([status.exitCode, status.reason], [exitCode, reason]);
    }
    const listed = await runtime.listContainers({ podUid: pod.uid });
    assert.deepEqual(listed.map((c) => [c.name, c.state]), [["failing", "exited"], ["done", "exited"]]);
  });

  test("a program that is not there is told at the start and afterwards", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.missing.command),
    );
    await assert.rejects(runtime.startContainer(id), isKind("failed"));
    const status = await runtime.containerStatus(id);
    assert.deepEqual([status.state, status.exitCode, status.reason], ["exited", 127, "ContainerCannotRun"]);
    assert.match(status.message ?? "", /\/nonesuch/);
    assert.ok(status.finishedAt !== undefined);
    assert.equal((await runtime.listContainers({ podUid: pod.uid }))[0]?.state, "exited");
  });

  test("a container that does not end when asked is killed after its grace", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.stubborn.command),
    );
    await runtime.startContainer(id);
    await runtime.stopContainer(id, 1);
    const status = await runtime.containerStatus(id);
    assert.deepEqual([status.state, status.exitCode, status.reason], ["exited", 137, "Error"]);
  });

  test("stopPodSandbox() ends everything in it and may be repeated", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.stubborn.command),
    );
    await runtime.startContainer(id);
    await runtime.stopPodSandbox(sandbox);
    await runtime.stopPodSandbox(sandbox);
    assert.equal((await runtime.containerStatus(id)).state, "exited");
    const status = await runtime.podSandboxStatus(sandbox);
    assert.deepEqual([status.state, status.ips], ["notready", []]);
    assert.equal((await runtime.listPodSandboxes({ podUid: pod.uid }))[0]?.state, "notready");
    await runtime.removePodSandbox(sandbox);
    assert.deepEqual(await runtime.listContainers({ podUid: pod.uid }), []);
  });

  test("stopping and removing what is gone succeeds, looking at it does not", async ({ runtime }) => {
    await runtime.stopContainer(NO_ID, 0);
    await runtime.removeContainer(NO_ID);
    await runtime.stopPodSandbox(NO_ID);
    await runtime.removePodSandbox(NO_ID);
    await assert.rejects(runtime.containerStatus(NO_ID), isKind("not-found"));
    await assert.rejects(runtime.podSandboxStatus(NO_ID), isKind("not-found"));
    await assert.rejects(runtime.startContainer(NO_ID), isKind("not-found"));
    await assert.rejects(runtime.containerStatus("--help"), isKind("not-found"));
  });

  test("an image that is not there is told, and leaves nothing behind", async ({ runtime, pauseImage, pod }) => {
    const image = "contract.invalid/no/such:image";
    await assert.rejects(runtime.runPodSandbox(sandboxConfig(pod, image)), isKind("image-missing"));
    assert.deepEqual(await runtime.listPodSandboxes({ podUid: pod.uid }), []);
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const config = containerConfig(pod, image, PROGRAMS.done.command);
    await assert.rejects(runtime.createContainer(sandbox, config), isKind("image-missing"));
    assert.deepEqual(await runtime.listContainers({ podUid: pod.uid }), []);
    assert.equal(await runtime.imageStatus(image), undefined);
    await runtime.removeImage(image);
  });

  test("images are found by name and id", async ({ runtime, image }) => {
    const found = await runtime.imageStatus(image);
    assert.ok(found);
    assert.ok(found.repoTags.includes(image));
    assert.ok(found.sizeBytes > 0);
    assert.equal((await runtime.imageStatus(found.id))?.id, found.id);
    assert.ok((await runtime.listImages()).some((i) => i.id === found.id));
  });

  // An engine may add the labels of the image.
  test("labels and annotations come back as they were given", async ({ runtime, pauseImage, image, pod }) => {
    const annotations = { "a.b/c": 'line\n"two",=\ttab', empty: "", json: '{"a":[1,2]}', unicode: "ä☃" };
    const labels = { app: "web", "io.kubernetes.pod.uid": "of-another-pod" };
    const config = { ...sandboxConfig(pod, pauseImage), attempt: 4, labels, annotations };
    const sandbox = await runtime.runPodSandbox(config);
    const own = {
      "io.kubernetes.pod.name": pod.name,
      "io.kubernetes.pod.namespace": pod.namespace,
      "io.kubernetes.pod.uid": pod.uid,
    };
    const [listed] = await runtime.listPodSandboxes({ podUid: pod.uid });
    assert.deepEqual(listed?.annotations, annotations);
    assert.deepEqual({ ...listed?.labels, app: "web", ...own }, listed?.labels);
    assert.equal(listed?.attempt, 4);
    const { ips: _, ...status } = await runtime.podSandboxStatus(sandbox);
    assert.deepEqual(status, listed);
    const id = await runtime.createContainer(sandbox, {
      ...containerConfig(pod, image, PROGRAMS.done.command),
      attempt: 2,
      annotations,
    });
    const [container] = await runtime.listContainers({ podUid: pod.uid });
    assert.equal(container?.id, id);
    assert.equal(container?.attempt, 2);
    assert.deepEqual(container?.annotations, annotations);
    const labelled = { ...own, "io.kubernetes.container.name": "main" };
    assert.deepEqual({ ...container?.labels, ...labelled }, container?.labels);
  });

  test("events tell every step of a container", async ({ runtime, pauseImage, image, pod }) => {
    const stop = new AbortController();
    const seen: RuntimeEvent[] = [];
    const { promise: removed, resolve } = Promise.withResolvers<void>();
    let container = "";
    const watching = (async () => {
      for await (const event of runtime.events(stop.signal)) {
        if (event.podUid !== pod.uid) continue;
        seen.push(event);
        if (event.type === "removed" && event.containerId === container) resolve();
      }
    })();
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    container = await runtime.createContainer(sandbox, containerConfig(pod, image, PROGRAMS.polite.command));
    await runtime.startContainer(container);
    await runtime.stopContainer(container, 5);
    await runtime.removeContainer(container);
    await removed;
    stop.abort();
    await watching;
    const typesOf = (id: string) => seen.filter((e) => e.containerId === id).map((e) => e.type);
    assert.deepEqual(typesOf(sandbox), ["created", "started"]);
    assert.deepEqual(typesOf(container), ["created", "started", "stopped", "removed"]);
  });

  test("execSync() gives exit code and output, and needs a running container", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.polite.command),
    );
    await assert.rejects(runtime.execSync(id, ["true"], 5000), isKind("failed"));
    await runtime.startContainer(id);
    assert.deepEqual(await runtime.execSync(id, ["sh", "-c", "echo hello; exit 5"], 5000), {
      exitCode: 5,
      output: "hello\n",
    });
    await assert.rejects(runtime.execSync(NO_ID, ["true"], 5000), isKind("not-found"));
  });

  test("logs() shows all, the last lines, and follows to the end", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.failing.command),
    );
    await runtime.startContainer(id);
    assert.equal(await textOf(runtime.logs(id, { follow: true })), "one\ntwo\n");
    await untilState(runtime, id, "exited");
    assert.equal(await textOf(runtime.logs(id, {})), "one\ntwo\n");
    assert.equal(await textOf(runtime.logs(id, { tailLines: 1 })), "two\n");
    await assert.rejects(textOf(runtime.logs(NO_ID, {})), isKind("not-found"));
  });

  test("logs() stops following when told to", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    const id = await runtime.createContainer(
      sandbox,
      containerConfig(pod, image, PROGRAMS.polite.command),
    );
    await runtime.startContainer(id);
    const stop = new AbortController();
    const decoder = new TextDecoder();
    let seen = "";
    for await (const chunk of runtime.logs(id, { follow: true, signal: stop.signal })) {
      seen += decoder.decode(chunk, { stream: true });
      if (seen === "up\n") stop.abort();
    }
    assert.equal(seen, "up\n");
  });

  test("a container is refused in a sandbox that is gone", async ({ runtime, pauseImage, image, pod }) => {
    const sandbox = await runtime.runPodSandbox(sandboxConfig(pod, pauseImage));
    await runtime.removePodSandbox(sandbox);
    const config = containerConfig(pod, image, PROGRAMS.done.command);
    await assert.rejects(runtime.createContainer(sandbox, config), isKind("not-found"));
  });

  test("an aborted call rejects with the signal's reason", async ({ runtime }) => {
    const reason = new Error("stop");
    await assert.rejects(runtime.listContainers({}, { signal: AbortSignal.abort(reason) }), reason);
    await assert.rejects(runtime.containerStatus(NO_ID, { signal: AbortSignal.abort(reason) }), reason);
  });

  test("version() names the engine", async ({ runtime }) => {
    const { name, version } = await runtime.version();
    assert.notEqual(name, "");
    assert.match(version, /^\d+\.\d+/);
  });
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

async function untilOutput(runtime: ContainerRuntime, id: string, text: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (await textOf(runtime.logs(id, {})) !== text) {
    assert.ok(Date.now() < deadline, `Container did not write ${JSON.stringify(text)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
