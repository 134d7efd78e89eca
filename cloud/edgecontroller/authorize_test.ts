import assert from "node:assert/strict";
import type { Event, Node, Pod, PodSpec } from "../../common/api/core_v1.ts";
import { type AuthorizationIndex, authorize, authorizeEvent, authorizeRead } from "./authorize.ts";
import { EdgeIndex } from "./edge_index.ts";
import type { UpstreamRequest } from "./request.ts";

const WEB: Pod = {
  metadata: { namespace: "default", name: "web", uid: "uid-web" },
  spec: {
    nodeName: "edge-1",
    serviceAccountName: "runner",
    containers: [],
    volumes: [
      { name: "c", configMap: { name: "config" } },
      { name: "s", secret: { secretName: "secret" } },
      { name: "d", persistentVolumeClaim: { claimName: "data" } },
      { name: "t", projected: { sources: [{ serviceAccountToken: { path: "t", audience: "vault" } }] } },
    ],
  },
};
const OTHER: Pod = {
  metadata: { namespace: "default", name: "other", uid: "uid-other" },
  spec: {
    nodeName: "edge-2",
    containers: [],
    volumes: [{ name: "s", secret: { secretName: "other-secret" } }],
  },
};
const mirrorOn = (node: string): Pod => ({
  metadata: {
    namespace: "default",
    name: `fixed-${node}`,
    uid: `uid-fixed-${node}`,
    annotations: { "kubernetes.io/config.mirror": "hash" },
  },
  spec: { nodeName: node, containers: [] },
});
const EDGE: Node = {
  metadata: {
    name: "edge-1",
    uid: "uid-edge-1",
    labels: { "node-role.kubernetes.io/edge": "", "example.kubernetes.io/tier": "gold" },
  },
};

function testIndex(): AuthorizationIndex {
  const index = new EdgeIndex();
  for (const node of ["edge-1", "edge-2"]) index.setEdge(node, true);
  for (const pod of [WEB, OTHER, mirrorOn("edge-1"), mirrorOn("edge-2")]) index.setPod(pod);
  for (const pod of [WEB, OTHER]) {
    const { namespace, uid } = pod.metadata!;
    index.setPod({ ...pod, metadata: { namespace, name: "gone", uid: `${uid}-gone` } });
    index.deletePod("default/gone");
  }
  return {
    node: (name) => name === "edge-1" ? EDGE : undefined,
    pod: (namespace, name) => index.pod(namespace, name),
    nodeOfGone: (pod) => index.nodeOfGone(pod),
    references: (node, reference) => index.references(node, reference),
  };
}

const own = { nodeName: "edge-1", namespace: "null", name: "edge-1" };
const lease = { nodeName: "edge-1", namespace: "kube-node-lease", name: "edge-1" };
const web = { nodeName: "edge-1", namespace: "default", name: "web" };

const token = (
  change: { boundObjectRef?: Record<string, string>; audiences?: string[]; account?: string } = {},
): UpstreamRequest => ({
  kind: "token-query",
  nodeName: "edge-1",
  namespace: "default",
  name: change.account ?? "runner",
  tokenRequest: {
    spec: {
      audiences: change.audiences ?? [],
      boundObjectRef: {
        apiVersion: "v1",
        kind: "Pod",
        name: "web",
        uid: "uid-web",
        ...change.boundObjectRef,
      },
    },
  },
});

const mirror = (spec: Partial<PodSpec> = {}, metadata: Pod["metadata"] = {}): UpstreamRequest => ({
  kind: "pod-insert",
  nodeName: "edge-1",
  namespace: "default",
  name: "static-edge-1",
  pod: {
    metadata: { name: "static-edge-1", annotations: { "kubernetes.io/config.mirror": "hash" }, ...metadata },
    spec: { nodeName: "edge-1", containers: [], ...spec },
  },
});

const event = (involvedObject: Event["involvedObject"], namespace = "default"): UpstreamRequest => ({
  kind: "event-insert",
  nodeName: "edge-1",
  namespace,
  name: "e",
  event: { metadata: {}, involvedObject },
});

const labelled = (labels: Record<string, string>): UpstreamRequest => ({
  kind: "node-insert",
  ...own,
  node: { metadata: { name: "edge-1", labels } },
});

Deno.test("authorize() allows a node what is its own", async (t) => {
  const rows: Array<[string, UpstreamRequest]> = [
    [
      "registering",
      labelled({
        "kubernetes.io/hostname": "edge-1",
        "node-role.kubernetes.io/edge": "",
        "node-role.kubernetes.io/agent": "",
        "beta.kubernetes.io/os": "linux",
        "kubelet.kubernetes.io/x": "1",
        "example.com/site": "a",
        site: "b",
      }),
    ],
    ["registering with taints", {
      kind: "node-insert",
      ...own,
      node: { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } },
    }],
    ["reading its Node", { kind: "node-query", ...own }],
    ["its status", { kind: "node-patch", ...own, patch: { status: {} } }],
    ["its status with a null spec", { kind: "node-patch", ...own, patch: { spec: null, status: {} } }],
    ["an annotation", { kind: "node-patch", ...own, patch: { metadata: { annotations: { a: "1" } } } }],
    ["sending back a label it has", {
      kind: "node-update",
      ...own,
      node: { metadata: { labels: { "example.kubernetes.io/tier": "gold" } } },
    }],
    ["its lease", { kind: "lease-query", ...lease }],
    ["renewing it", { kind: "lease-update", ...lease, lease: { spec: { holderIdentity: "edge-1" } } }],
    ["a pod's status", { kind: "pod-patch", ...web, patch: { metadata: { uid: "u" }, status: {} } }],
    ["a pod nobody knows", { kind: "pod-patch", ...web, name: "gone", patch: { status: {} } }],
    ["deleting its pod", { kind: "pod-delete", ...web, deletion: { gracePeriodSeconds: 0 } }],
    ["a ConfigMap", { kind: "configmap-query", ...web, name: "config" }],
    ["a Secret", { kind: "secret-query", ...web, name: "secret" }],
    ["a claim", { kind: "persistentvolumeclaim-query", ...web, name: "data" }],
    ["a token", token()],
    ["a token for a projected audience", token({ audiences: ["vault"] })],
    ["a mirror pod", mirror()],
    [
      "a mirror pod that it owns",
      mirror({}, {
        name: "static-edge-1",
        annotations: { "kubernetes.io/config.mirror": "hash" },
        ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "edge-1", uid: "uid-edge-1" }],
      }),
    ],
    ["an event about itself", event({ kind: "Node", name: "edge-1" })],
    [
      "an event about its static pod",
      event({
        kind: "Pod",
        namespace: "default",
        name: "fixed-edge-1",
        uid: "hash",
      }),
    ],
    [
      "an event about a static pod without its mirror",
      event({
        kind: "Pod",
        namespace: "default",
        name: "early-edge-1",
        uid: "hash",
      }),
    ],
    [
      "an event about a pod that was its own and is deleted",
      event({ kind: "Pod", namespace: "default", name: "gone", uid: "uid-web-gone" }),
    ],
    ["an event about its pod", event({ kind: "Pod", namespace: "default", name: "web", uid: "uid-web" })],
  ];
  for (const [name, request] of rows) {
    await t.step(
      name,
      () => assert.deepEqual(authorize("edge-1", request, testIndex()), { allowed: true }),
    );
  }
});

Deno.test("authorize() refuses everything else", async (t) => {
  const foreign = { ...own, name: "edge-2" };
  const other = { ...web, name: "other" };
  const rows: Array<[string, UpstreamRequest, RegExp]> = [
    ["speaking for another node", { kind: "node-query", ...own, nodeName: "edge-2" }, /for node edge-2/],
    ["another Node", { kind: "node-query", ...foreign }, /its own Node/],
    ["registering another", { kind: "node-insert", ...foreign, node: {} }, /its own Node/],
    ["another's status", { kind: "node-patch", ...foreign, patch: { status: {} } }, /its own Node/],
    ["another's old status", {
      kind: "nodestatus-update",
      ...foreign,
      status: {},
      extendResources: {},
    }, /its own Node/],
    [
      "a foreign role",
      labelled({ "node-role.kubernetes.io/control-plane": "" }),
      /control-plane.*kubectl label/,
    ],
    ["a restricted label", labelled({ "node-restriction.kubernetes.io/tenant": "a" }), /node-restriction/],
    ["a k8s.io label", labelled({ "scheduling.k8s.io/x": "a" }), /scheduling/],
    ["changing a label it has", {
      kind: "node-update",
      ...own,
      node: { metadata: { labels: { "example.kubernetes.io/tier": "platinum" } } },
    }, /tier/],
    ["removing a label in a patch", {
      kind: "node-patch",
      ...own,
      patch: { metadata: { labels: { "example.kubernetes.io/tier": null } } },
    }, /tier/],
    ["its own taints", {
      kind: "node-patch",
      ...own,
      patch: { spec: { taints: [] } },
    }, /taints.*kubectl taint/],
    ["another's lease", { kind: "lease-query", ...lease, name: "edge-2" }, /its own Lease/],
    ["a lease elsewhere", { kind: "lease-query", ...lease, namespace: "kube-system" }, /kube-node-lease/],
    ["a lease for another", {
      kind: "lease-insert",
      ...lease,
      lease: { spec: { holderIdentity: "edge-2" } },
    }, /held by someone else/],
    ["another's pod status", { kind: "pod-patch", ...other, patch: { status: {} } }, /not bound/],
    ["a pod's spec", { kind: "pod-patch", ...web, patch: { spec: {} } }, /not its spec/],
    ["a pod's labels", { kind: "pod-patch", ...web, patch: { metadata: { labels: {} } } }, /metadata.labels/],
    ["a pod's finalizers", {
      kind: "pod-patch",
      ...web,
      patch: { metadata: { finalizers: null } },
    }, /metadata.finalizers/],
    [
      "deleting another's pod",
      { kind: "pod-delete", ...other, deletion: { gracePeriodSeconds: 0 } },
      /not bound/,
    ],
    ["another's old pod status", {
      kind: "podstatus-update",
      ...other,
      entry: { uid: "", name: "other", status: {} },
    }, /not bound/],
    ["a ConfigMap of no pod", { kind: "configmap-query", ...web, name: "foreign" }, /refers/],
    ["a Secret by a ConfigMap's name", { kind: "secret-query", ...web, name: "config" }, /refers/],
    [
      "another namespace",
      { kind: "secret-query", ...web, namespace: "kube-system", name: "secret" },
      /refers/,
    ],
    ["another node's Secret", { kind: "secret-query", ...web, name: "other-secret" }, /refers/],
    ["a claim of no pod", { kind: "persistentvolumeclaim-query", ...web, name: "foreign" }, /refers/],
    ["a token for no pod", token({ boundObjectRef: { kind: "", name: "", uid: "" } }), /bound to a pod/],
    ["a token for a Secret", token({ boundObjectRef: { kind: "Secret" } }), /bound to a pod/],
    ["a token without a UID", token({ boundObjectRef: { uid: "" } }), /bound to a pod/],
    [
      "a token for an old incarnation",
      token({ boundObjectRef: { uid: "uid-old" } }),
      /not bound to the node/,
    ],
    [
      "a token for another's pod",
      token({ boundObjectRef: { name: "other", uid: "uid-other" } }),
      /not bound to the node/,
    ],
    ["a token of another account", token({ account: "admin" }), /another service account/],
    ["a token for any audience", token({ audiences: ["https://bank"] }), /audience/],
    ["a pod that is no mirror", mirror({}, { name: "static-edge-1", annotations: {} }), /mirror pods/],
    ["a mirror pod elsewhere", mirror({ nodeName: "edge-2" }), /bound to the node/],
    ["a mirror pod with an account", mirror({ serviceAccountName: "admin" }), /service account/],
    ["a mirror pod with the old account field", mirror({ serviceAccount: "admin" }), /service account/],
    [
      "a mirror pod with a Secret",
      mirror({ volumes: [{ name: "v", secret: { secretName: "s" } }] }),
      /may not refer/,
    ],
    [
      "a mirror pod with a token",
      mirror({ volumes: [{ name: "v", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }] }),
      /tokens/,
    ],
    ["a mirror pod under another name", mirror({}, { name: "web" }), /another name/],
    [
      "a mirror pod that a ReplicaSet would own",
      mirror({}, {
        annotations: { "kubernetes.io/config.mirror": "hash" },
        ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "edge-1", uid: "x" }],
      }),
      /owned by the node/,
    ],
    ["an event about another node", event({ kind: "Node", name: "edge-2" }), /events about itself/],
    ["an event about another's pod", event({ kind: "Pod", namespace: "default", name: "other" }), /events/],
    [
      "an event about an old incarnation of its static pod",
      event({ kind: "Pod", namespace: "default", name: "fixed-edge-1", uid: "old" }),
      /events/,
    ],
    [
      "an event about another's static pod",
      event({ kind: "Pod", namespace: "default", name: "fixed-edge-2", uid: "hash" }),
      /events/,
    ],
    ["an event about no pod", event({ kind: "Pod", namespace: "default", name: "gone" }), /events/],
    [
      "an event about a pod that was another's and is deleted",
      event({ kind: "Pod", namespace: "default", name: "gone", uid: "uid-other-gone" }),
      /events/,
    ],
    [
      "an event about a pod that is deleted under another's name",
      event({ kind: "Pod", namespace: "default", name: "other", uid: "uid-web-gone" }),
      /events/,
    ],
    ["an event across namespaces", event({ kind: "Pod", namespace: "default", name: "web" }, "x"), /events/],
    ["an event about anything else", event({ kind: "Service", name: "edge-1" }), /events/],
    ["signing", { kind: "csr-insert", ...web }, /certificate signing/],
    ["reading signing requests", { kind: "csr-query", ...web }, /certificate signing/],
  ];
  for (const [name, request, reason] of rows) {
    await t.step(name, () => {
      const decision = authorize("edge-1", request, testIndex());
      assert.ok(!decision.allowed);
      assert.match(decision.reason, reason);
    });
  }
});

Deno.test("authorizeRead() goes by what volumes and attachments say themselves", async (t) => {
  const volume = (name: string, namespace = "default") => ({ spec: { claimRef: { namespace, name } } });
  const rows: Array<[string, Parameters<typeof authorizeRead>[1], Record<string, unknown>, boolean]> = [
    ["a volume of its claim", "persistentvolume-query", volume("data"), true],
    ["a volume of a foreign claim", "persistentvolume-query", volume("foreign"), false],
    ["a claim elsewhere", "persistentvolume-query", volume("data", "x"), false],
    ["a volume nobody claimed", "persistentvolume-query", { spec: {} }, false],
    ["its attachment", "volumeattachment-query", { spec: { nodeName: "edge-1" } }, true],
    ["another's attachment", "volumeattachment-query", { spec: { nodeName: "edge-2" } }, false],
  ];
  for (const [name, kind, object, allowed] of rows) {
    await t.step(name, () => {
      assert.equal(authorizeRead("edge-1", kind, object, testIndex()).allowed, allowed);
    });
  }
});

Deno.test("authorizeEvent() goes by the event that is stored", () => {
  const stored = (name: string): Event => ({
    metadata: { namespace: "default", name: "e" },
    involvedObject: { kind: "Pod", namespace: "default", name },
  });
  assert.ok(authorizeEvent("edge-1", stored("web"), testIndex()).allowed);
  assert.ok(!authorizeEvent("edge-1", stored("other"), testIndex()).allowed);
});
