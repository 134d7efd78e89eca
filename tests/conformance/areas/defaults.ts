import { area, type CaseContext } from "../case.ts";
import { expectAnswer } from "../expect.ts";
import RECORDED from "../recorded_defaults.json" with { type: "json" };

const CONTAINERS = [{ name: "c", image: "i:1" }];
const TEMPLATE = { metadata: { labels: { a: "b" } }, spec: { containers: CONTAINERS } };
const TASK = { spec: { containers: CONTAINERS, restartPolicy: "Never" } };
const SELECTOR = { matchLabels: { a: "b" } };

interface Minimal {
  /** Collection, in a namespace unless it begins with a slash. */
  path: string;
  body: object;
}

const inGroup = (group: string, resource: string, body: object): Minimal => ({
  path: `${group} ${resource}`,
  body,
});
const inCluster = (path: string, body: object): Minimal => ({ path, body });

/** Objects that say as little as they may. What Kubernetes 1.33 makes of each is recorded under its name. */
const MINIMAL: Readonly<Record<keyof typeof RECORDED, Minimal>> = {
  pod: inGroup("v1", "pods", {
    spec: {
      schedulerName: "none",
      containers: [{
        name: "c",
        image: "i",
        ports: [{ containerPort: 80 }],
        livenessProbe: { httpGet: { port: 80 } },
        resources: { limits: { cpu: "1", memory: "64Mi" } },
      }],
      volumes: [
        { name: "s", secret: { secretName: "x" } },
        { name: "e", emptyDir: {} },
        { name: "h", hostPath: { path: "/x" } },
        { name: "m", configMap: { name: "m" } },
      ],
    },
  }),
  deployment: inGroup("apps/v1", "deployments", { spec: { selector: SELECTOR, template: TEMPLATE } }),
  replicaset: inGroup("apps/v1", "replicasets", { spec: { selector: SELECTOR, template: TEMPLATE } }),
  daemonset: inGroup("apps/v1", "daemonsets", { spec: { selector: SELECTOR, template: TEMPLATE } }),
  statefulset: inGroup("apps/v1", "statefulsets", {
    spec: { selector: SELECTOR, serviceName: "s", template: TEMPLATE },
  }),
  job: inGroup("batch/v1", "jobs", { spec: { suspend: true, template: TASK } }),
  cronjob: inGroup("batch/v1", "cronjobs", {
    spec: { schedule: "0 0 1 1 *", jobTemplate: { spec: { template: TASK } } },
  }),
  service: inGroup("v1", "services", { spec: { ports: [{ port: 80 }], selector: { a: "b" } } }),
  nodeport: inGroup("v1", "services", {
    spec: { type: "NodePort", ports: [{ port: 80 }], selector: { a: "b" } },
  }),
  headless: inGroup("v1", "services", {
    spec: { clusterIP: "None", ports: [{ port: 80 }], selector: { a: "b" } },
  }),
  external: inGroup("v1", "services", { spec: { type: "ExternalName", externalName: "x.example.com" } }),
  node: inCluster("/api/v1/nodes", {}),
  namespace: inCluster("/api/v1/namespaces", {}),
  pv: inCluster("/api/v1/persistentvolumes", {
    spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/x" } },
  }),
  secret: inGroup("v1", "secrets", {}),
  serviceaccount: inGroup("v1", "serviceaccounts", {}),
  lease: inGroup("coordination.k8s.io/v1", "leases", {}),
  role: inGroup("rbac.authorization.k8s.io/v1", "roles", { rules: [] }),
  binding: inGroup("rbac.authorization.k8s.io/v1", "rolebindings", {
    roleRef: { kind: "Role", name: "x", apiGroup: "rbac.authorization.k8s.io" },
    subjects: [{ kind: "User", name: "u" }],
  }),
  slice: inGroup("discovery.k8s.io/v1", "endpointslices", {
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"] }],
    ports: [{ port: 80 }],
  }),
  pdb: inGroup("policy/v1", "poddisruptionbudgets", { spec: { minAvailable: 1, selector: SELECTOR } }),
  priority: inCluster("/apis/scheduling.k8s.io/v1/priorityclasses", { value: 5 }),
};

/** A recorded object as an expectation: a text that begins with "~" is a pattern. */
function expectation(recorded: unknown): unknown {
  if (typeof recorded === "string") {
    return recorded.startsWith("~") ? new RegExp(recorded.slice(1)) : recorded;
  }
  if (Array.isArray(recorded)) return recorded.map(expectation);
  if (typeof recorded !== "object" || recorded === null) return recorded;
  return Object.fromEntries(Object.entries(recorded).map(([key, value]) => [key, expectation(value)]));
}

export const DEFAULTS = area(
  "defaults",
  Object.fromEntries(
    Object.entries(MINIMAL).map(([name, { path, body }]) => [
      `of a ${name} that says as little as it may`,
      async (c: CaseContext) => {
        const [groupVersion = "", resource] = path.split(" ");
        const where = resource === undefined
          ? path
          : `${groupVersion === "v1" ? "/api" : "/apis"}/${groupVersion}/namespaces/${await c
            .podNamespace()}/${resource}`;
        const object = { metadata: { name: c.unique(name) }, ...body };
        const answer = await c.api.post(where, object);
        expectAnswer(answer, 201, expectation(RECORDED[name as keyof typeof RECORDED]));
        if (resource === undefined) await c.api.delete(`${where}/${c.unique(name)}`);
      },
    ]),
  ),
);
