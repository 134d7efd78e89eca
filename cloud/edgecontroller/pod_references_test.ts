import assert from "node:assert/strict";
import type { PodSpec } from "../../common/api/core_v1.ts";
import {
  isDispensable,
  podReferences,
  podTokenAudiences,
  referenceKey,
  type ReferenceType,
} from "./pod_references.ts";

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

Deno.test("isDispensable() is true for what a pod marks as optional, and for image pull secrets", async (t) => {
  const optional = { name: "a", optional: true };
  const rows: Array<[string, ReferenceType, Partial<PodSpec>, boolean]> = [
    ["a ConfigMap volume", "configmap", { volumes: [{ name: "v", configMap: optional }] }, true],
    ["a required one", "configmap", { volumes: [{ name: "v", configMap: { name: "a" } }] }, false],
    [
      "a Secret volume",
      "secret",
      { volumes: [{ name: "v", secret: { secretName: "a", optional: true } }] },
      true,
    ],
    ["another type", "configmap", {
      volumes: [{ name: "v", secret: { secretName: "a", optional: true } }],
    }, false],
    ["a projected ConfigMap", "configmap", {
      volumes: [{ name: "v", projected: { sources: [{ configMap: optional }] } }],
    }, true],
    ["a projected Secret", "secret", {
      volumes: [{ name: "v", projected: { sources: [{ secret: optional }] } }],
    }, true],
    ["envFrom", "configmap", { containers: [{ ...CONTAINER, envFrom: [{ configMapRef: optional }] }] }, true],
    ["envFrom of an init container", "secret", {
      initContainers: [{ ...CONTAINER, envFrom: [{ secretRef: optional }] }],
    }, true],
    ["env", "configmap", {
      containers: [{
        ...CONTAINER,
        env: [{ name: "A", valueFrom: { configMapKeyRef: { ...optional, key: "k" } } }],
      }],
    }, true],
    ["env of a Secret", "secret", {
      containers: [{
        ...CONTAINER,
        env: [{ name: "A", valueFrom: { secretKeyRef: { ...optional, key: "k" } } }],
      }],
    }, true],
    ["required env", "secret", {
      containers: [{
        ...CONTAINER,
        env: [{ name: "A", valueFrom: { secretKeyRef: { name: "a", key: "k" } } }],
      }],
    }, false],
    ["an image pull secret", "secret", { imagePullSecrets: [{ name: "a" }] }, true],
    ["another name", "secret", { imagePullSecrets: [{ name: "b" }] }, false],
  ];
  for (const [name, type, spec, expected] of rows) {
    await t.step(name, () => {
      const pod = { metadata: { namespace: "default", name: "p" }, spec: { containers: [], ...spec } };
      assert.equal(isDispensable(pod, { type, namespace: "default", name: "a" }), expected);
      assert.equal(isDispensable(pod, { type, namespace: "other", name: "a" }), false);
    });
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
