import type { ConfigMap, Node, Pod, Secret } from "../../common/api/core_v1.ts";
import { CONFIG_MAPS, NODES, PODS, SECRETS } from "../../common/kubeclient/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import type { Rig } from "./fake_hub.ts";

/** What makes a node an edge node. */
export const EDGE_LABELS = { "node-role.kubernetes.io/edge": "" };

/** An edge node whose UID says its name. */
export const node = (name: string): Node => ({ metadata: { name, uid: `uid-${name}`, labels: EDGE_LABELS } });

/** A pod that refers to one ConfigMap and one Secret. */
export const pod = (name: string, nodeName: string, spec: Partial<Pod["spec"]> = {}): Pod => ({
  metadata: { namespace: "default", name, uid: `uid-${name}` },
  spec: {
    nodeName,
    tolerations: [{ operator: "Exists" }],
    containers: [{ name: "c", envFrom: [{ configMapRef: { name: "config" } }] }],
    volumes: [{ name: "s", secret: { secretName: "secret" } }],
    ...spec,
  },
  status: { phase: "Pending" },
});

/** The ConfigMap that pods refer to. */
export const CONFIG: ConfigMap = { metadata: { namespace: "default", name: "config" }, data: { a: "1" } };
/** The Secret that pods refer to. */
export const SECRET: Secret = { metadata: { namespace: "default", name: "secret" }, data: { a: "MQ==" } };

/** An API with edge-1 and edge-2, a pod on the first, and what the pod refers to. */
export function seed({ kube }: Rig): void {
  kube.seed(NODES, node("edge-1"));
  kube.seed(NODES, node("edge-2"));
  kube.seed(CONFIG_MAPS, CONFIG);
  kube.seed(SECRETS, SECRET);
  kube.seed(PODS, pod("web", "edge-1"));
}

/** A rig whose first node is connected and has everything. */
export async function connected(rig: Rig): Promise<number> {
  seed(rig);
  await rig.module.ready;
  await rig.connect("edge-1");
  await rig.pushed("insert", "node/edge-1/default/pod/web");
  await rig.settle();
  return rig.sent.length;
}

/** The content as what it is. */
export const contentOf = <T>({ content }: Message) => content as T;

/** The Status in a reply, in either wrapper. */
export const errorOf = ({ content }: Message): Record<string, unknown> => {
  const { Err = content } = content as { Err?: unknown };
  return (Err as { ErrStatus: Record<string, unknown> }).ErrStatus;
};
