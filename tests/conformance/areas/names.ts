import assert from "node:assert/strict";
import fc from "fast-check";
import { area } from "../case.ts";
import { expectAnswer, expectRefusal } from "../expect.ts";

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const KEY =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED =
  "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

/** A wrong value in the metadata of a ConfigMap, and all causes the server gives. */
const BAD_METADATA: ReadonlyArray<{
  what: string;
  metadata: object;
  causes: ReadonlyArray<readonly [reason: string, field: string, message: string]>;
}> = [
  {
    what: "no name",
    metadata: {},
    causes: [["FieldValueRequired", "metadata.name", "Required value: name or generateName is required"]],
  },
  {
    what: "capitals in a name",
    metadata: { name: "Upper" },
    causes: [["FieldValueInvalid", "metadata.name", `Invalid value: "Upper": ${SUBDOMAIN}`]],
  },
  {
    what: "a name that ends in a dot",
    metadata: { name: "dot." },
    causes: [["FieldValueInvalid", "metadata.name", `Invalid value: "dot.": ${SUBDOMAIN}`]],
  },
  {
    what: "a name that is too long",
    metadata: { name: "a".repeat(254) },
    causes: [[
      "FieldValueInvalid",
      "metadata.name",
      `Invalid value: "${"a".repeat(254)}": must be no more than 253 characters`,
    ]],
  },
  {
    what: "a bad label key",
    metadata: { name: "a", labels: { "bad key": "v" } },
    causes: [["FieldValueInvalid", "metadata.labels", `Invalid value: "bad key": ${KEY}`]],
  },
  {
    what: "a label key with two slashes",
    metadata: { name: "a", labels: { "a/b/c": "v" } },
    causes: [["FieldValueInvalid", "metadata.labels", `Invalid value: "a/b/c": ${QUALIFIED}`]],
  },
  {
    what: "a label key with an empty prefix",
    metadata: { name: "a", labels: { "/c": "v" } },
    causes: [["FieldValueInvalid", "metadata.labels", 'Invalid value: "/c": prefix part must be non-empty']],
  },
  {
    what: "a label key with a bad prefix",
    metadata: { name: "a", labels: { "A_b/c": "v" } },
    causes: [["FieldValueInvalid", "metadata.labels", `Invalid value: "A_b/c": prefix part ${SUBDOMAIN}`]],
  },
  {
    what: "a label key with an empty name",
    metadata: { name: "a", labels: { "p/": "v" } },
    causes: [
      ["FieldValueInvalid", "metadata.labels", 'Invalid value: "p/": name part must be non-empty'],
      ["FieldValueInvalid", "metadata.labels", `Invalid value: "p/": ${KEY}`],
    ],
  },
  {
    what: "a label key that is too long",
    metadata: { name: "a", labels: { ["k".repeat(64)]: "v" } },
    causes: [[
      "FieldValueInvalid",
      "metadata.labels",
      `Invalid value: "${"k".repeat(64)}": name part must be no more than 63 characters`,
    ]],
  },
  {
    what: "a bad label value",
    metadata: { name: "a", labels: { k: "not ok" } },
    causes: [["FieldValueInvalid", "metadata.labels", `Invalid value: "not ok": ${VALUE}`]],
  },
  {
    what: "a label value that is too long",
    metadata: { name: "a", labels: { k: "v".repeat(64) } },
    causes: [[
      "FieldValueInvalid",
      "metadata.labels",
      `Invalid value: "${"v".repeat(64)}": must be no more than 63 characters`,
    ]],
  },
  {
    what: "a bad annotation key",
    metadata: { name: "a", annotations: { "bad key": "any value is fine" } },
    causes: [["FieldValueInvalid", "metadata.annotations", `Invalid value: "bad key": ${KEY}`]],
  },
  {
    what: "annotations that are too long",
    metadata: { name: "a", annotations: { k: "v".repeat(262144) } },
    causes: [["FieldValueTooLong", "metadata.annotations", "Too long: may not be more than 262144 bytes"]],
  },
  {
    what: "a bad finalizer",
    metadata: { name: "a", finalizers: ["not ok"] },
    causes: [
      ["FieldValueInvalid", "metadata.finalizers", `Invalid value: "not ok": ${KEY}`],
      [
        "FieldValueInvalid",
        "metadata.finalizers[0]",
        'Invalid value: "not ok": name is neither a standard finalizer name nor is it fully qualified',
      ],
    ],
  },
  {
    what: "a finalizer that is not qualified",
    metadata: { name: "a", finalizers: ["simple"] },
    causes: [[
      "FieldValueInvalid",
      "metadata.finalizers[0]",
      'Invalid value: "simple": name is neither a standard finalizer name nor is it fully qualified',
    ]],
  },
  {
    what: "an owner without what names it",
    metadata: { name: "a", ownerReferences: [{ apiVersion: "v1", kind: "", name: "", uid: "" }] },
    causes: [
      ["FieldValueInvalid", "metadata.ownerReferences.kind", 'Invalid value: "": kind must not be empty'],
      ["FieldValueInvalid", "metadata.ownerReferences.name", 'Invalid value: "": name must not be empty'],
      ["FieldValueInvalid", "metadata.ownerReferences.uid", 'Invalid value: "": uid must not be empty'],
    ],
  },
  {
    what: "an owner that says nothing but its kind",
    metadata: { name: "a", ownerReferences: [{ kind: "Pod" }] },
    causes: [
      [
        "FieldValueInvalid",
        "metadata.ownerReferences.apiVersion",
        'Invalid value: "": version must not be empty',
      ],
      ["FieldValueInvalid", "metadata.ownerReferences.name", 'Invalid value: "": name must not be empty'],
      ["FieldValueInvalid", "metadata.ownerReferences.uid", 'Invalid value: "": uid must not be empty'],
    ],
  },
  {
    what: "an owner without a version",
    metadata: { name: "a", ownerReferences: [{ apiVersion: "", kind: "Pod", name: "p", uid: "u" }] },
    causes: [[
      "FieldValueInvalid",
      "metadata.ownerReferences.apiVersion",
      'Invalid value: "": version must not be empty',
    ]],
  },
  {
    what: "an Event as owner",
    metadata: { name: "a", ownerReferences: [{ apiVersion: "v1", kind: "Event", name: "p", uid: "u" }] },
    causes: [[
      "FieldValueInvalid",
      "metadata.ownerReferences",
      'Invalid value: v1.OwnerReference{APIVersion:"v1", Kind:"Event", Name:"p", UID:"u", Controller:(*bool)(nil), BlockOwnerDeletion:(*bool)(nil)}: /v1, Kind=Event is disallowed from being an owner',
    ]],
  },
  {
    what: "several faults at once",
    metadata: { name: "A", labels: { "b d": "e f" } },
    causes: [
      ["FieldValueInvalid", "metadata.name", `Invalid value: "A": ${SUBDOMAIN}`],
      ["FieldValueInvalid", "metadata.labels", `Invalid value: "b d": ${KEY}`],
      ["FieldValueInvalid", "metadata.labels", `Invalid value: "e f": ${VALUE}`],
    ],
  },
];

const badCases = Object.fromEntries(BAD_METADATA.map(({ what, metadata, causes }) => [
  `create refuses ${what}`,
  async (c: Parameters<Parameters<typeof area>[1][string]>[0]) => {
    const ns = await c.namespace();
    const { name = "" } = metadata as { name?: string };
    const texts = causes.map(([, field, message]) => `${field}: ${message}`);
    expectRefusal(await c.api.post(mapsOf(ns), { metadata }), 422, {
      reason: "Invalid",
      message: `ConfigMap "${name}" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`}`,
      details: {
        ...(name === "" ? {} : { name }),
        kind: "ConfigMap",
        causes: causes.map(([reason, field, message]) => ({ reason, field, message })),
      },
    });
  },
]));

export const NAMES = area("names", {
  ...badCases,
  "create refuses two controllers among the owners": async (c) => {
    const ns = await c.namespace();
    const owner = (name: string) => ({
      apiVersion: "v1",
      kind: "Pod",
      name,
      uid: `u-${name}`,
      controller: true,
    });
    expectRefusal(
      await c.api.post(mapsOf(ns), { metadata: { name: "a", ownerReferences: [owner("x"), owner("y")] } }),
      422,
      {
        reason: "Invalid",
        message:
          /metadata\.ownerReferences: Invalid value: .*: Only one reference can have Controller set to true\. Found "true" in references for Pod\/x and Pod\/y$/,
      },
    );
  },
  "a namespace has a label's name": async (c) => {
    expectRefusal(await c.api.post("/api/v1/namespaces", { metadata: { name: "a.b" } }), 422, {
      reason: "Invalid",
      message: `Namespace "a.b" is invalid: metadata.name: Invalid value: "a.b": must not contain dots`,
    });
    expectRefusal(await c.api.post("/api/v1/namespaces", { metadata: { name: "A" } }), 422, {
      reason: "Invalid",
      message: `Namespace "A" is invalid: metadata.name: Invalid value: "A": ${LABEL}`,
    });
    const long = "n".repeat(64);
    expectRefusal(await c.api.post("/api/v1/namespaces", { metadata: { name: long } }), 422, {
      reason: "Invalid",
      message:
        `Namespace "${long}" is invalid: [metadata.name: Invalid value: "${long}": must be no more than 63 characters, metadata.labels: Invalid value: "${long}": must be no more than 63 characters]`,
    });
  },
  "a service begins with a letter": async (c) => {
    const ns = await c.namespace();
    const spec = { clusterIP: "None", selector: { a: "b" } };
    expectRefusal(
      await c.api.post(`/api/v1/namespaces/${ns}/services`, { metadata: { name: "1a" }, spec }),
      422,
      {
        reason: "Invalid",
        message: `Service "1a" is invalid: metadata.name: Invalid value: "1a": ${DNS1035}`,
      },
    );
  },
  "generateName makes names that begin with it, each another": async (c) => {
    const ns = await c.namespace();
    const names = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const { metadata } = expectAnswer(
        await c.api.post(mapsOf(ns), { metadata: { generateName: "made-" } }),
        201,
        { metadata: { generateName: "made-", name: /^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/ } },
      );
      names.add(metadata.name);
    }
    assert.equal(names.size, 5);
  },
  "generateName gives way to a name, is cut, and must be valid": async (c) => {
    const ns = await c.namespace();
    expectAnswer(await c.api.post(mapsOf(ns), { metadata: { name: "given", generateName: "x-" } }), 201, {
      metadata: { name: "given", generateName: "x-" },
    });
    const prefix = "p".repeat(80);
    expectAnswer(await c.api.post(mapsOf(ns), { metadata: { generateName: prefix } }), 201, {
      metadata: { name: (name: string) => name.length === 63 && name.startsWith("p".repeat(58)) },
    });
    expectRefusal(await c.api.post(mapsOf(ns), { metadata: { generateName: "Bad_" } }), 422, {
      reason: "Invalid",
      message:
        /metadata\.generateName: Invalid value: "Bad_": a lowercase RFC 1123 subdomain.* metadata\.name: Invalid value: "Bad_/,
    });
  },
  "ConfigMap keys are checked": async (c) => {
    const ns = await c.namespace();
    expectRefusal(await c.api.post(mapsOf(ns), { metadata: { name: "a" }, data: { "no/slash": "" } }), 422, {
      reason: "Invalid",
      message:
        "ConfigMap \"a\" is invalid: data[no/slash]: Invalid value: \"no/slash\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    });
    expectRefusal(
      await c.api.post(mapsOf(ns), { metadata: { name: "a" }, data: { k: "" }, binaryData: { k: "" } }),
      422,
      {
        reason: "Invalid",
        message:
          'ConfigMap "a" is invalid: data[k]: Invalid value: "k": duplicate of key present in binaryData',
      },
    );
  },
  "any name that the grammar allows is taken, and no other": async (c) => {
    const ns = await c.namespace();
    const part = fc.stringMatching(/^[a-z0-9.A-Z_-]{1,12}$/);
    await fc.assert(
      fc.asyncProperty(part, async (name) => {
        const good = name !== "." && name !== ".." &&
          /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);
        const { status } = await c.api.post(mapsOf(ns), { metadata: { name } }, { dryRun: "All" });
        assert.equal(status, good ? 201 : 422, name);
      }),
      { numRuns: 40 },
    );
  },
});
