import assert from "node:assert/strict";
import type { PodSpec } from "../../common/api/core_v1.ts";
import { podReferences, podTokenAudiences, referenceKey } from "./pod_references.ts";

const referencesOf = (spec: Partial<PodSpec>) =>
  podReferences({
    metadata: { namespace: "default", name: "web" },
    spec: { containers: [], ...spec },
  }).map(referenceKey).sort();

const CONTAINER = { name: "c" };

Deno.test("podReferences() finds what a pod refers to", async (t) => {
  const rows: Array<[string, Partial<PodSpec>, string[]]> = [
    ["nothing", {}, []],
    ["a ConfigMap volume", { volumes: [{ name: "v", configMap: { name: "a" } }] }, ["configmap/default/a"]],
    ["a Secret volume", { volumes: [{ name: "v", secret: { secretName: "a" } }] }, ["secret/default/a"]],
    ["projected volumes", {
      volumes: [{
        name: "v",
        projected: { sources: [{ configMap: { name: "a" } }, { secret: { name: "b" } }, {}] },
      }],
    }, ["configmap/default/a", "secret/default/b"]],
    ["a claim", {
      volumes: [{ name: "v", persistentVolumeClaim: { claimName: "a" } }],
    }, ["persistentvolumeclaim/default/a"]],
    ["a generic ephemeral volume", {
      volumes: [{ name: "v", ephemeral: {} }],
    }, ["persistentvolumeclaim/default/web-v"]],
    ["a CSI secret", {
      volumes: [{ name: "v", csi: { driver: "d", nodePublishSecretRef: { name: "a" } } }],
    }, ["secret/default/a"]],
    ["envFrom", {
      containers: [{
        ...CONTAINER,
        envFrom: [{ configMapRef: { name: "a" } }, { secretRef: { name: "b" } }],
      }],
    }, ["configmap/default/a", "secret/default/b"]],
    ["env", {
      containers: [{
        ...CONTAINER,
        env: [
          { name: "A", valueFrom: { configMapKeyRef: { name: "a", key: "k" } } },
          { name: "B", valueFrom: { secretKeyRef: { name: "b", key: "k" } } },
          { name: "C", value: "c" },
        ],
      }],
    }, ["configmap/default/a", "secret/default/b"]],
    ["init containers", {
      initContainers: [{ ...CONTAINER, envFrom: [{ secretRef: { name: "a" } }] }],
    }, ["secret/default/a"]],
    ["ephemeral containers", {
      ephemeralContainers: [{ ...CONTAINER, envFrom: [{ configMapRef: { name: "a" } }] }],
    }, ["configmap/default/a"]],
    ["image pull secrets", { imagePullSecrets: [{ name: "a" }] }, ["secret/default/a"]],
    ["the same twice", {
      imagePullSecrets: [{ name: "a" }],
      volumes: [{ name: "v", secret: { secretName: "a" } }],
    }, ["secret/default/a"]],
  ];
  for (const [name, spec, expected] of rows) {
    await t.step(name, () => assert.deepEqual(referencesOf(spec), expected));
  }
});

Deno.test("podTokenAudiences() has the API server's own and the projected ones", () => {
  const spec: PodSpec = {
    containers: [],
    volumes: [{
      name: "v",
      projected: {
        sources: [{ serviceAccountToken: { path: "t", audience: "vault" } }, {
          serviceAccountToken: { path: "u" },
        }],
      },
    }],
  };
  assert.deepEqual([...podTokenAudiences({ spec })].sort(), ["", "vault"]);
});
