/** A control plane with its controllers, and kubectl on it. For tests only. @module */
import assert from "node:assert/strict";
import type { Pod } from "../../../common/api/core_v1.ts";
import { isNotFound } from "../../../common/errors/mod.ts";
import { createKubeClient, type KubeClient, PODS } from "../../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../../common/metrics/mod.ts";
import { runAll, silentLogger, systemClock } from "../../../common/module/mod.ts";
import { embeddedControlPlane } from "../mod.ts";
import { timestamp } from "./conditions.ts";
import { controlPlaneControllers } from "./mod.ts";

/** A control plane with its controllers. */
export interface Cluster {
  kube: KubeClient;
  /** What kubectl prints; fails when it does. */
  kubectl(args: string[], input?: string): Promise<string>;
  /** What kubectl prints to its error output, which must fail. */
  refused(args: string[], input?: string): Promise<string>;
}

/** Runs a test on a control plane of its own. */
export async function withCluster(body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  const stop = new AbortController();
  const components = { clock: systemClock, log: silentLogger, metrics: new MetricsRegistry() };
  const server = embeddedControlPlane(components, { dataDir, port: 0 });
  const serving = runAll([server], stop.signal);
  try {
    const { server: address, caCertificate, adminToken, kubeconfig } = await server.endpoint;
    await using kube = createKubeClient({ server: address, ca: caCertificate, token: adminToken });
    const controllers = controlPlaneControllers({ ...components, kube });
    const end = new AbortController();
    const controlling = controllers.run(end.signal);
    await controllers.ready;
    const run = async (args: string[], input: string) => {
      const child = new Deno.Command("kubectl", {
        args: ["--kubeconfig", kubeconfig, "--cache-dir", `${dataDir}/cache`, ...args],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(input));
      await writer.close();
      const { code, stdout, stderr } = await child.output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
      return { code, out: text(stdout), err: text(stderr) };
    };
    const kubectl = async (args: string[], input = "") => {
      const { code, out, err } = await run(args, input);
      assert.equal(code, 0, `kubectl ${args.join(" ")}: ${err}`);
      return out;
    };
    const refused = async (args: string[], input = "") => {
      const { code, out, err } = await run(args, input);
      assert.notEqual(code, 0, `kubectl ${args.join(" ")}: ${out}`);
      return err;
    };
    try {
      await body({ kube, kubectl, refused });
    } finally {
      end.abort();
      await controlling;
    }
  } finally {
    stop.abort();
    await serving;
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** Plays the kubelet of every node until told to stop: bound pods get ready, pods that are to go are gone. */
export async function playKubelet(kube: KubeClient, signal: AbortSignal): Promise<void> {
  const { metadata } = await kube.list(PODS);
  const events = kube.watch(PODS, { resourceVersion: metadata.resourceVersion ?? "", signal });
  try {
    for await (const { type, object: pod } of events) {
      if (type === "BOOKMARK" || type === "DELETED" || !pod.spec?.nodeName) continue;
      try {
        await playPod(kube, pod);
      } catch (error) {
        // The pod changed on before its event was read.
        if (!isNotFound(error)) throw error;
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function playPod(kube: KubeClient, pod: Pod): Promise<void> {
  const ref = { name: pod.metadata?.name ?? "", namespace: pod.metadata?.namespace ?? "" };
  if (pod.metadata?.deletionTimestamp !== undefined) {
    await kube.delete(PODS, ref, { gracePeriodSeconds: 0 });
  } else if (pod.status?.phase !== "Running") {
    const lastTransitionTime = timestamp(Date.now());
    const conditions = ["Initialized", "Ready", "ContainersReady"]
      .map((type) => ({ type, status: "True", lastTransitionTime }));
    const body = { status: { phase: "Running", conditions } };
    await kube.patch(PODS, ref, { type: "strategic", body }, { subresource: "status" });
  }
}

/** A node with room for ten pods. */
export const EDGE_NODE = (name: string) => ({
  metadata: { name },
  status: {
    allocatable: { cpu: "2", memory: "2Gi", pods: "10" },
    capacity: { cpu: "2", memory: "2Gi", pods: "10" },
    conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: timestamp(Date.now()) }],
  },
});
