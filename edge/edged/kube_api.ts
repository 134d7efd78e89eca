import type { TokenRequest } from "../../common/api/authentication_v1.ts";
import type { Lease } from "../../common/api/coordination_v1.ts";
import type { ConfigMap, Node, Secret } from "../../common/api/core_v1.ts";
import type { Pod } from "../../common/api/core_v1.ts";
import type { CheckedPod, PodIdentity } from "./parse_pod.ts";

/**
 * What edged asks of the Kubernetes API. Reads of ConfigMaps, Secrets and tokens are answered from the edge's own store when
 * the cloud is away; the rest needs the cloud and rejects with reason ServiceUnavailable without it.
 * Every method rejects with a StatusError.
 * Upstream: kubeedge edge/pkg/metamanager/client @ 16cd854
 */
export interface KubeApi {
  createNode(node: Node): Promise<Node>;
  getNode(name: string): Promise<Node>;
  /** `patch` is a strategic merge patch of the status. */
  patchNodeStatus(name: string, patch: Record<string, unknown>): Promise<Node>;
  /** Labels and annotations. */
  updateNode(node: Node): Promise<void>;
  getLease(name: string): Promise<Lease>;
  createLease(lease: Lease): Promise<Lease>;
  updateLease(lease: Lease): Promise<Lease>;
  /** `patch` is a strategic merge patch of the status, with `metadata.uid` as a precondition. */
  patchPodStatus(namespace: string, name: string, patch: Record<string, unknown>): Promise<Pod>;
  /** Grace period 0: the containers are gone. NotFound counts as success. */
  deletePod(namespace: string, name: string, uid: string): Promise<void>;
  /** All pods of this node that the edge knows, as the events that adding them would be. */
  listPods(): Promise<PodEvent[]>;
  /** UIDs of pods that the edge knows to be gone, newest first. */
  listGonePods(): Promise<string[]>;
  /** The pod as the cloud has it, which the edge then stores. Rejects with NotFound or Conflict when it is gone. */
  lookUpPod(namespace: string, name: string, uid: string): Promise<PodEvent>;
  getConfigMap(namespace: string, name: string): Promise<ConfigMap>;
  getSecret(namespace: string, name: string): Promise<Secret>;
  createToken(namespace: string, serviceAccount: string, request: TokenRequest): Promise<TokenRequest>;
}

/** A pod is there, or changed. */
export type PodEvent =
  | { type: "pod"; pod: CheckedPod }
  /** It cannot be run as it is written; nothing of it but its identity is to be used. `deleting`: it is to go. */
  | { type: "pod-invalid"; identity: PodIdentity; message: string; deleting?: boolean };

/** What edged is told from outside. */
export type EdgedEvent =
  | PodEvent
  /**
   * A pod is gone from the API; its containers must go too. Only the name is certain to be filled. `graceSeconds` is what
   * the deletion asked for; without it the pod's own grace period holds.
   */
  | { type: "pod-removed"; namespace: string; name: string; uid?: string; graceSeconds?: number }
  /** A ConfigMap or Secret changed: volumes that show it are to be written again. */
  | { type: "configmap" | "secret"; namespace: string; name: string }
  /** The node as the cloud has it. */
  | { type: "node"; node: Node }
  /** The link to the cloud came up or went down. */
  | { type: "connection"; connected: boolean };
