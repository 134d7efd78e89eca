import assert from "node:assert/strict";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectRefusal } from "../expect.ts";

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** A definition whose schema and conversion can be changed. */
function definition(c: CaseContext, schema: object, rest: object = {}): { name: string; body: object } {
  const id = c.unique("").replaceAll("-", "");
  const group = `l${id}.example.com`;
  const [plural, kind] = [`limits${id}`, `Limit${id}`];
  const name = `${plural}.${group}`;
  return {
    name,
    body: {
      metadata: { name },
      spec: {
        group,
        scope: "Namespaced",
        names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
        ...rest,
      },
    },
  };
}

/** Takes it on Kubernetes; on the embedded control plane refuses it with what to do instead. */
async function refusedWhenEmbedded(
  c: CaseContext,
  path: string,
  body: object,
  message: RegExp,
  query: { fieldValidation?: "Strict" } = {},
): Promise<void> {
  const answer = await c.api.post(path, body, { dryRun: "All", ...query });
  if (c.plane.kind === "kubernetes") expectAnswer(answer, 201);
  else expectRefusal(answer, 422, { reason: "Invalid", message });
}

const POD = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i:1" }] } };

/** What Kubernetes serves and the embedded control plane does not. */
const NOT_SERVED = [
  "/api/v1/limitranges",
  "/api/v1/podtemplates",
  "/api/v1/resourcequotas",
  "/api/v1/componentstatuses",
  "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  "/apis/apiregistration.k8s.io/v1/apiservices",
  "/apis/autoscaling/v2/horizontalpodautoscalers",
  "/apis/certificates.k8s.io/v1/certificatesigningrequests",
  "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
  "/apis/networking.k8s.io/v1/networkpolicies",
  "/apis/node.k8s.io/v1/runtimeclasses",
  "/apis/storage.k8s.io/v1/storageclasses",
] as const;

export const LIMITS = area("limits", {
  "rules in CEL": async (c) => {
    const { body } = definition(c, {
      type: "object",
      "x-kubernetes-validations": [{ rule: "self.metadata.name != 'x'" }],
    });
    await refusedWhenEmbedded(c, DEFINITIONS, body, /the embedded control plane evaluates no CEL rules/);
  },
  "conversion by webhooks": async (c) => {
    const { body } = definition(c, { type: "object" }, {
      conversion: {
        strategy: "Webhook",
        webhook: {
          clientConfig: { url: "https://convert.example.com/v1" },
          conversionReviewVersions: ["v1"],
        },
      },
    });
    await refusedWhenEmbedded(c, DEFINITIONS, body, /the embedded control plane calls no webhooks/);
  },
  "volume claims": async (c) => {
    const ns = await c.namespace();
    const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
    const reason = /the embedded control plane has no storage provisioner/;
    const claims = `/api/v1/namespaces/${ns}/persistentvolumeclaims`;
    await refusedWhenEmbedded(c, claims, { metadata: { name: "a" }, spec }, reason);
    await refusedWhenEmbedded(c, `/apis/apps/v1/namespaces/${ns}/statefulsets`, {
      metadata: { name: "a" },
      spec: {
        serviceName: "a",
        selector: { matchLabels: { a: "b" } },
        template: POD,
        volumeClaimTemplates: [{ metadata: { name: "v" }, spec }],
      },
    }, reason);
  },
  "replication controllers and ingresses": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[path: string, body: object, message: RegExp]> = [
      [
        `/api/v1/namespaces/${ns}/replicationcontrollers`,
        { metadata: { name: "a" }, spec: { replicas: 1, selector: { a: "b" }, template: POD } },
        /the embedded control plane runs no replication controllers; use a Deployment/,
      ],
      [
        `/apis/networking.k8s.io/v1/namespaces/${ns}/ingresses`,
        {
          metadata: { name: "a" },
          spec: { defaultBackend: { service: { name: "a", port: { number: 80 } } } },
        },
        /the embedded control plane has no ingress controller/,
      ],
    ];
    for (const [path, body, message] of rows) {
      assert.deepEqual(expectAnswer(await c.api.get(path), 200).items, []);
      await refusedWhenEmbedded(c, path, body, message);
      await refusedWhenEmbedded(c, path, body, message, { fieldValidation: "Strict" });
    }
  },
  "tokens that last for ever": async (c) => {
    const ns = await c.namespace();
    await refusedWhenEmbedded(c, `/api/v1/namespaces/${ns}/secrets`, {
      metadata: { name: "a", annotations: { "kubernetes.io/service-account.name": "default" } },
      type: "kubernetes.io/service-account-token",
    }, /the embedded control plane makes no tokens that last for ever; use the token volume of a pod/);
  },
  "failures counted by index": async (c) => {
    const ns = await c.namespace();
    await refusedWhenEmbedded(c, `/apis/batch/v1/namespaces/${ns}/jobs`, {
      metadata: { name: "a" },
      spec: {
        completions: 2,
        completionMode: "Indexed",
        backoffLimitPerIndex: 1,
        template: { ...POD, spec: { ...POD.spec, restartPolicy: "Never" } },
      },
    }, /the embedded control plane counts failures of the Job as a whole/);
  },
  "resources that only a full Kubernetes serves": async (c) => {
    for (const path of NOT_SERVED) {
      const answer = await c.api.get(path, { limit: 1 });
      if (c.plane.kind === "kubernetes") assert.equal(answer.status, 200, path);
      else {
        expectRefusal(answer, 404, {
          reason: "NotFound",
          message: "the server could not find the requested resource",
          details: {},
        });
      }
    }
  },
  "what admission and old fields add to a node, a volume and a daemon set": async (c) => {
    const ns = await c.namespace();
    const kubernetes = c.plane.kind === "kubernetes";
    const node = await c.api.post("/api/v1/nodes", { metadata: { name: c.unique("node") } }, {
      dryRun: "All",
    });
    expectAnswer(node, 201, {
      spec: { taints: kubernetes ? [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] : ABSENT },
    });
    const spec = { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/x" } };
    const volume = { metadata: { name: c.unique("pv") }, spec };
    expectAnswer(await c.api.post("/api/v1/persistentvolumes", volume, { dryRun: "All" }), 201, {
      metadata: { finalizers: kubernetes ? ["kubernetes.io/pv-protection"] : ABSENT },
    });
    const set = { metadata: { name: "a" }, spec: { selector: { matchLabels: { a: "b" } }, template: POD } };
    expectAnswer(await c.api.post(`/apis/apps/v1/namespaces/${ns}/daemonsets`, set, { dryRun: "All" }), 201, {
      metadata: {
        annotations: kubernetes ? { "deprecated.daemonset.template.generation": "1" } : ABSENT,
      },
    });
  },
  "what is inside a pod on no node": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201);
    const answer = await c.api.get(`${pods}/p/log`);
    if (c.plane.kind === "kubernetes") {
      assert.equal(answer.status, 204);
      return;
    }
    expectRefusal(answer, 404, {
      reason: "NotFound",
      message: "the server could not find the requested resource",
      details: {},
    });
  },
});
