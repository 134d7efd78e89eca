/**
 * Requests whose answers by the real server are kept in `tests/testdata/kubernetes/v1.33.13/apply.jsonl`, in the order they are made.
 * `$NS` stands for a namespace of their own. See the README beside that file for how they are asked.
 * @module
 */
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../object.ts";

/** One request. */
export interface ApplyCase {
  name: string;
  method: string;
  /** Path and query. */
  path: string;
  contentType: string;
  /** An object, or text that is sent as it is. */
  body?: unknown;
}

const DEPLOYMENTS = "/apis/apps/v1/namespaces/$NS/deployments";
const STATEFUL_SETS = "/apis/apps/v1/namespaces/$NS/statefulsets";
const CORE = "/api/v1/namespaces/$NS";

const TYPES = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const;

function patch(type: keyof typeof TYPES) {
  return (name: string, path: string, body: unknown, query = "fieldManager=m1"): ApplyCase => ({
    name,
    method: "PATCH",
    path: query === "" ? path : `${path}?${query}`,
    contentType: TYPES[type],
    body,
  });
}

const [apply, merge, strategic, json] = [patch("apply"), patch("merge"), patch("strategic"), patch("json")];

function send(method: string) {
  return (name: string, path: string, body?: unknown): ApplyCase => ({
    name,
    method,
    path,
    contentType: "application/json",
    ...(body === undefined ? {} : { body }),
  });
}

const [post, put, get] = [send("POST"), send("PUT"), send("GET")];

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

const WIDGETS = "/apis/$NS.example.com/v1/namespaces/$NS/widgets";
const W = `${WIDGETS}/w`;

/** A custom resource with every way to merge. */
const DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.$NS.example.com" },
  spec: {
    group: "$NS.example.com",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget" },
    versions: ["v1", "v2"].map((name) => ({
      name,
      served: true,
      storage: name === "v1",
      subresources: {
        status: {},
        scale: { specReplicasPath: ".spec.size.count", statusReplicasPath: ".status.count" },
      },
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: {
              type: "object",
              properties: {
                size: {
                  type: "object",
                  properties: { count: { type: "integer" }, w: { type: "integer", default: 3 } },
                },
                color: { type: "string" },
                tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
                ports: {
                  type: "array",
                  "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["port", "protocol"],
                  items: {
                    type: "object",
                    required: ["port"],
                    properties: {
                      port: { type: "integer" },
                      protocol: { type: "string", default: "TCP" },
                      name: { type: "string" },
                    },
                  },
                },
                plain: { type: "array", items: { type: "object", properties: { a: { type: "string" } } } },
                opts: {
                  type: "object",
                  additionalProperties: { type: "object", properties: { x: { type: "string" } } },
                },
                free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                atom: {
                  type: "object",
                  "x-kubernetes-map-type": "atomic",
                  properties: { a: { type: "string" }, b: { type: "string" } },
                },
                ios: { "x-kubernetes-int-or-string": true },
                mixed: {
                  type: "object",
                  "x-kubernetes-preserve-unknown-fields": true,
                  properties: { known: { type: "object", properties: { k: { type: "string" } } } },
                },
              },
            },
            status: {
              type: "object",
              properties: {
                count: { type: "integer" },
                conditions: {
                  type: "array",
                  "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["type"],
                  items: {
                    type: "object",
                    required: ["type"],
                    properties: { type: { type: "string" }, status: { type: "string" } },
                  },
                },
              },
            },
          },
        },
      },
    })),
  },
};

const widget = (spec: JsonObject, version = "v1", metadata: JsonObject = { name: "w" }) => ({
  apiVersion: `$NS.example.com/${version}`,
  kind: "Widget",
  metadata,
  spec,
});

const FULL_WIDGET = {
  size: { count: 1 },
  color: "red",
  tags: ["a", "b"],
  ports: [{ port: 80, name: "x" }, { port: 81, protocol: "UDP" }],
  plain: [{ a: "1" }],
  opts: { o1: { x: "1" }, o2: {} },
  free: { a: { b: 1 }, l: [1, { z: 1 }], s: "x" },
  atom: { a: "1" },
  ios: 5,
  mixed: { known: { k: "1" }, other: { deep: { er: 1 } } },
};

const OTHER_WIDGET = {
  color: "blue",
  tags: ["a", "c"],
  ports: [{ port: 80, name: "y" }],
  atom: { b: "2" },
  free: { a: { b: 2 }, n: { o: [1] } },
  opts: { o1: { x: "2" } },
  mixed: { other: { deep: { er: 2 } } },
  ios: "x",
};

const CUSTOM: ApplyCase[] = [
  post("a definition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION),
  apply("a custom object", W, widget(FULL_WIDGET)),
  apply("a custom object again", W, widget(FULL_WIDGET)),
  apply("a custom object with an unknown field", W, widget({ ...FULL_WIDGET, nope: 1 })),
  apply("a custom object with a text for a list", W, widget({ ...FULL_WIDGET, tags: "x" })),
  apply("a custom object with an item twice", W, widget({ ...FULL_WIDGET, tags: ["a", "a"] })),
  apply(
    "a custom object with an item without its key",
    W,
    widget({ ...FULL_WIDGET, ports: [{ name: "x" }] }),
  ),
  apply("a custom object against another", W, widget(OTHER_WIDGET), "fieldManager=m2"),
  apply("a custom object by force", W, widget(OTHER_WIDGET), "fieldManager=m2&force=true"),
  merge("what is not known of a custom object", W, {
    spec: { free: { s: null, q: { w: 1 } }, opts: { o3: { x: "9" } } },
  }, "fieldManager=u"),
  apply("less of a custom object", W, widget({ size: { count: 1 }, free: { l: [1] } })),
  apply("a custom status", `${W}/status`, {
    ...widget({ color: "x" }),
    status: { count: 1, conditions: [{ type: "A", status: "True" }] },
  }, "fieldManager=st"),
  merge("a custom status of another", `${W}/status`, {
    status: { conditions: [{ type: "B", status: "True" }] },
  }, "fieldManager=su"),
  merge("a custom scale", `${W}/scale`, { spec: { replicas: 4 } }, "fieldManager=sc"),
  get("after a custom scale", W),
  apply(
    "another version",
    W.replace("/v1/", "/v2/"),
    widget({ size: { count: 4 }, color: "green" }, "v2"),
    "fieldManager=m2&force=true",
  ),
  merge(
    "an update of another version",
    W.replace("/v1/", "/v2/"),
    { spec: { color: "black" } },
    "fieldManager=u",
  ),
  get("after another version", W),
  post("a made custom object", `${WIDGETS}?fieldManager=p`, widget(FULL_WIDGET, "v1", { name: "w2" })),
  send("DELETE")(
    "a definition that goes",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.$NS.example.com",
  ),
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
  ...CUSTOM,
  ...OTHERS,
];

/** An answer as far as it is the same on every server and at any time. */
export interface ApplyAnswer {
  status: number;
  /** A Status, without its details' kind of server. */
  failure?: JsonObject;
  /** Entries in an order that does not depend on the time, which is replaced by whether there is one. */
  managedFields?: JsonObject[];
  /** What managers wrote. */
  object?: JsonObject;
}

/** What of an answer is compared. */
export function answerOf(status: number, body: JsonObject, namespace: string): ApplyAnswer {
  const uid = textAt(body, "metadata", "uid") || namespace;
  const own: JsonObject = JSON.parse(
    JSON.stringify(body).replaceAll(namespace, "$NS").replaceAll(uid, "$UID"),
  );
  if (own.kind === "Status") {
    const { message, reason, code, details } = own;
    const causes = objectsAt(details, "causes").map(({ reason, message, field }) =>
      [reason, message, field].join(" ")
    ).sort();
    // The real server goes through what it finds wrong in no order.
    const lines = String(message).split("\n").sort();
    if (own.status === "Success") return { status };
    return { status, failure: { message: lines, reason: reason ?? "InternalError", code, causes } };
  }
  const { labels, annotations, finalizers, ownerReferences } = objectAt(own, "metadata");
  const { spec, data, binaryData, type, kind } = own;
  // The status of a definition is the server's own; here it comes with the write that it is of.
  const entries = objectsAt(own, "metadata", "managedFields").filter((e) => e.manager !== "kube-apiserver");
  const managedFields = entries.map((entry) => ({
    // The keys of an entry, unlike those of its fields, are in another order in custom objects.
    ...Object.fromEntries(Object.entries(entry).sort()),
    time: entry.time !== undefined,
  }));
  const keyOf = (entry: JsonObject) => [entry.operation, entry.manager, entry.subresource].join(" ");
  managedFields.sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
  // Admission gives pods volumes with names by chance.
  const written = { labels, annotations, finalizers, ownerReferences, data, binaryData, type };
  const object = withoutNulls(kind === "Pod" ? written : { ...written, spec });
  return { status, ...(managedFields.length > 0 ? { managedFields } : {}), object: object as JsonObject };
}

/** Nulls are what Go prints for a zero; an object without them in the order of its keys. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value).sort().filter((key) => value[key] !== null && value[key] !== undefined)
      .map((key) => [key, withoutNulls(value[key])]),
  );
}
