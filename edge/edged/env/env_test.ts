import assert from "node:assert/strict";
import fc from "fast-check";
import type { Container, Pod } from "../../../common/api/core_v1.ts";
import { StatusError } from "../../../common/errors/mod.ts";
import { silentLogger } from "../../../common/module/mod.ts";
import { PodEnvironmentError } from "../pod_environment.ts";
import {
  type EnvFacts,
  envResolver,
  fieldValue,
  planEnvReads,
  resolveVariables,
  resourceValue,
} from "./mod.ts";

const POD: Pod = {
  metadata: {
    name: "web",
    namespace: "default",
    uid: "u1",
    labels: { app: "web", tier: 'a"b' },
    annotations: { "x/y": "line\nnext", snow: "☃\u0001" },
  },
  spec: {
    serviceAccountName: "robot",
    containers: [
      { name: "main", resources: { limits: { cpu: "250m", memory: "64Mi" }, requests: { cpu: "0.1" } } },
      { name: "bare" },
    ],
  },
};
const MAIN = POD.spec!.containers[0]!;
const PLACE = { nodeName: "edge-1", hostIPs: ["10.0.0.9"], podIPs: ["172.17.0.2", "fd00::2"] };
const FACTS: EnvFacts = {
  place: PLACE,
  sources: {
    configMaps: new Map([["cm", { data: { greeting: "hi", "a.b": "dotted" } }]]),
    secrets: new Map([["sec", { data: { pass: btoa("s3cret\nline") } }]]),
  },
  allocatable: { cpu: "2", memory: "1Gi" },
  service: { KUBERNETES_SERVICE_HOST: "127.0.0.1" },
};

function valuesOf(container: Partial<Container>, facts = FACTS): Record<string, string> {
  const { env } = resolveVariables(POD, { name: "main", ...container }, facts);
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
}

const isKind = (kind: PodEnvironmentError["kind"], message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PodEnvironmentError, String(error));
  assert.match(error.message, message);
  assert.equal(error.kind, kind);
  return true;
};

Deno.test("resolveVariables() resolves every source", () => {
  assert.deepEqual(
    valuesOf({
      envFrom: [{ configMapRef: { name: "cm" } }, { prefix: "S_", secretRef: { name: "sec" } }],
      env: [
        { name: "PLAIN", value: "x" },
        { name: "EMPTY" },
        { name: "REF", value: "$(greeting) $(PLAIN) $(LATER) $$(PLAIN) $(KUBERNETES_SERVICE_HOST)" },
        { name: "LATER", value: "y" },
        { name: "FIELD", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
        { name: "KEY", valueFrom: { configMapKeyRef: { name: "cm", key: "a.b" } } },
        { name: "SECRET", valueFrom: { secretKeyRef: { name: "sec", key: "pass" } } },
        { name: "greeting", value: "overridden" },
      ],
      resources: MAIN.resources!,
    }),
    {
      "a.b": "dotted",
      greeting: "overridden",
      S_pass: "s3cret\nline",
      PLAIN: "x",
      EMPTY: "",
      REF: "hi x $(LATER) $(PLAIN) 127.0.0.1",
      LATER: "y",
      FIELD: "172.17.0.2",
      CPU: "250",
      KEY: "dotted",
      SECRET: "s3cret\nline",
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
    },
  );
});

Deno.test("resolveVariables() leaves out what is optional and not there", () => {
  assert.deepEqual(
    valuesOf({
      envFrom: [{ configMapRef: { name: "no", optional: true } }, {
        secretRef: { name: "no", optional: true },
      }],
      env: [
        { name: "A", valueFrom: { configMapKeyRef: { name: "cm", key: "no", optional: true } } },
        { name: "B", valueFrom: { secretKeyRef: { name: "no", key: "no", optional: true } } },
      ],
    }),
    { KUBERNETES_SERVICE_HOST: "127.0.0.1" },
  );
});

Deno.test("resolveVariables() names what is missing as the kubelet does", async (t) => {
  const rows: Array<[string, Partial<Container>, PodEnvironmentError["kind"], RegExp]> = [
    ["ConfigMap", { envFrom: [{ configMapRef: { name: "no" } }] }, "missing", /^configmap "no" not found$/],
    ["Secret", { envFrom: [{ secretRef: { name: "no" } }] }, "missing", /^secret "no" not found$/],
    [
      "key of a ConfigMap",
      { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cm", key: "constructor" } } }] },
      "missing",
      /^couldn't find key constructor in ConfigMap default\/cm$/,
    ],
    [
      "key of a Secret",
      { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "sec", key: "no" } } }] },
      "missing",
      /^couldn't find key no in Secret default\/sec$/,
    ],
    [
      "field",
      { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.secret" } } }] },
      "invalid",
      /unsupported fieldPath: spec.secret/,
    ],
    ["name", { env: [{ name: "a=b", value: "x" }] }, "invalid", /Invalid name/],
    [
      "a value that explodes",
      {
        env: [
          { name: "A0", value: "x".repeat(10_000) },
          { name: "A1", value: "$(A0)".repeat(100) },
        ],
      },
      "invalid",
      /environment variable A1/,
    ],
  ];
  for (const [name, container, kind, message] of rows) {
    await t.step(name, () => assert.throws(() => valuesOf(container), isKind(kind, message)));
  }
});

Deno.test("resolveVariables() skips keys that cannot name a variable and says so", () => {
  const sources = {
    ...FACTS.sources,
    configMaps: new Map([["cm", { data: { "a=b": "1", "ü": "2", ok: "3" } }]]),
  };
  const container: Container = { name: "main", envFrom: [{ configMapRef: { name: "cm" } }] };
  const { env, skipped } = resolveVariables(POD, container, { ...FACTS, sources, service: {} });
  assert.deepEqual(env, [{ name: "ok", value: "3" }]);
  assert.deepEqual(skipped, [{ kind: "configMap", object: "default/cm", keys: ["a=b", "ü"] }]);
});

Deno.test("fieldValue() shows fields as the kubelet does", async (t) => {
  const rows: Array<[string, string]> = [
    ["metadata.name", "web"],
    ["metadata.namespace", "default"],
    ["metadata.uid", "u1"],
    ["metadata.labels", 'app="web"\ntier="a\\"b"'],
    ["metadata.annotations", 'snow="☃\\x01"\nx/y="line\\nnext"'],
    ["metadata.labels['tier']", 'a"b'],
    ["metadata.annotations['x/y']", "line\nnext"],
    ["metadata.annotations['toString']", ""],
    ["spec.nodeName", "edge-1"],
    ["spec.serviceAccountName", "robot"],
    ["status.hostIP", "10.0.0.9"],
    ["status.hostIPs", "10.0.0.9"],
    ["status.podIP", "172.17.0.2"],
    ["status.podIPs", "172.17.0.2,fd00::2"],
  ];
  for (const [path, expected] of rows) {
    await t.step(path, () => assert.equal(fieldValue(POD, path, PLACE), expected));
  }
  assert.throws(() => fieldValue(POD, "status.podIP"), isKind("invalid", /unsupported/));
});

Deno.test("resourceValue() rounds up in units of the divisor", async (t) => {
  const rows: Array<[string, string | undefined, string | undefined, string]> = [
    ["limits.cpu", undefined, undefined, "1"],
    ["limits.cpu", "1m", undefined, "250"],
    ["requests.cpu", "1m", undefined, "100"],
    ["limits.memory", undefined, undefined, String(64 << 20)],
    ["limits.memory", "1Mi", undefined, "64"],
    ["limits.memory", "1G", undefined, "1"],
    ["limits.cpu", "1", "bare", "2"],
    ["limits.memory", "1Mi", "bare", "1024"],
    ["requests.memory", "1", "bare", "0"],
    ["requests.memory", "0", "main", String(64 << 20)],
  ];
  for (const [resource, divisor, containerName, expected] of rows) {
    await t.step(`${resource} / ${divisor} of ${containerName}`, () => {
      const selector = {
        resource,
        ...(divisor === undefined ? {} : { divisor }),
        ...(containerName === undefined ? {} : { containerName }),
      };
      assert.equal(resourceValue(POD, MAIN, selector, FACTS.allocatable), expected);
    });
  }
  const ask = (selector: { resource: string; containerName?: string; divisor?: string }) => () =>
    resourceValue(POD, MAIN, selector, FACTS.allocatable);
  assert.throws(ask({ resource: "limits.gold" }), isKind("invalid", /Unsupported container resource/));
  assert.throws(
    ask({ resource: "limits.cpu", containerName: "no" }),
    isKind("invalid", /container no not found/),
  );
  assert.throws(ask({ resource: "limits.cpu", divisor: "x" }), isKind("invalid", /Invalid quantity/));
});

Deno.test("planEnvReads() reads nothing twice and nothing that a value hides", () => {
  const plan = planEnvReads({
    name: "main",
    envFrom: [{ configMapRef: { name: "a" } }, { configMapRef: { name: "a" } }],
    env: [
      { name: "X", value: "set", valueFrom: { secretKeyRef: { name: "unused", key: "k" } } },
      { name: "Y", valueFrom: { secretKeyRef: { name: "b", key: "k" } } },
    ],
  });
  assert.deepEqual([[...plan.configMaps], [...plan.secrets]], [["a"], ["b"]]);
});

Deno.test("envResolver() tells not found from not known", async () => {
  const container: Container = { name: "main", envFrom: [{ configMapRef: { name: "cm", optional: true } }] };
  const resolve = (error: StatusError) =>
    envResolver({
      api: { getConfigMap: () => Promise.reject(error), getSecret: () => Promise.reject(error) },
      allocatable: () => ({}),
      log: silentLogger,
    })(POD, container, PLACE);
  assert.deepEqual(await resolve(new StatusError("NotFound", "no")), []);
  await assert.rejects(
    resolve(new StatusError("ServiceUnavailable", "the cloud is away")),
    isKind("failed", /couldn't get configMap default\/cm: the cloud is away/),
  );
});

Deno.test("envResolver() stops waiting for the API when the signal aborts", async () => {
  const never = new Promise<never>(() => {});
  const resolve = envResolver({
    api: { getConfigMap: () => never, getSecret: () => never },
    allocatable: () => ({}),
    log: silentLogger,
  });
  const container: Container = { name: "main", envFrom: [{ configMapRef: { name: "cm" } }] };
  const controller = new AbortController();
  const env = resolve(POD, container, PLACE, { signal: controller.signal });
  controller.abort();
  await assert.rejects(env, (error) => error === controller.signal.reason);
});

Deno.test("resolveVariables() takes any text as a value and changes it only at $( and $$", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    if (value === "" || /\$[$(]/.test(value)) return;
    assert.equal(valuesOf({ env: [{ name: "A", value }] })["A"], value);
  }));
});
