/**
 * Requests whose answers by the real server are kept in `tests/testdata/kubernetes/v1.33.13/apply.jsonl`, in the order they are made.
 * `$NS` stands for a namespace of their own. See the README beside that file for how they are asked.
 * @module
 */
import type { JsonObject } from "../../object.ts";
import { CUSTOM_CASES } from "./custom_cases.ts";
import { apply, type ApplyCase, get, json, merge, post, put, strategic } from "./request.ts";

const DEPLOYMENTS = "/apis/apps/v1/namespaces/$NS/deployments";
const STATEFUL_SETS = "/apis/apps/v1/namespaces/$NS/statefulsets";
const CORE = "/api/v1/namespaces/$NS";

const template = (containers: unknown[], more: JsonObject = {}) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers, ...more },
});

const A = { name: "a", image: "i:1", ports: [{ containerPort: 80 }] };
const A2 = { name: "a", image: "i:2" };

const deployment = (spec: JsonObject = {}, metadata: JsonObject = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", ...metadata },
  spec: {
    replicas: 0,
    paused: true,
    selector: { matchLabels: { app: "web" } },
    template: template([A]),
    ...spec,
  },
});

const WEB = `${DEPLOYMENTS}/web`;

const REFUSED: ApplyCase[] = [
  apply("without a manager", WEB, deployment(), ""),
  apply("by a manager with a long name", WEB, deployment(), `fieldManager=${"a".repeat(129)}`),
  merge("forced, but not applied", WEB, {}, "force=true"),
  apply("a list", WEB, "[1]"),
  apply("nothing", WEB, ""),
  apply("without a kind", WEB, { apiVersion: "apps/v1", metadata: { name: "web" } }),
  apply("without an apiVersion", WEB, { kind: "Deployment", metadata: { name: "web" } }),
  apply("of another kind", WEB, { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "web" } }),
  apply("of another version", WEB, { apiVersion: "apps/v1beta1", kind: "Deployment" }),
  apply("with empty managedFields", WEB, deployment({}, { managedFields: [] })),
  apply("with managedFields", WEB, deployment({}, { managedFields: [{ manager: "x" }] })),
  apply("without metadata", WEB, { apiVersion: "apps/v1", kind: "Deployment", spec: deployment().spec }),
  apply("of another name", WEB, deployment({}, { name: "other" })),
  apply("of another namespace", WEB, deployment({}, { namespace: "kube-system" })),
  apply("with a uid that nothing has", WEB, deployment({}, { uid: "u1" })),
  apply("with an unknown field", WEB, deployment({ foo: 1 })),
  apply("with a text for a number", WEB, deployment({ replicas: "x" })),
  apply("with a list for an object", WEB, deployment({ template: [] })),
  apply("with two wrong types", WEB, deployment({ paused: "x", template: { spec: { containers: {} } } })),
  apply("with a number for a key", WEB, deployment({ template: template([{ name: 1, image: "x" }]) })),
  apply("with one container twice", WEB, deployment({ template: template([{ name: "a" }, { name: "a" }]) })),
  apply(
    "with one port twice",
    WEB,
    deployment({
      template: template([{
        name: "a",
        ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "TCP" }],
      }]),
    }),
  ),
  apply("with a null container", WEB, deployment({ template: template([null]) })),
  apply(
    "with one key twice, strictly",
    WEB,
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, name: web}\n",
    "fieldManager=m&fieldValidation=Strict",
  ),
  apply("invalid", WEB, deployment({ replicas: -1 })),
];

const B = { name: "b", image: "x", env: [{ name: "E", value: "1" }], args: ["x", "y"] };
const AB = { template: template([A2, { name: "b", image: "x" }]), replicas: 1 };
const VOLUMES = { volumes: [{ name: "v", emptyDir: {} }] };

const MERGED: ApplyCase[] = [
  apply("without storing it", WEB, deployment(), "fieldManager=m&dryRun=All"),
  get("what was not stored", WEB),
  apply("new", WEB, deployment()),
  apply("again", WEB, deployment()),
  apply("by another", WEB, deployment(), "fieldManager=m2"),
  apply("to another resourceVersion", WEB, deployment({}, { resourceVersion: "1" })),
  apply("one other value", WEB, deployment({ replicas: 1 }), "fieldManager=m3"),
  apply("other values", WEB, deployment({ replicas: 1, template: template([A2]) }), "fieldManager=m3"),
  apply("by force", WEB, deployment({ replicas: 1, template: template([A2]) }), "fieldManager=m3&force=true"),
  apply(
    "a status, where there is none to apply",
    WEB,
    { ...deployment({ replicas: 1, template: template([A2]) }), status: { replicas: 3 } },
    "fieldManager=m4",
  ),
  apply("without ports, which another has", WEB, deployment({ replicas: 1, template: template([A2]) })),
  apply(
    "without ports, which nobody has",
    WEB,
    deployment({ replicas: 1, template: template([A2]) }),
    "fieldManager=m2",
  ),
  apply(
    "another container before",
    WEB,
    deployment({
      replicas: 1,
      template: template([{ ...B, resources: { limits: { memory: "1Gi" } } }, A2], {
        ...VOLUMES,
        tolerations: [{ key: "k" }],
      }),
    }),
    "fieldManager=m5",
  ),
  apply(
    "in another order",
    WEB,
    deployment({ replicas: 1, template: template([A2, B], VOLUMES) }),
    "fieldManager=m5",
  ),
  apply("a null", WEB, deployment({ ...AB, replicas: null }), "fieldManager=m5&force=true"),
  apply("empty labels", WEB, deployment(AB, { labels: {}, annotations: null }), "fieldManager=m5&force=true"),
  apply(
    "labels and finalizers",
    WEB,
    deployment(AB, { labels: { a: "1", b: "2" }, finalizers: ["x/y", "x/z"] }),
    "fieldManager=m5&force=true",
  ),
  merge("labels of another", WEB, { metadata: { labels: { a: "3", c: "1" } } }, "fieldManager=u1"),
  merge("by who is named by the user agent", WEB, { spec: { replicas: 2 } }, ""),
  merge("a label that goes", WEB, { metadata: { labels: { a: null } } }, "fieldManager=u2"),
  merge("nothing new", WEB, { spec: { replicas: 2 } }, "fieldManager=u9"),
  apply(
    "a label that another has",
    WEB,
    deployment({ ...AB, replicas: 2 }, { labels: { c: "2" } }),
    "fieldManager=m5",
  ),
  apply(
    "nothing any more",
    WEB,
    deployment({ replicas: null, template: null, selector: null, paused: null }),
    "fieldManager=m1",
  ),
  apply(
    "only its name",
    WEB,
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" } },
    "fieldManager=m5",
  ),
  merge("no finalizers", WEB, { metadata: { finalizers: null } }, "fieldManager=u2"),
];

const W2 = `${DEPLOYMENTS}/w2`;

const FULL_POD = {
  containers: [{
    ...A,
    livenessProbe: { httpGet: { port: 80 } },
    env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    envFrom: [{ configMapRef: { name: "x" } }],
    volumeMounts: [{ name: "v", mountPath: "/v" }],
    securityContext: { capabilities: { add: ["NET_ADMIN"] } },
  }],
  volumes: [
    { name: "v", hostPath: { path: "/x" } },
    { name: "c", configMap: { name: "x", items: [{ key: "k", path: "p" }] } },
    { name: "p", projected: { sources: [{ secret: { name: "s" } }] } },
  ],
  initContainers: [{ name: "i", image: "x" }],
  nodeSelector: { a: "b" },
  imagePullSecrets: [{ name: "s" }],
  hostAliases: [{ ip: "1.2.3.4", hostnames: ["h"] }],
  topologySpreadConstraints: [{
    maxSkew: 1,
    topologyKey: "zone",
    whenUnsatisfiable: "DoNotSchedule",
    labelSelector: { matchLabels: { app: "web" } },
  }],
};

const entry = (fieldsV1: JsonObject, operation = "Update") => ({
  manager: "q",
  operation,
  apiVersion: "apps/v1",
  fieldsType: "FieldsV1",
  fieldsV1,
});

const WRITTEN: ApplyCase[] = [
  post("a made deployment", DEPLOYMENTS, {
    ...deployment({ template: { metadata: { labels: { app: "web" } }, spec: FULL_POD } }, { name: "w2" }),
  }),
  put(
    "a replaced deployment",
    `${W2}?fieldManager=p`,
    deployment({ replicas: 3 }, { name: "w2", labels: { x: "y" } }),
  ),
  strategic("a strategic patch", W2, {
    spec: {
      template: {
        spec: { containers: [{ name: "a", env: [{ name: "N", value: "1" }] }, { name: "z", image: "z" }] },
      },
    },
  }, "fieldManager=s"),
  json("a JSON patch", W2, [{ op: "replace", path: "/spec/replicas", value: 4 }], "fieldManager=j"),
  merge("a status", `${W2}/status`, {
    status: { observedGeneration: 1, conditions: [{ type: "Available", status: "True" }] },
  }, "fieldManager=st"),
  apply("an applied status", `${W2}/status`, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "w2" },
    spec: { replicas: 9 },
    status: { conditions: [{ type: "Progressing", status: "True" }] },
  }, "fieldManager=as"),
  apply("an applied status of nothing", `${DEPLOYMENTS}/none/status`, deployment({}, { name: "none" })),
  merge("managedFields of a client", W2, {
    metadata: {
      labels: { zz: "1" },
      managedFields: [entry({ "f:spec": { "f:replicas": {}, "x:y": {}, "f:foo": { ".": {} } } })],
    },
  }, "fieldManager=U"),
  merge("managedFields with an operation that there is not", W2, {
    metadata: { labels: { zz: "2" }, managedFields: [entry({}, "Foo")] },
  }, "fieldManager=U"),
  merge("managedFields that are not read", W2, {
    metadata: { labels: { zz: "3" }, managedFields: [entry({ x: {} })] },
  }, "fieldManager=U"),
  merge("managedFields cleared", W2, { metadata: { managedFields: [{}] } }, "fieldManager=U"),
  merge("without managedFields", W2, { metadata: { labels: { q: "1" } } }, "fieldManager=U"),
  apply("against what was before", W2, deployment({ replicas: 7 }, { name: "w2" }), "fieldManager=B"),
  apply(
    "against what was before, by force",
    W2,
    deployment({ replicas: 7 }, { name: "w2" }),
    "fieldManager=B&force=true",
  ),
];

const KUBECTL = `${DEPLOYMENTS}/kc`;
const kubectl = deployment({ replicas: 1 }, { name: "kc" });
const withAnnotation = {
  ...kubectl,
  metadata: {
    ...kubectl.metadata,
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(kubectl) },
  },
};

const MIGRATED: ApplyCase[] = [
  post(
    "what kubectl applied by itself",
    `${DEPLOYMENTS}?fieldManager=kubectl-client-side-apply`,
    withAnnotation,
  ),
  merge("what another changed since", KUBECTL, { spec: { revisionHistoryLimit: 3 } }, "fieldManager=other"),
  apply("over kubectl's own", KUBECTL, deployment({ replicas: 2 }, { name: "kc" }), "fieldManager=kubectl"),
  apply(
    "over another's and kubectl's own",
    KUBECTL,
    deployment({ replicas: 3, revisionHistoryLimit: 4 }, { name: "kc" }),
    "fieldManager=kubectl",
  ),
  apply(
    "over kubectl's as somebody else",
    KUBECTL,
    deployment({ paused: false }, { name: "kc" }),
    "fieldManager=x",
  ),
];

const SC = `${STATEFUL_SETS}/sc`;
const statefulSet = (replicas: number) => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "sc" },
  spec: {
    serviceName: "x",
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: template([{ name: "a", image: "i:1" }]),
  },
});
const scale = (replicas: number) => ({
  apiVersion: "autoscaling/v1",
  kind: "Scale",
  metadata: { name: "sc" },
  spec: { replicas },
});

const SCALED: ApplyCase[] = [
  post("what is scaled", `${STATEFUL_SETS}?fieldManager=X`, statefulSet(0)),
  put("a scale", `${SC}/scale?fieldManager=Y`, { ...scale(1), metadata: { name: "sc", namespace: "$NS" } }),
  get("after a scale", SC),
  merge("a patched scale", `${SC}/scale`, { spec: { replicas: 3 } }, "fieldManager=P"),
  get("after a patched scale", SC),
  apply("an applied scale", `${SC}/scale`, scale(4), "fieldManager=A"),
  apply("an applied scale by force", `${SC}/scale`, scale(4), "fieldManager=A&force=true"),
  get("after an applied scale", SC),
  apply("other replicas than the scale's", SC, statefulSet(5), "fieldManager=B"),
  apply("the scale's replicas", SC, statefulSet(4), "fieldManager=B"),
  put("a scale of what is applied", `${SC}/scale?fieldManager=Z`, {
    ...scale(6),
    metadata: { name: "sc", namespace: "$NS" },
  }),
  get("after a scale of what is applied", SC),
  apply("a scale of another kind", `${SC}/scale`, statefulSet(4), "fieldManager=A"),
  apply(
    "a scale of nothing",
    `${STATEFUL_SETS}/none/scale`,
    { ...scale(4), metadata: { name: "none" } },
    "fieldManager=A",
  ),
];

const core = (kind: string, name: string, fields: JsonObject = {}) => ({
  apiVersion: "v1",
  kind,
  metadata: { name },
  ...fields,
});

const KINDS: ApplyCase[] = [
  apply("a service account", `${CORE}/serviceaccounts/default`, core("ServiceAccount", "default")),
  apply("a config map", `${CORE}/configmaps/a`, core("ConfigMap", "a", { data: { x: "1", "y.z": "2" } })),
  apply(
    "a config map with one key less",
    `${CORE}/configmaps/a`,
    core("ConfigMap", "a", { data: { "y.z": "3" } }),
  ),
  apply("a config map without data", `${CORE}/configmaps/a`, core("ConfigMap", "a", { data: {} })),
  post(
    "a made config map",
    `${CORE}/configmaps`,
    core("ConfigMap", "b", { data: {}, binaryData: { q: "aGk=" } }),
  ),
  post("a secret", `${CORE}/secrets`, core("Secret", "s", { data: { a: "aGk=" }, stringData: { b: "x" } })),
  apply(
    "a service",
    `${CORE}/services/s`,
    core("Service", "s", {
      spec: {
        clusterIP: "None",
        selector: { a: "b" },
        ports: [{ name: "t", port: 80 }, { name: "u", port: 80, protocol: "UDP" }],
      },
    }),
  ),
  post(
    "a made service, a name only",
    `${CORE}/services`,
    core("Service", "s2", {
      spec: {
        type: "ExternalName",
        externalName: "x.example",
        ports: [{ port: 80, name: "x" }, { port: 81, name: "y", targetPort: "z" }],
      },
    }),
  ),
  post("a pod", `${CORE}/pods`, core("Pod", "p", { spec: FULL_POD })),
  strategic("a kubelet's status", `${CORE}/pods/p/status`, {
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      podIPs: [{ ip: "1.2.3.4" }],
      podIP: "1.2.3.4",
      containerStatuses: [{
        name: "a",
        image: "i:1",
        imageID: "",
        ready: true,
        restartCount: 0,
        state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
      }],
    },
  }, "fieldManager=kubelet"),
  apply("a pod's label", `${CORE}/pods/p`, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      labels: { x: "1" },
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "a", uid: "u" }],
    },
  }),
  post("a lease", "/apis/coordination.k8s.io/v1/namespaces/$NS/leases", {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "l" },
    spec: { holderIdentity: "n", leaseDurationSeconds: 40, renewTime: "2026-01-01T00:00:00.000000Z" },
  }),
  merge("a renewed lease", "/apis/coordination.k8s.io/v1/namespaces/$NS/leases/l", {
    spec: { renewTime: "2026-01-01T00:00:10.000000Z" },
  }, "fieldManager=kubelet"),
  post("a replica set", "/apis/apps/v1/namespaces/$NS/replicasets", {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "d" },
    spec: { selector: { matchLabels: { app: "web" } }, template: template([A]) },
  }),
];

/** Kinds of other groups: each is made and applied. */
const GROUPS: ReadonlyArray<[apiVersion: string, kind: string, resource: string, fields: JsonObject]> = [
  ["rbac.authorization.k8s.io/v1", "Role", "roles", {
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
  }],
  ["rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", {
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" },
    subjects: [{ kind: "ServiceAccount", name: "x", namespace: "$NS" }],
  }],
  ["batch/v1", "Job", "jobs", {
    spec: {
      suspend: true,
      template: { spec: { restartPolicy: "Never", containers: [{ name: "a", image: "b" }] } },
    },
  }],
  ["batch/v1", "CronJob", "cronjobs", {
    spec: {
      suspend: true,
      schedule: "* * * * *",
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "a", image: "b" }] } } },
      },
    },
  }],
  ["policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", {
    spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } },
  }],
  ["discovery.k8s.io/v1", "EndpointSlice", "endpointslices", {
    addressType: "IPv4",
    endpoints: [{ addresses: ["1.2.3.4"], conditions: { ready: true } }],
    ports: [{ name: "x", port: 80, protocol: "TCP" }],
  }],
];

const OTHERS: ApplyCase[] = GROUPS.flatMap(([apiVersion, kind, resource, fields]) => {
  const path = `/apis/${apiVersion}/namespaces/$NS/${resource}`;
  const object = (name: string) => ({ apiVersion, kind, metadata: { name }, ...fields });
  return [
    post(`a made ${kind}`, path, object("made")),
    apply(`an applied ${kind}`, `${path}/applied`, object("applied")),
  ];
});

/** All requests. */
export const APPLY_CASES: readonly ApplyCase[] = [
  ...REFUSED,
  ...MERGED,
  ...WRITTEN,
  ...MIGRATED,
  ...SCALED,
  ...KINDS,
  ...CUSTOM_CASES,
  ...OTHERS,
];
