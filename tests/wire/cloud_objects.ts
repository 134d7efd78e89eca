/** Small Kubernetes objects for wire tests, and the messages with which edges speak of them. */
import type { Container, Node, Pod } from "../../common/api/core_v1.ts";

/** A Node as an edge registers it. */
export function nodeOf(name: string): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node-role.kubernetes.io/agent": "",
        "node-role.kubernetes.io/edge": "",
      },
    },
    spec: {},
    status: {
      capacity: { cpu: "2", memory: "4Gi", pods: "110" },
      allocatable: { cpu: "2", memory: "4Gi", pods: "110" },
      conditions: [{
        type: "Ready",
        status: "True",
        reason: "EdgeReady",
        message: "edge is posting ready status",
        lastHeartbeatTime: new Date().toISOString().replace(/\.\d+/, ""),
        lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ""),
      }],
      nodeInfo: {
        architecture: "amd64",
        bootID: "b",
        containerRuntimeVersion: "containerd://1.6.20",
        kernelVersion: "6",
        kubeProxyVersion: "",
        kubeletVersion: "v1.32.10-kubeedge-v1.23.1",
        machineID: "m",
        operatingSystem: "linux",
        osImage: "Debian",
        systemUUID: "s",
      },
    },
  };
}

/** A pod of one container that is bound to a node. */
export function podOf(name: string, node: string, container: Partial<Container> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: "local/busybox:1", ...container }],
    },
  };
}
