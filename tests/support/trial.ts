/** A site for end-to-end tests: the executables in a directory of their own, removed with everything they made. */
import type { Pod } from "../../common/api/core_v1.ts";
import { NODES, PODS } from "../../common/kubeclient/mod.ts";
import { PAUSE_IMAGE } from "../../scripts/demo_image.ts";
import { HOST_ARCH } from "../../scripts/runtime.ts";
import { kubectl } from "../../scripts/trial/kubernetes.ts";
import { runToEnd, until } from "../../scripts/trial/program.ts";
import { removeContainers, removeTree, Site, type SiteOptions } from "../../scripts/trial/site.ts";

export const ROOT = new URL("../../", import.meta.url).pathname;

/** A site and what tests ask of it. */
export class Trial implements AsyncDisposable {
  readonly site: Site;

  private constructor(site: Site) {
    this.site = site;
  }

  /** A site with nothing started; without a cluster cloudcore has its embedded control plane. */
  static async make(
    nodeName: string,
    options: Pick<SiteOptions, "cluster" | "cloud" | "edge"> = {},
  ): Promise<Trial> {
    const directory = await Deno.makeTempDir({ prefix: `kubeedge-${nodeName}-` });
    return new Trial(
      new Site({
        directory,
        dist: `${ROOT}dist`,
        arch: HOST_ARCH,
        nodeName,
        sandboxImage: PAUSE_IMAGE,
        ...options,
      }),
    );
  }

  /** Runs kubectl as the administrator. */
  kubectl(...args: string[]): Promise<string> {
    return kubectl(this.site.kubeConfigPath, args);
  }

  /** `kubectl apply` of objects, as a file of several YAML documents. */
  apply(...objects: unknown[]): Promise<string> {
    const text = objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");
    return kubectl(this.site.kubeConfigPath, ["apply", "-f", "-"], text);
  }

  /** Waits until a pod is as wanted. */
  async pod(name: string, wanted: (pod: Pod) => boolean, what: string, timeoutMs = 60_000): Promise<Pod> {
    const kube = await this.site.kube();
    let last: Pod | undefined;
    try {
      return await until(`pod ${name} ${what}`, async () => {
        last = await kube.get(PODS, { namespace: "default", name });
        return wanted(last) ? last : undefined;
      }, { timeoutMs });
    } catch (error) {
      throw new Error(
        `Pod ${name} never ${what}; it is ${JSON.stringify(last?.status)}\n--- edgecore\n${await this.site
          .edge.tail()}`,
        { cause: error },
      );
    }
  }

  /** Waits until no pod with a label is left. */
  async noPods(labelSelector: string, timeoutMs = 60_000): Promise<void> {
    const kube = await this.site.kube();
    await until(`no pods with ${labelSelector}`, async () => {
      const { items } = await kube.list(PODS, { namespace: "default", labelSelector });
      return items.length === 0;
    }, { timeoutMs });
  }

  /** Waits until no container is left, not even an ended one: of the node, or of one pod. */
  async noContainers(uid?: string, timeoutMs = 60_000): Promise<void> {
    const filter = uid === undefined ? { node: this.site.nodeName } : { uid };
    const left = () => containers({ ...filter, all: true });
    await until("no container is left", async () => (await left()).length === 0, { timeoutMs });
  }

  /** Waits until edgecore knows a pod by itself. */
  async edgeKnows(uid: string, timeoutMs = 30_000): Promise<void> {
    await until("edgecore knows the pod", async () => {
      const response = await fetch(`http://127.0.0.1:${this.site.ports.edged}/pods`);
      return (await response.text()).includes(uid);
    }, { timeoutMs });
  }

  /** Condition Ready of the node: "True", "False" or "Unknown"; undefined before there is one. */
  async nodeReady(): Promise<string | undefined> {
    const node = await (await this.site.kube()).get(NODES, { name: this.site.nodeName });
    return node.status?.conditions?.find((c) => c.type === "Ready")?.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
    await removeContainers(this.site.nodeName);
    await removeTree(this.site.directory);
  }
}

/** Ids of containers that edgecore made on a node; of one pod when `uid` is given, running ones unless `all`. */
export async function containers(
  filter: { node?: string; uid?: string; name?: string; all?: boolean },
): Promise<string[]> {
  const labels = [
    ...(filter.node === undefined ? [] : [`io.kubeedge.node.name=${filter.node}`]),
    ...(filter.uid === undefined ? [] : [`io.kubernetes.pod.uid=${filter.uid}`]),
    ...(filter.name === undefined ? [] : [`io.kubernetes.container.name=${filter.name}`]),
  ];
  const { stdout, stderr, code } = await runToEnd("docker", [
    "ps",
    "--quiet",
    "--no-trunc",
    ...(filter.all ? ["--all"] : []),
    ...labels.flatMap((label) => ["--filter", `label=${label}`]),
  ]);
  if (code !== 0) throw new Error(`docker ps failed: ${stderr.trim()}`);
  return stdout.split("\n").filter((id) => id !== "");
}

/** The image of the tests' containers, which every engine here has. */
export const DEMO = { image: "demo-web:1", imagePullPolicy: "IfNotPresent" } as const;

/** A pod of one busybox container. */
export function busyboxPod(
  name: string,
  command: string[],
  spec: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "main", ...DEMO, command }],
      ...spec,
    },
  };
}
