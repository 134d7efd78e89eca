import assert from "node:assert/strict";
import type { Json } from "../api.ts";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectClientFault, expectRefusal } from "../expect.ts";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

async function target(c: CaseContext, body: object = {}): Promise<{ path: string; made: Json }> {
  const ns = await c.namespace();
  const object = {
    metadata: { name: "t", labels: { keep: "me" }, finalizers: [] },
    data: { a: "1", b: "2" },
    ...body,
  };
  const made = expectAnswer(await c.api.post(mapsOf(ns), object), 201);
  return { path: `${mapsOf(ns)}/t`, made };
}

/** A JSON patch of the object above, and the data or the refusal it leads to. */
const JSON_PATCHES: ReadonlyArray<
  { what: string; patch: unknown; data?: object; code?: number; message?: string | RegExp }
> = [
  { what: "adds", patch: [{ op: "add", path: "/data/c", value: "3" }], data: { a: "1", b: "2", c: "3" } },
  { what: "replaces", patch: [{ op: "replace", path: "/data/a", value: "x" }], data: { a: "x", b: "2" } },
  {
    what: "replaces what is not there by adding it",
    patch: [{ op: "replace", path: "/data/c", value: "3" }],
    data: { a: "1", b: "2", c: "3" },
  },
  {
    what: "takes what is not there for null in a test and a copy",
    patch: [{ op: "test", path: "/data/c", value: null }, { op: "copy", from: "/data/c", path: "/data/d" }],
    data: { a: "1", b: "2", d: "" },
  },
  { what: "removes", patch: [{ op: "remove", path: "/data/a" }], data: { b: "2" } },
  {
    what: "copies",
    patch: [{ op: "copy", from: "/data/a", path: "/data/c" }],
    data: { a: "1", b: "2", c: "1" },
  },
  { what: "moves", patch: [{ op: "move", from: "/data/a", path: "/data/c" }], data: { b: "2", c: "1" } },
  {
    what: "goes on after a test that holds",
    patch: [{ op: "test", path: "/data/a", value: "1" }, { op: "remove", path: "/data/a" }],
    data: { b: "2" },
  },
  {
    what: "escapes slashes and tildes",
    patch: [{ op: "add", path: "/metadata/annotations", value: { "x/y": "1" } }, {
      op: "copy",
      from: "/metadata/annotations/x~1y",
      path: "/data/c",
    }],
    data: { a: "1", b: "2", c: "1" },
  },
  { what: "of nothing changes nothing", patch: [], data: { a: "1", b: "2" } },
  {
    what: "fails with a test that does not hold",
    patch: [{ op: "test", path: "/data/a", value: "other" }],
    code: 422,
    message: "the server rejected our request due to an error in our request",
  },
  {
    what: "fails where the path leads nowhere",
    patch: [{ op: "replace", path: "/data/nosuch/deep", value: "x" }],
    code: 422,
    message: "the server rejected our request due to an error in our request",
  },
  {
    what: "fails to remove what is not there",
    patch: [{ op: "remove", path: "/data/nosuch" }],
    code: 422,
    message: "the server rejected our request due to an error in our request",
  },
  {
    what: "may not double the object without end",
    patch: Array.from({ length: 60 }, (_, i) => ({ op: "copy", from: "/data", path: `/data/c${i}` })),
    code: 422,
    message: "the server rejected our request due to an error in our request",
  },
  {
    what: "must be a list",
    patch: { op: "add" },
    code: 400,
    message: /^error decoding patch: json: cannot unmarshal object into Go value of type /,
  },
  {
    what: "must be of operations there are",
    patch: [{ op: "juggle", path: "/data" }],
    code: 422,
    message: "the server rejected our request due to an error in our request",
  },
  {
    what: "must make an object of the type",
    patch: [{ op: "replace", path: "/data", value: 5 }],
    code: 422,
    message:
      /cannot unmarshal number into Go struct field ConfigMap\.data of type map\[string\]string|ConfigMap in version "v1" cannot be handled as a ConfigMap/,
  },
];

const jsonCases = Object.fromEntries(JSON_PATCHES.map(({ what, patch, data, code, message }) => [
  `JSON patch ${what}`,
  async (c: CaseContext) => {
    const { path, made } = await target(c);
    const answer = await c.api.patch(path, "json", patch);
    if (code === undefined) {
      const patched = expectAnswer(answer, 200);
      assert.deepEqual(patched.data, data);
      return;
    }
    expectRefusal(answer, code, { reason: code === 400 ? "BadRequest" : "Invalid", message: message! });
    assert.deepEqual((await c.api.get(path)).body, made);
  },
]));

const POD = {
  metadata: { name: "p", labels: { a: "1" }, finalizers: ["example.com/a", "example.com/b"] },
  spec: {
    schedulerName: "none",
    containers: [
      {
        name: "one",
        image: "one:1",
        env: [{ name: "A", value: "1" }, { name: "B", value: "2" }],
        ports: [{ containerPort: 80 }],
      },
      { name: "two", image: "two:1" },
    ],
    tolerations: [{ key: "k", operator: "Exists" }],
  },
};

const DEPLOYMENT = {
  metadata: { name: "d" },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: "d" } },
    template: { metadata: { labels: { app: "d" } }, spec: POD.spec },
  },
};

async function deployment(c: CaseContext): Promise<string> {
  const ns = await c.namespace();
  const path = `/apis/apps/v1/namespaces/${ns}/deployments`;
  expectAnswer(await c.api.post(path, DEPLOYMENT), 201);
  return `${path}/d`;
}

const inTemplate = (spec: object) => ({ spec: { template: { spec } } });
const containersOf = (d: Json) => d.spec.template.spec.containers;

export const PATCHES = area("patches", {
  ...jsonCases,
  "JSON patch has a bound": async (c) => {
    const { path } = await target(c);
    const patch = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/a", value: "1" }));
    expectRefusal(await c.api.patch(path, "json", patch), 413, {
      reason: "RequestEntityTooLarge",
      message: "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
    });
  },
  "JSON patch holds a resourceVersion by testing it": async (c) => {
    const { path, made } = await target(c);
    const patch = (value: string) => [
      { op: "test", path: "/metadata/resourceVersion", value },
      { op: "add", path: "/data/c", value: "3" },
    ];
    expectAnswer(await c.api.patch(path, "json", patch(made.metadata.resourceVersion)), 200);
    expectRefusal(await c.api.patch(path, "json", patch(made.metadata.resourceVersion)), 422, {
      reason: "Invalid",
      message: "the server rejected our request due to an error in our request",
    });
  },
  "merge patch merges maps, replaces lists, and null removes": async (c) => {
    const { path } = await target(c);
    const patched = expectAnswer(
      await c.api.patch(path, "merge", {
        metadata: { labels: { more: "yes" }, annotations: { n: "1" } },
        data: { a: null, c: "3", nosuch: null },
      }),
      200,
    );
    assert.deepEqual(patched.data, { b: "2", c: "3" });
    assert.deepEqual(patched.metadata.labels, { keep: "me", more: "yes" });
  },
  "merge patch replaces lists as a whole": async (c) => {
    const path = await deployment(c);
    const patched = expectAnswer(
      await c.api.patch(path, "merge", inTemplate({ containers: [{ name: "new", image: "new:1" }] })),
      200,
    );
    assert.deepEqual(containersOf(patched).map((x: Json) => x.name), ["new"]);
  },
  "merge patch holds a resourceVersion and a uid": async (c) => {
    const { path, made } = await target(c);
    const { uid, resourceVersion } = made.metadata;
    expectAnswer(
      await c.api.patch(path, "merge", { metadata: { uid, resourceVersion }, data: { a: "5" } }),
      200,
    );
    expectRefusal(
      await c.api.patch(path, "merge", { metadata: { resourceVersion }, data: { a: "6" } }),
      409,
      {
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on configmaps "t": the object has been modified; please apply your changes to the latest version and try again',
        details: { name: "t", kind: "configmaps" },
      },
    );
    const other = "55555555-5555-4555-8555-555555555555";
    const message = `Invalid value: "${other}": field is immutable`;
    expectRefusal(await c.api.patch(path, "merge", { metadata: { uid: other }, data: { a: "6" } }), 422, {
      reason: "Invalid",
      message: `ConfigMap "t" is invalid: metadata.uid: ${message}`,
      details: {
        name: "t",
        kind: "ConfigMap",
        // Kubernetes gives the same cause twice.
        causes: (causes: Json[]) =>
          causes.every((cause) =>
            cause.field === "metadata.uid" && cause.reason === "FieldValueInvalid" &&
            cause.message === message
          ),
      },
    });
  },
  "merge patch must be an object": async (c) => {
    const { path } = await target(c);
    for (const patch of ["[]", '"text"', "5"]) {
      expectRefusal(await c.api.patch(path, "merge", patch), 400, {
        reason: "BadRequest",
        message:
          /^error decoding patch: json: cannot unmarshal \w+ into Go value of type map\[string\]interface \{\}$/,
      });
    }
    expectRefusal(await c.api.patch(path, "merge", "{"), 400, {
      reason: "BadRequest",
      message: /unexpected end of JSON input|error decoding patch/,
    });
  },
  "a patch cannot rename": async (c) => {
    const { path } = await target(c);
    expectRefusal(await c.api.patch(path, "merge", { metadata: { name: "other" } }), 400, {
      reason: "BadRequest",
      message: "the name of the object (other) does not match the name on the URL (t)",
    });
    expectRefusal(await c.api.patch(path, "merge", { metadata: { namespace: "other" } }), 400, {
      reason: "BadRequest",
      message: "the namespace of the provided object does not match the namespace sent on the request",
    });
  },
  "a patch cannot change kind or version": async (c) => {
    const { path } = await target(c);
    // The object that comes out is read as what the path says, and a Secret's data is something else.
    expectRefusal(await c.api.patch(path, "merge", { kind: "Secret" }), 422, {
      reason: "Invalid",
      message: /^ "" is invalid: patch: Invalid value: "\{.*\}": /,
    });
    expectRefusal(await c.api.patch(path, "merge", { apiVersion: "apps/v1" }), 422, {
      reason: "Invalid",
      message:
        /^ "" is invalid: patch: Invalid value: "\{.*\}": no kind "ConfigMap" is registered for version "apps\/v1" in scheme /,
    });
  },
  "a patch of a type that is not known is refused": async (c) => {
    const { path } = await target(c);
    expectRefusal(
      await c.api.request("PATCH", path, { body: "{}", headers: { "content-type": "application/json" } }),
      415,
      {
        reason: "UnsupportedMediaType",
        message: "415: Unsupported Media Type",
        details: {},
      },
    );
  },
  "a patch with unknown fields warns, ignores or refuses": async (c) => {
    const { path } = await target(c);
    const body = { nosuch: 1 };
    const warned = await c.api.patch(path, "merge", body);
    expectAnswer(warned, 200);
    assert.equal(warned.headers.get("warning"), '299 - "unknown field \\"nosuch\\""');
    const ignored = await c.api.patch(path, "merge", body, { fieldValidation: "Ignore" });
    assert.equal(ignored.headers.get("warning"), null);
    expectRefusal(await c.api.patch(path, "merge", body, { fieldValidation: "Strict" }), 422, {
      reason: "Invalid",
      message:
        /^ "" is invalid: patch: Invalid value: "\{.*\}": strict decoding error: unknown field "nosuch"$/,
    });
  },
});

export const STRATEGIC = area("strategic merge patch", {
  "merges lists by their keys": async (c) => {
    const path = await deployment(c);
    const patched = expectAnswer(
      await c.api.patch(
        path,
        "strategic",
        inTemplate({
          containers: [
            { name: "one", env: [{ name: "A", value: "9" }, { name: "C", value: "3" }] },
            { name: "three", image: "three:1" },
          ],
        }),
      ),
      200,
    );
    const [first] = containersOf(patched).filter((x: Json) => x.name === "one");
    assert.deepEqual(
      containersOf(patched).map((x: Json) => x.name),
      ["one", "three", "two"].sort((a, b) =>
        containersOf(patched).findIndex((x: Json) => x.name === a) -
        containersOf(patched).findIndex((x: Json) => x.name === b)
      ),
    );
    assert.equal(containersOf(patched).length, 3);
    assert.equal(first.image, "one:1");
    assert.deepEqual(
      Object.fromEntries(first.env.map(({ name, value }: Json) => [name, value])),
      { A: "9", B: "2", C: "3" },
    );
  },
  "deletes an item by its key": async (c) => {
    const path = await deployment(c);
    const patched = expectAnswer(
      await c.api.patch(path, "strategic", inTemplate({ containers: [{ name: "two", $patch: "delete" }] })),
      200,
    );
    assert.deepEqual(containersOf(patched).map((x: Json) => x.name), ["one"]);
  },
  "replaces a list when told to": async (c) => {
    const path = await deployment(c);
    const patched = expectAnswer(
      await c.api.patch(
        path,
        "strategic",
        inTemplate({ containers: [{ name: "new", image: "new:1" }, { $patch: "replace" }] }),
      ),
      200,
    );
    assert.deepEqual(containersOf(patched).map((x: Json) => x.name), ["new"]);
  },
  "replaces a map when told to": async (c) => {
    const { path } = await target(c);
    const patched = expectAnswer(
      await c.api.patch(path, "strategic", { data: { $patch: "replace", z: "26" } }),
      200,
    );
    assert.deepEqual(patched.data, { z: "26" });
  },
  "replaces lists without a key as a whole": async (c) => {
    const path = await deployment(c);
    const patched = expectAnswer(
      await c.api.patch(
        path,
        "strategic",
        inTemplate({ tolerations: [{ key: "other", operator: "Exists" }] }),
      ),
      200,
    );
    assert.deepEqual(patched.spec.template.spec.tolerations, [{ key: "other", operator: "Exists" }]);
  },
  "adds to and deletes from lists of texts": async (c) => {
    const { path } = await target(c, {
      metadata: { name: "t", finalizers: ["example.com/a", "example.com/b"] },
    });
    const added = expectAnswer(
      await c.api.patch(path, "strategic", { metadata: { finalizers: ["example.com/c", "example.com/a"] } }),
      200,
    );
    assert.deepEqual([...added.metadata.finalizers].sort(), [
      "example.com/a",
      "example.com/b",
      "example.com/c",
    ]);
    const deleted = expectAnswer(
      await c.api.patch(path, "strategic", {
        metadata: { "$deleteFromPrimitiveList/finalizers": ["example.com/b"] },
      }),
      200,
    );
    assert.deepEqual([...deleted.metadata.finalizers].sort(), ["example.com/a", "example.com/c"]);
    const ordered = expectAnswer(
      await c.api.patch(path, "strategic", {
        metadata: {
          "$setElementOrder/finalizers": ["example.com/c", "example.com/d", "example.com/a"],
          finalizers: ["example.com/d"],
        },
      }),
      200,
    );
    assert.deepEqual(ordered.metadata.finalizers, ["example.com/c", "example.com/d", "example.com/a"]);
  },
  "orders list items as told": async (c) => {
    const path = await deployment(c);
    const patched = expectAnswer(
      await c.api.patch(
        path,
        "strategic",
        inTemplate({
          "$setElementOrder/containers": [{ name: "two" }, { name: "three" }, { name: "one" }],
          containers: [{ name: "three", image: "three:1" }],
        }),
      ),
      200,
    );
    assert.deepEqual(containersOf(patched).map((x: Json) => x.name), ["two", "three", "one"]);
  },
  "retains only the keys of a union that it names": async (c) => {
    const path = await deployment(c);
    expectAnswer(
      await c.api.patch(path, "strategic", {
        spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 2 } } },
      }),
      200,
      { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 2 } } } },
    );
    const patched = expectAnswer(
      await c.api.patch(path, "strategic", {
        spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } },
      }),
      200,
    );
    assert.deepEqual(patched.spec.strategy, { type: "Recreate" });
  },
  "volumes change their source with retained keys": async (c) => {
    const path = await deployment(c);
    await c.api.patch(path, "strategic", inTemplate({ volumes: [{ name: "v", emptyDir: {} }] }));
    const patched = expectAnswer(
      await c.api.patch(
        path,
        "strategic",
        inTemplate({
          volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "x" } }],
        }),
      ),
      200,
    );
    const [volume] = patched.spec.template.spec.volumes;
    assert.equal(volume.emptyDir, undefined);
    assert.equal(volume.configMap.name, "x");
  },
  "null removes a field and a map key": async (c) => {
    const { path } = await target(c);
    const patched = expectAnswer(
      await c.api.patch(path, "strategic", { metadata: { labels: { keep: null } }, data: { a: null } }),
      200,
      { metadata: { labels: ABSENT } },
    );
    assert.deepEqual(patched.data, { b: "2" });
  },
  "refuses what it cannot merge": async (c) => {
    const path = await deployment(c);
    const noKey = await c.api.patch(path, "strategic", inTemplate({ containers: [{ image: "noname:1" }] }));
    expectClientFault(
      c.plane.kind,
      noKey,
      "map: map[image:noname:1] does not contain declared merge key: name",
    );
    const unknown = await c.api.patch(path, "strategic", { spec: { $patch: "juggle" } });
    expectClientFault(c.plane.kind, unknown, "unknown patch type: juggle in map: map[$patch:juggle]");
    expectRefusal(await c.api.patch(path, "strategic", []), 400, {
      reason: "BadRequest",
      message: "json: cannot unmarshal array into Go value of type map[string]interface {}",
    });
    expectRefusal(await c.api.patch(path, "strategic", { spec: 5 }), 422, {
      reason: "Invalid",
      message: / "" is invalid: patch: Invalid value: .*5/,
    });
  },
});
