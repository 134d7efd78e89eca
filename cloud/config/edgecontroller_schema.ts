import { int, section } from "../../common/config/mod.ts";

/** The node limit that the defaults are for. Upstream: kubeedge …/cloudcore/v1alpha1/default.go @ 16cd854 */
const NODE_LIMIT = 500;

const QUEUE = 1024;
const MANY = 100;
const FEW = 4;

function queue(initial: number, what: string) {
  return int(initial, `${what} that may wait`, { minimum: 1 });
}

function workers(initial: number, what: string) {
  return int(initial, `${what} worked on at a time`, { minimum: 1, maximum: 100_000 });
}

/*
 * Neither section changes what this program does. Upstream has a queue and workers for each kind of request and all nodes in
 * one line, where one node can fill a queue for all. Here nodes take turns in three lanes (heartbeats, pod status, everything
 * else) with bounds for each node; numbers by kind and for all nodes together say nothing about those. What the API server
 * is asked at a time is bounded by kubeAPIConfig, which follows nodeLimit.
 */

/** `modules.edgeController.buffer`: how much may wait. */
export const EDGE_CONTROLLER_BUFFER = section("Taken for compatibility; here each node is bounded.", {
  processEvent: queue(QUEUE, "messages"),
  updatePodStatus: queue(QUEUE, "pod status updates"),
  updateNodeStatus: queue(QUEUE, "node status updates"),
  queryConfigMap: queue(QUEUE, "ConfigMap queries"),
  querySecret: queue(QUEUE, "Secret queries"),
  podEvent: queue(1, "pod events"),
  configMapEvent: queue(1, "ConfigMap events"),
  secretEvent: queue(1, "Secret events"),
  rulesEvent: queue(1, "rule events"),
  ruleEndpointsEvent: queue(1, "rule endpoint events"),
  queryPersistentVolume: queue(QUEUE, "PersistentVolume queries"),
  queryPersistentVolumeClaim: queue(QUEUE, "PersistentVolumeClaim queries"),
  queryVolumeAttachment: queue(QUEUE, "VolumeAttachment queries"),
  createNode: queue(QUEUE, "node creations"),
  patchNode: queue(QUEUE + NODE_LIMIT / 2, "node patches"),
  queryNode: queue(QUEUE + NODE_LIMIT, "node queries"),
  updateNode: queue(QUEUE, "node updates"),
  patchPod: queue(QUEUE, "pod patches"),
  deletePod: queue(QUEUE, "pod deletions"),
  createLease: queue(QUEUE + NODE_LIMIT, "lease writes"),
  queryLease: queue(QUEUE, "lease queries"),
  serviceAccountToken: queue(QUEUE, "token requests"),
  createPod: queue(QUEUE, "pod creations"),
  certificateSigningRequest: queue(QUEUE, "signing requests"),
});

/** `modules.edgeController.load`: how much is worked on at a time. The capital letters are upstream's. */
export const EDGE_CONTROLLER_LOAD = section("Taken for compatibility; here nodes take turns.", {
  processEventWorkers: workers(FEW, "messages"),
  updatePodStatusWorkers: workers(1, "pod status updates"),
  updateNodeStatusWorkers: workers(1, "node status updates"),
  queryConfigMapWorkers: workers(MANY, "ConfigMap queries"),
  querySecretWorkers: workers(MANY, "Secret queries"),
  UpdateRuleStatusWorkers: workers(FEW, "rule status updates"),
  queryPersistentVolumeWorkers: workers(FEW, "PersistentVolume queries"),
  queryPersistentVolumeClaimWorkers: workers(FEW, "PersistentVolumeClaim queries"),
  queryVolumeAttachmentWorkers: workers(FEW, "VolumeAttachment queries"),
  createNodeWorkers: workers(MANY, "node creations"),
  patchNodeWorkers: workers(MANY + NODE_LIMIT / 50, "node patches"),
  queryNodeWorkers: workers(NODE_LIMIT, "node queries"),
  updateNodeWorkers: workers(FEW, "node updates"),
  patchPodWorkers: workers(MANY, "pod patches"),
  deletePodWorkers: workers(MANY, "pod deletions"),
  createLeaseWorkers: workers(NODE_LIMIT, "lease writes"),
  queryLeaseWorkers: workers(MANY, "lease queries"),
  ServiceAccountTokenWorkers: workers(MANY, "token requests"),
  CreatePodWorks: workers(FEW, "pod creations"),
  certificateSigningRequestWorkers: workers(FEW, "signing requests"),
});
