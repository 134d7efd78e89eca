import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePod } from "./parse_pod.ts";
import { testPod } from "./testing.ts";

type Json = Record<string, unknown>;

/** A good pod with one value put at a path. */
function changed(path: string, value: unknown): unknown {
  const pod = structuredClone(testPod()) as unknown as Json;
  const parts = path.split(".");
  const last = parts.pop()!;
  let at = pod;
  for (const part of parts) at = (at[part] ??= {}) as Json;
  at[last] = value;
  return pod;
}

const REFUSED: Array<[string, unknown]> = [
  ["metadata", null],
  ["metadata.name", "../web"],
  ["metadata.name", "web;rm"],
  ["metadata.name", "-web"],
  ["metadata.name", "a".repeat(254)],
  ["metadata.namespace", "a/b"],
  ["metadata.namespace", ""],
  ["metadata.uid", "../u1"],
  ["metadata.uid", ".."],
  ["metadata.uid", "-v"],
  ["metadata.uid", 7],
];

const INVALID: Array<[string, unknown]> = [
  ["spec", undefined],
  ["spec.containers", []],
  ["spec.containers", "x"],
  ["spec.containers.0.name", "--privileged"],
  ["spec.containers.0.name", "a/b"],
  ["spec.containers.0.command", "ls"],
  ["spec.containers.0.command", ["a\0b"]],
  ["spec.containers.0.args", [1]],
  ["spec.containers.0.image", {}],
  ["spec.containers.0.env", [{ name: "A=B", value: "x" }]],
  ["spec.containers.0.ports", [{ containerPort: 70000 }]],
  ["spec.containers.0.livenessProbe", { periodSeconds: -1 }],
  ["spec.containers.0.securityContext", { capabilities: { add: ["--x"] } }],
  ["spec.volumes", [{ name: "../../etc" }]],
  ["spec.volumes", [{ name: "v", projected: { sources: 7 } }]],
  ["spec.volumes", [{ name: "v", projected: { sources: [null] } }]],
  ["spec.readinessGates", [null]],
  ["spec.restartPolicy", "Sometimes"],
  ["spec.hostname", "-x"],
  ["spec.dnsConfig", { nameservers: ["--net=host"] }],
  ["spec.securityContext", { sysctls: [{ name: "-x", value: "1" }] }],
  ["spec.terminationGracePeriodSeconds", "long"],
];

Deno.test("parsePod() accepts a good pod and drops what is not needed of it", () => {
  const pod = structuredClone(testPod()) as unknown as Json;
  const reading = parsePod({
    ...pod,
    metadata: { ...pod.metadata as Json, managedFields: [{}], creationTimestamp: null },
  });
  assert.ok(reading.type === "pod");
  assert.deepEqual(Object.keys(reading.pod.metadata).sort(), ["name", "namespace", "resourceVersion", "uid"]);
});

Deno.test("parsePod() refuses a pod that cannot even be named", async (t) => {
  for (const [path, value] of REFUSED) {
    await t.step(`${path} ${JSON.stringify(value).slice(0, 40)}`, () => {
      assert.equal(parsePod(changed(path, value)).type, "refused");
    });
  }
});

Deno.test("parsePod() names what is wrong with a pod that can be named", async (t) => {
  for (const [path, value] of INVALID) {
    await t.step(`${path} ${JSON.stringify(value)}`, () => {
      const reading = parsePod(changed(path, value));
      assert.ok(reading.type === "pod-invalid");
      assert.deepEqual(reading.identity, { namespace: "default", name: "web", uid: "u1" });
      assert.match(reading.message, /^spec/);
    });
  }
});

Deno.test("parsePod() refuses two containers of one name, also across kinds", () => {
  const container = { name: "web", image: "busybox:1" };
  assert.equal(parsePod(changed("spec.containers", [container, container])).type, "pod-invalid");
  assert.equal(parsePod(changed("spec.initContainers", [container])).type, "pod-invalid");
});

Deno.test("parsePod() answers anything without throwing", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    parsePod(value);
  }));
  const paths = [
    "metadata",
    "spec",
    "spec.containers",
    "spec.containers.0",
    "spec.volumes",
    "status",
    "spec.securityContext",
  ];
  fc.assert(fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
    const reading = parsePod(changed(path, value));
    if (reading.type === "pod") assert.match(reading.pod.metadata.uid, /^[A-Za-z0-9-]+$/);
  }));
});

Deno.test("parsePod() refuses nesting without end", () => {
  let deep: unknown = {};
  for (let i = 0; i < 1000; i++) deep = { deep };
  assert.equal(parsePod(deep).type, "refused");
});
