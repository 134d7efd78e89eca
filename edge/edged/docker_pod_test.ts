import assert from "node:assert/strict";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { type Message, newMessage, newResponse, objectResponse } from "../../common/model/mod.ts";
import { createLogger, Mailbox, systemClock } from "../../common/module/mod.ts";
import { envResolver, fieldValue, resourceValue } from "./env/mod.ts";
import { edged } from "./mod.ts";
import { dockerRuntime, systemProcesses } from "./runtime/mod.ts";
import { podVolumes, systemMounter } from "./volumes/mod.ts";
import { testPod } from "./testing.ts";

const PAUSE = "kubeedge/pause:3.6";
const WEB = "demo-web:1";

/** Whether an engine answers that has the images. */
async function engineReady(): Promise<boolean> {
  try {
    const args = ["image", "inspect", "--format", "{{.Id}}", PAUSE, WEB];
    const { success } = await new Deno.Command("docker", { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** edged on a real engine; the cloud behind metamanager says yes to everything. */
async function start(nodeName: string, rootDirectory: string, pods: unknown[]) {
  const inbox = new Mailbox<Message>("edged", 64);
  const patches: Array<Record<string, unknown>> = [];
  const configMap = { metadata: { name: "pages", namespace: "default" }, data: { "index.html": "first" } };
  const deleted: string[] = [];
  let wake = () => {};
  const clock = systemClock;
  const log = createLogger("edged", { level: "warning" });
  const allocatable = () => ({ cpu: "1", memory: "1Gi" });
  const runtime = dockerRuntime({ processes: systemProcesses(clock), clock, log }, { nodeName });
  const module = edged({
    inbox,
    metaManager: async (message) => {
      const { operation, resource } = message.route;
      let content: unknown = objectResponse(message.content);
      if (operation === "query" && resource === "default/pod") content = pods;
      if (resource === "default/configmap/pages") content = configMap;
      if (operation === "patch") content = objectResponse({ metadata: {} });
      if (resource === "default/podpatch/web") patches.push(JSON.parse(message.content as string).status);
      if (operation === "delete") deleted.push(resource);
      await inbox.send(newResponse(message, content));
      wake();
    },
    runtime,
    volumes: (api) =>
      podVolumes({
        api,
        downward: {
          field: (pod, path) => fieldValue(pod, path),
          resource: (pod, selector) => resourceValue(pod, undefined, selector, allocatable()),
        },
        mounter: systemMounter,
        clock,
        log,
      }, { rootDirectory }),
    resolveEnv: (api) => envResolver({ api, allocatable, log }),
    clock,
    log,
    metrics: new MetricsRegistry(),
  }, { nodeName, version: "v1.32.10-kubeedge-v1.23.1", rootDirectory, readOnlyPort: 0 });
  const controller = new AbortController();
  const run = module.run(controller.signal);
  await module.ready;
  return {
    runtime,
    patches,
    configMap,
    deleted,
    push: (operation: string, resource: string, content: unknown) =>
      inbox.send(newMessage({ source: "edgecontroller", group: "resource", operation, resource }, content)),
    /** Resolves once a condition holds, looking again at each message and now and then. */
    async until<T>(
      what: string,
      condition: () => Promise<T | undefined | false> | T | undefined | false,
    ): Promise<T> {
      const end = Date.now() + 30_000;
      for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > end) throw new Error(`Never: ${what}: ${JSON.stringify(patches)}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 100);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await run;
    },
  };
}

/** Whatever a failed test left in the engine. */
async function removeContainers(uid: string): Promise<void> {
  const filter = `label=io.kubernetes.pod.uid=${uid}`;
  const listed = await new Deno.Command("docker", { args: ["ps", "-aq", "--filter", filter] }).output();
  const ids = new TextDecoder().decode(listed.stdout).split("\n").filter((id) => id !== "");
  if (ids.length > 0) {
    await new Deno.Command("docker", { args: ["rm", "-f", ...ids], stdout: "null" }).output();
  }
}

const merged = (patches: ReadonlyArray<Record<string, unknown>>) =>
  Object.assign({}, ...patches) as Record<string, unknown>;

Deno.test({
  name: "edged() runs a pod in real containers, adopts it, changes its volume and leaves nothing behind",
  ignore: !await engineReady() || Deno.uid() !== 0,
  fn: async () => {
    const nodeName = `edged-test-${crypto.randomUUID().slice(0, 8)}`;
    const uid = crypto.randomUUID();
    const rootDirectory = await Deno.makeTempDir({ prefix: "edged-" });
    const spec = {
      nodeName,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "web", image: WEB, volumeMounts: [{ name: "pages", mountPath: "/www" }] }],
      volumes: [{ name: "pages", configMap: { name: "pages" } }],
    };
    const pod = testPod({ metadata: { uid }, spec });
    await using _directory = { [Symbol.asyncDispose]: () => Deno.remove(rootDirectory, { recursive: true }) };
    await using _containers = { [Symbol.asyncDispose]: () => removeContainers(uid) };
    const first = await start(nodeName, rootDirectory, []);
    await using _first = first;
    const begun = performance.now();
    await first.push("insert", "default/pod/web", pod);
    const status = await first.until(
      "Running",
      () => merged(first.patches).phase === "Running" && merged(first.patches),
    );
    const elapsedMs = performance.now() - begun;
    assert.ok(elapsedMs < 10_000, `Running after ${Math.round(elapsedMs)} ms`);
    const page = async () => await (await fetch(`http://${status.podIP}:8080/`)).text();
    assert.equal(
      (await first.until("the page", async () => await page().catch(() => undefined))).trim(),
      "first",
    );

    await first[Symbol.asyncDispose]();
    const [before] = await first.runtime.listContainers({ podUid: uid });
    assert.equal(before!.state, "running");

    await using second = await start(nodeName, rootDirectory, [JSON.stringify(pod)]);
    await second.until("adopted", () => merged(second.patches).phase === "Running");
    assert.deepEqual((await second.runtime.listContainers({ podUid: uid })).map((c) => c.id), [before!.id]);
    second.configMap.data["index.html"] = "second";
    await second.push("update", "default/configmap/pages", second.configMap);
    await second.until("the second page", async () => (await page()).trim() === "second");

    await new Deno.Command("docker", { args: ["kill", before!.id], stdout: "null" }).output();
    await second.until("restarted", () => {
      const [container] = (merged(second.patches).containerStatuses ?? []) as Array<Record<string, unknown>>;
      return container?.restartCount === 1 &&
        (container.state as Record<string, unknown>).running !== undefined;
    });

    await second.push("delete", "default/pod/web", {
      metadata: { uid, name: "web", deletionGracePeriodSeconds: 0 },
    });
    await second.until("gone", async () => {
      const sandboxes = await second.runtime.listPodSandboxes({ podUid: uid });
      return sandboxes.length === 0;
    });
    await second.until("no directory", async () => {
      const left = await Array.fromAsync(Deno.readDir(`${rootDirectory}/pods`));
      return left.length === 0;
    });
    assert.deepEqual(await second.runtime.listContainers({ podUid: uid }), []);
  },
});
