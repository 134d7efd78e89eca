import assert from "node:assert/strict";
import { until } from "../../../scripts/trial/program.ts";
import type { Json } from "../api.ts";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectPart, expectRefusal, namesOf, PRESENT } from "../expect.ts";

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1";

const SCHEMA = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", minimum: 1, maximum: 10 },
        color: { type: "string", enum: ["red", "green"], default: "red" },
        code: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
        tags: { type: "array", maxItems: 2, items: { type: "string" }, "x-kubernetes-list-type": "set" },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        port: { "x-kubernetes-int-or-string": true },
        gone: { type: "string", nullable: true },
        nested: {
          type: "object",
          default: {},
          properties: { level: { type: "integer", default: 3 } },
        },
        items: {
          type: "array",
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string" }, value: { type: "string" } },
          },
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
        },
      },
    },
    status: {
      type: "object",
      properties: { replicas: { type: "integer" }, phase: { type: "string" }, selector: { type: "string" } },
    },
  },
};

interface Custom {
  group: string;
  plural: string;
  kind: string;
  ns: string;
  /** Path of the objects in the namespace. */
  path: string;
  definition: string;
}

/** A kind of its own, served. */
async function define(c: CaseContext, change: (spec: Json) => void = () => {}): Promise<Custom> {
  const id = c.unique("").replaceAll("-", "");
  const group = `${c.unique("g")}.example.com`;
  const [plural, kind] = [`things${id}`, `Thing${id}`];
  const spec: Json = {
    group,
    scope: "Namespaced",
    names: {
      plural,
      singular: `thing${id}`,
      kind,
      listKind: `${kind}List`,
      shortNames: [`t${id}`],
      categories: ["conformance"],
    },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: structuredClone(SCHEMA) },
      subresources: { status: {} },
      additionalPrinterColumns: [
        { name: "Size", type: "integer", jsonPath: ".spec.size" },
        { name: "Color", type: "string", jsonPath: ".spec.color", priority: 1 },
        { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      ],
    }],
  };
  change(spec);
  const name = `${plural}.${group}`;
  expectAnswer(await c.api.post(DEFINITIONS, { metadata: { name }, spec }), 201, {
    kind: "CustomResourceDefinition",
    spec: { names: { plural }, conversion: { strategy: "None" } },
  });
  const ns = await c.namespace();
  const path = `/apis/${group}/${spec.versions[0].name}/namespaces/${ns}/${plural}`;
  await until(`${name} is served`, async () => {
    const { body } = await c.api.get(`${DEFINITIONS}/${name}`);
    const established = body.status?.conditions?.some((x: Json) =>
      x.type === "Established" && x.status === "True"
    );
    return established && (await c.api.get(path)).status === 200;
  }, { timeoutMs: 60_000 });
  return { group, plural, kind, ns, path, definition: `${DEFINITIONS}/${name}` };
}

const thing = (custom: Custom, name: string, spec: object, rest: object = {}) => ({
  apiVersion: `${custom.group}/v1`,
  kind: custom.kind,
  metadata: { name },
  spec,
  ...rest,
});

/** A spec that the schema refuses, and the causes in any order. */
const BAD_SPECS: ReadonlyArray<readonly [what: string, spec: object, message: string]> = [
  ["a missing field", {}, "spec.size: Required value"],
  [
    "a number that is too small",
    { size: 0 },
    "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
  ],
  [
    "a number that is too large",
    { size: 11 },
    "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10",
  ],
  [
    "a text for a number",
    { size: "big" },
    'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
  ],
  [
    "a value that is not listed",
    { size: 1, color: "blue" },
    'spec.color: Unsupported value: "blue": supported values: "red", "green"',
  ],
  [
    "a text of another form",
    { size: 1, code: "A1" },
    "spec.code: Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'",
  ],
  [
    "a text that is too long",
    { size: 1, code: "abcdef" },
    "spec.code: Too long: may not be more than 5 bytes",
  ],
  ["too many items", { size: 1, tags: ["a", "b", "c"] }, "spec.tags: Too many: 3: must have at most 2 items"],
  ["an item twice in a set", { size: 1, tags: ["a", "a"] }, 'spec.tags[1]: Duplicate value: "a"'],
  [
    "a key twice in a map",
    { size: 1, items: [{ name: "a" }, { name: "a" }] },
    'spec.items[1]: Duplicate value: map[string]interface {}{"name":"a"}',
  ],
  ["an item without its key", { size: 1, items: [{ value: "v" }] }, "spec.items[0].name: Required value"],
  [
    "neither a number nor a text",
    { size: 1, port: true },
    'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
  ],
];

export const CUSTOM_RESOURCES = area("custom resources", {
  "are served, discovered and described": async (c) => {
    const custom = await define(c);
    const { resources } = expectAnswer(await c.api.get(`/apis/${custom.group}/v1`), 200);
    const own = resources.find((r: Json) => r.name === custom.plural);
    expectPart(own, {
      kind: custom.kind,
      namespaced: true,
      categories: ["conformance"],
      shortNames: [PRESENT],
    });
    assert.deepEqual([...own.verbs].sort(), [
      "create",
      "delete",
      "deletecollection",
      "get",
      "list",
      "patch",
      "update",
      "watch",
    ]);
    assert.ok(resources.some((r: Json) => r.name === `${custom.plural}/status`));
    expectAnswer(await c.api.get(`/apis/${custom.group}`), 200, {
      kind: "APIGroup",
      preferredVersion: { version: "v1" },
    });
    await until("it is described", async () => {
      const { status, body } = await c.api.get(`/openapi/v3/apis/${custom.group}/v1`);
      return status === 200 && JSON.stringify(body).includes(`"kind":"${custom.kind}"`);
    }, { timeoutMs: 60_000 });
  },
  "are made, read, listed, changed and deleted": async (c) => {
    const custom = await define(c);
    const made = expectAnswer(await c.api.post(custom.path, thing(custom, "a", { size: 2 })), 201, {
      apiVersion: `${custom.group}/v1`,
      kind: custom.kind,
      metadata: { name: "a", namespace: custom.ns, uid: PRESENT, generation: 1 },
      spec: { size: 2 },
    });
    const list = expectAnswer(await c.api.get(custom.path), 200, {
      kind: `${custom.kind}List`,
      apiVersion: `${custom.group}/v1`,
    });
    expectPart(list.items, [{
      apiVersion: `${custom.group}/v1`,
      kind: custom.kind,
      metadata: { name: "a" },
    }]);
    expectAnswer(await c.api.put(`${custom.path}/a`, { ...made, spec: { size: 3 } }), 200, {
      metadata: { generation: 2 },
    });
    expectRefusal(await c.api.put(`${custom.path}/a`, made), 409, {
      reason: "Conflict",
      message:
        `Operation cannot be fulfilled on ${custom.plural}.${custom.group} "a": the object has been modified; please apply your changes to the latest version and try again`,
    });
    expectAnswer(await c.api.patch(`${custom.path}/a`, "merge", { spec: { size: 4 } }), 200, {
      spec: { size: 4 },
    });
    expectAnswer(
      await c.api.patch(`${custom.path}/a`, "json", [{ op: "replace", path: "/spec/size", value: 5 }]),
      200,
      {
        spec: { size: 5 },
      },
    );
    expectRefusal(await c.api.patch(`${custom.path}/a`, "strategic", { spec: { size: 4 } }), 415, {
      reason: "UnsupportedMediaType",
      message: PRESENT as never,
    });
    expectAnswer(await c.api.delete(`${custom.path}/a`), 200, {
      status: "Success",
      details: { name: "a", group: custom.group, kind: custom.plural, uid: made.metadata.uid },
    });
    expectRefusal(await c.api.get(`${custom.path}/a`), 404, {
      reason: "NotFound",
      message: `${custom.plural}.${custom.group} "a" not found`,
      details: { name: "a", group: custom.group, kind: custom.plural },
    });
  },
  "must be updated with a resourceVersion": async (c) => {
    const custom = await define(c);
    await c.api.post(custom.path, thing(custom, "a", { size: 2 }));
    expectRefusal(await c.api.put(`${custom.path}/a`, thing(custom, "a", { size: 3 })), 422, {
      reason: "Invalid",
      message: /metadata\.resourceVersion: Invalid value: 0x0: must be specified for an update$/,
    });
  },
  "take finalizers without a prefix": async (c) => {
    const custom = await define(c);
    const held = thing(custom, "a", { size: 1 }, { metadata: { name: "a", finalizers: ["simple"] } });
    expectAnswer(await c.api.post(custom.path, held), 201, { metadata: { finalizers: ["simple"] } });
    const bad = thing(custom, "b", { size: 1 }, { metadata: { name: "b", finalizers: ["not ok"] } });
    expectRefusal(await c.api.post(custom.path, bad), 422, {
      reason: "Invalid",
      message:
        /is invalid: metadata\.finalizers: Invalid value: "not ok": name part must consist of .*\[A-Za-z0-9\]'\)$/,
    });
    await c.api.patch(`${custom.path}/a`, "merge", { metadata: { finalizers: null } });
  },
  "get their defaults": async (c) => {
    const custom = await define(c);
    const made = expectAnswer(
      await c.api.post(custom.path, thing(custom, "a", { size: 2, gone: null, color: null })),
      201,
    );
    assert.deepEqual(made.spec, { size: 2, color: "red", nested: { level: 3 }, gone: null });
  },
  "lose unknown fields, but not where they are preserved": async (c) => {
    const custom = await define(c);
    const answer = await c.api.post(
      custom.path,
      thing(custom, "a", { size: 2, odd: 1, free: { any: { thing: [1] } } }, { top: 1 }),
    );
    const made = expectAnswer(answer, 201, {
      top: ABSENT,
      spec: { odd: ABSENT, free: { any: { thing: [1] } } },
    });
    assert.ok(made);
    assert.match(answer.headers.get("warning") ?? "", /unknown field \\"spec\.odd\\"/);
    expectRefusal(
      await c.api.post(custom.path, thing(custom, "b", { size: 2, odd: 1 }), { fieldValidation: "Strict" }),
      400,
      {
        reason: "BadRequest",
        message:
          `${custom.kind} in version "v1" cannot be handled as a ${custom.kind}: strict decoding error: unknown field "spec.odd"`,
      },
    );
  },
  "are validated with a message for each fault": async (c) => {
    const custom = await define(c);
    for (const [what, spec, message] of BAD_SPECS) {
      const answer = await c.api.post(custom.path, thing(custom, "bad", spec));
      assert.equal(answer.status, 422, `${what}: ${answer.text}`);
      expectPart(answer.body, {
        reason: "Invalid",
        details: { name: "bad", group: custom.group, kind: custom.kind, causes: PRESENT },
      }, what);
      assert.equal(answer.body.message, `${custom.kind}.${custom.group} "bad" is invalid: ${message}`, what);
    }
  },
  "have a status that is written on its own": async (c) => {
    const custom = await define(c);
    const made = expectAnswer(
      await c.api.post(custom.path, thing(custom, "a", { size: 2 }, { status: { phase: "Early" } })),
      201,
      { status: ABSENT },
    );
    expectAnswer(
      await c.api.put(`${custom.path}/a/status`, { ...made, spec: { size: 9 }, status: { phase: "Ready" } }),
      200,
      { spec: { size: 2 }, status: { phase: "Ready" }, metadata: { generation: 1 } },
    );
    expectAnswer(
      await c.api.patch(`${custom.path}/a`, "merge", { spec: { size: 3 }, status: { phase: "No" } }),
      200,
      {
        spec: { size: 3 },
        status: { phase: "Ready" },
        metadata: { generation: 2 },
      },
    );
  },
  "have a scale when they say where": async (c) => {
    const custom = await define(c, (spec) => {
      spec.versions[0].subresources.scale = {
        specReplicasPath: ".spec.size",
        statusReplicasPath: ".status.replicas",
        labelSelectorPath: ".status.selector",
      };
    });
    await c.api.post(custom.path, thing(custom, "a", { size: 2 }));
    await c.api.patch(`${custom.path}/a/status`, "merge", { status: { replicas: 1, selector: "a=b" } });
    expectAnswer(await c.api.get(`${custom.path}/a/scale`), 200, {
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      spec: { replicas: 2 },
      status: { replicas: 1, selector: "a=b" },
    });
    expectAnswer(await c.api.patch(`${custom.path}/a/scale`, "merge", { spec: { replicas: 5 } }), 200, {
      spec: { replicas: 5 },
    });
    expectAnswer(await c.api.get(`${custom.path}/a`), 200, { spec: { size: 5 } });
  },
  "are printed in the columns they name": async (c) => {
    const custom = await define(c);
    await c.api.post(custom.path, thing(custom, "a", { size: 2 }));
    const table = expectAnswer(await c.api.get(custom.path, {}, { accept: TABLE }), 200, {
      rows: [{ cells: ["a", 2, "red", /^\d+s$/] }],
    });
    assert.deepEqual(
      table.columnDefinitions.map(({ name, priority }: Json) => `${name} ${priority}`),
      ["Name 0", "Size 0", "Color 1", "Age 0"],
    );
  },
  "are watched, selected and collected": async (c) => {
    const custom = await define(c);
    await using watch = await c.api.watch(custom.path, { labelSelector: "on" });
    await c.api.post(custom.path, {
      ...thing(custom, "a", { size: 1 }),
      metadata: { name: "a", labels: { on: "" } },
    });
    await c.api.post(custom.path, thing(custom, "b", { size: 1 }));
    const [event] = await watch.take(1);
    expectPart(event, { type: "ADDED", object: { kind: custom.kind, metadata: { name: "a" } } });
    assert.deepEqual(namesOf(expectAnswer(await c.api.get(custom.path, { labelSelector: "on" }), 200)), [
      "a",
    ]);
    await c.api.delete(custom.path, undefined, { labelSelector: "on" });
    assert.deepEqual(namesOf(expectAnswer(await c.api.get(custom.path), 200)), ["b"]);
  },
  "go with their definition, and come back empty": async (c) => {
    const custom = await define(c);
    await c.api.post(custom.path, thing(custom, "a", { size: 1 }));
    expectAnswer(await c.api.delete(custom.definition), 200);
    await until("the definition is gone", async () => (await c.api.get(custom.definition)).status === 404, {
      timeoutMs: 60_000,
    });
    await until("its path is gone", async () => (await c.api.get(custom.path)).status === 404, {
      timeoutMs: 60_000,
    });
  },
});

export const CUSTOM_VERSIONS = area("versions of custom resources", {
  "are each read in the one asked for, and stored in one": async (c) => {
    const custom = await define(c, (spec) => {
      const second = structuredClone(spec.versions[0]);
      spec.versions.push({ ...second, name: "v2", storage: false });
      spec.versions.push({ ...second, name: "v1alpha1", served: false, storage: false });
    });
    const other = custom.path.replace("/v1/", "/v2/");
    expectAnswer(
      await c.api.post(other, {
        apiVersion: `${custom.group}/v2`,
        kind: custom.kind,
        metadata: { name: "a" },
        spec: { size: 1 },
      }),
      201,
      { apiVersion: `${custom.group}/v2` },
    );
    expectAnswer(await c.api.get(`${custom.path}/a`), 200, {
      apiVersion: `${custom.group}/v1`,
      spec: { size: 1 },
    });
    expectAnswer(await c.api.get(`${other}/a`), 200, { apiVersion: `${custom.group}/v2` });
    assert.equal((await c.api.get(custom.path.replace("/v1/", "/v1alpha1/"))).status, 404);
    expectAnswer(await c.api.get(custom.definition), 200, { status: { storedVersions: ["v1"] } });
    const { versions, preferredVersion } = expectAnswer(await c.api.get(`/apis/${custom.group}`), 200);
    assert.deepEqual(versions.map((v: Json) => v.version), ["v2", "v1"]);
    assert.equal(preferredVersion.version, "v2");
    await using watch = await c.api.watch(custom.path);
    const [event] = await watch.take(1);
    assert.equal(event!.object.apiVersion, `${custom.group}/v1`);
  },
  "a definition that is wrong is refused with what is wrong": async (c) => {
    const id = c.unique("").replaceAll("-", "");
    const spec = {
      group: "conformance.example.com",
      scope: "Namespaced",
      names: { plural: `bads${id}`, singular: `bad${id}`, kind: `Bad${id}`, listKind: `Bad${id}List` },
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object" } },
      }],
    };
    const name = `bads${id}.conformance.example.com`;
    const rows: Array<[string, object, object, RegExp]> = [
      [
        "its name",
        { name: "other.example.com" },
        {},
        /metadata\.name: Invalid value: "other\.example\.com": must be spec\.names\.plural\+"\."\+spec\.group/,
      ],
      [
        "its scope",
        { name },
        { scope: "Everywhere" },
        /spec\.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"/,
      ],
      [
        "no stored version",
        { name },
        { versions: [{ ...spec.versions[0], storage: false }] },
        /spec\.versions: Invalid value: .*must have exactly one version marked as storage version/,
      ],
      [
        "no schema",
        { name },
        { versions: [{ name: "v1", served: true, storage: true }] },
        /spec\.versions\[0\]\.schema\.openAPIV3Schema: Required value: schemas are required/,
      ],
      [
        "a schema that is not structural",
        { name },
        {
          versions: [{
            ...spec.versions[0],
            schema: { openAPIV3Schema: { type: "object", properties: { spec: {} } } },
          }],
        },
        /spec\.(versions\[0\]\.schema|validation)\.openAPIV3Schema\.properties\[spec\]\.type: Required value: must not be empty for specified object fields/,
      ],
    ];
    for (const [what, metadata, change, message] of rows) {
      const answer = await c.api.post(DEFINITIONS, { metadata, spec: { ...spec, ...change } });
      assert.equal(answer.status, 422, `${what}: ${answer.text}`);
      expectRefusal(answer, 422, { reason: "Invalid", message });
    }
  },
});
