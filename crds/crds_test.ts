import assert from "node:assert/strict";
import { readDefinitions, type Schema, walk } from "./definitions_testing.ts";

/** One row of upstream's table: name, kind, versions with the stored one first, and what else differs. */
interface Row {
  kind: string;
  scope?: "Cluster";
  versions: string[];
  shortNames?: string[];
  status?: true;
}

const TABLE: Readonly<Record<string, Row>> = {
  "devices.devices.kubeedge.io": { kind: "Device", versions: ["v1beta1", "v1alpha2"] },
  "devicemodels.devices.kubeedge.io": { kind: "DeviceModel", versions: ["v1beta1", "v1alpha2"] },
  "devicestatuses.devices.kubeedge.io": { kind: "DeviceStatus", versions: ["v1beta1", "v1alpha2"] },
  "clusterobjectsyncs.reliablesyncs.kubeedge.io": {
    kind: "ClusterObjectSync",
    scope: "Cluster",
    versions: ["v1alpha1"],
    status: true,
  },
  "objectsyncs.reliablesyncs.kubeedge.io": { kind: "ObjectSync", versions: ["v1alpha1"], status: true },
  "rules.rules.kubeedge.io": { kind: "Rule", versions: ["v1"] },
  "ruleendpoints.rules.kubeedge.io": { kind: "RuleEndpoint", versions: ["v1"], shortNames: ["re"] },
  "nodeupgradejobs.operations.kubeedge.io": {
    kind: "NodeUpgradeJob",
    scope: "Cluster",
    versions: ["v1alpha2", "v1alpha1"],
    status: true,
  },
  "imageprepulljobs.operations.kubeedge.io": {
    kind: "ImagePrePullJob",
    scope: "Cluster",
    versions: ["v1alpha2", "v1alpha1"],
    status: true,
  },
  "configupdatejobs.operations.kubeedge.io": {
    kind: "ConfigUpdateJob",
    scope: "Cluster",
    versions: ["v1alpha2"],
    status: true,
  },
  "nodegroups.apps.kubeedge.io": {
    kind: "NodeGroup",
    scope: "Cluster",
    versions: ["v1alpha1"],
    shortNames: ["ng"],
    status: true,
  },
  "edgeapplications.apps.kubeedge.io": {
    kind: "EdgeApplication",
    versions: ["v1alpha1"],
    shortNames: ["eapp"],
    status: true,
  },
  "serviceaccountaccesses.policy.kubeedge.io": {
    kind: "ServiceAccountAccess",
    versions: ["v1alpha1"],
    shortNames: ["saaccess"],
    status: true,
  },
};

/** The keywords of a structural schema that the definitions use; every other one, and every one the API forbids, is refused. */
const KEYWORDS: ReadonlySet<string> = new Set([
  "type",
  "description",
  "format",
  "enum",
  "required",
  "default",
  "minimum",
  "pattern",
  "anyOf",
  "properties",
  "additionalProperties",
  "items",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
]);

const FORMATS: Readonly<Record<string, string>> = { int32: "integer", int64: "integer", byte: "string" };
const TYPES = ["object", "array", "string", "integer", "number", "boolean"];

const definitions = await readDefinitions();

/** What the API server would refuse about one schema. Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/validation.go @ v0.33 */
function* structuralFaults(schema: Schema): Generator<string> {
  for (const keyword of Object.keys(schema)) if (!KEYWORDS.has(keyword)) yield `has ${keyword}`;
  const { type, properties, additionalProperties, items, required = [] } = schema;
  const either = schema["x-kubernetes-int-or-string"] === true;
  if (either) {
    if (type !== undefined) yield "has a type besides int-or-string";
    assert.deepEqual(schema.anyOf, [{ type: "integer" }, { type: "string" }]);
  } else {
    if (type === undefined || !TYPES.includes(type)) yield `has type ${type}`;
    if (schema.anyOf !== undefined) yield "has anyOf without int-or-string";
  }
  if ((items === undefined) === (type === "array")) yield "has items and is no array, or the other way round";
  if (type !== "object" && (properties ?? additionalProperties) !== undefined) {
    yield "has fields and is no object";
  }
  if (properties !== undefined && additionalProperties !== undefined) yield "is a map with named fields";
  for (const name of required) if (!(name in (properties ?? {}))) yield `requires unknown ${name}`;
  if (schema.format !== undefined && FORMATS[schema.format] !== type) yield `has format ${schema.format}`;
  if (schema["x-kubernetes-map-type"] !== undefined && type !== "object") {
    yield "has a map-type, is no object";
  }
  if (schema["x-kubernetes-list-type"] !== undefined && type !== "array") {
    yield "has a list-type, is no array";
  }
  const keys = schema["x-kubernetes-list-map-keys"];
  if ((keys === undefined) === (schema["x-kubernetes-list-type"] === "map")) {
    yield "has keys and is no list of type map, or the other way round";
  }
  for (const key of keys ?? []) {
    if (items?.required?.includes(key) !== true) yield `does not require its key ${key}`;
  }
  if ("default" in schema && typeof schema.default !== type) yield "has a default of another type";
  for (const one of schema.enum ?? []) {
    if (Number.isInteger(one) ? type !== "integer" : type !== "string") yield `has ${one} in its enum`;
  }
}

Deno.test("there is a definition for each of upstream's custom resources and no other", () => {
  const names = [...definitions.values()].map(({ metadata }) => metadata.name);
  assert.deepEqual(names.sort(), Object.keys(TABLE).sort());
});

for (const [file, { apiVersion, kind, metadata, spec }] of definitions) {
  const { group, names, versions } = spec;
  const row = TABLE[metadata.name];

  Deno.test(`${file} warns of versions whose objects lose fields`, () => {
    for (const { name, storage, deprecated, deprecationWarning } of versions) {
      const loses = group === "devices.kubeedge.io" && !storage;
      assert.equal(deprecated, loses || undefined, name);
      const warning = new RegExp(`^${group}/${name} ${names.kind} .{1,200}$`);
      if (loses) assert.match(deprecationWarning ?? "", warning);
      else assert.equal(deprecationWarning, undefined);
    }
  });

  Deno.test(`${file} has upstream's group, names, scope, versions and subresources`, () => {
    assert(row !== undefined);
    assert.equal(apiVersion, "apiextensions.k8s.io/v1");
    assert.equal(kind, "CustomResourceDefinition");
    assert.equal(file, `${names.plural}.yaml`);
    assert.equal(metadata.name, `${names.plural}.${group}`);
    const { shortNames = [], ...others } = names;
    assert.deepEqual(others, {
      kind: row.kind,
      listKind: `${row.kind}List`,
      plural: names.plural,
      singular: row.kind.toLowerCase(),
      categories: ["kubeedge"],
    });
    assert.deepEqual(shortNames, row.shortNames ?? []);
    assert.equal(spec.scope, row.scope ?? "Namespaced");
    assert.deepEqual(spec.conversion, { strategy: "None" });
    assert.deepEqual(
      versions.map(({ name, served, storage, subresources }) => ({ name, served, storage, subresources })),
      row.versions.map((name, i) => ({
        name,
        served: true,
        storage: i === 0,
        subresources: row.status && { status: {} },
      })),
    );
  });

  for (const { name, schema, additionalPrinterColumns: columns } of versions) {
    const root = schema.openAPIV3Schema;

    Deno.test(`${file} ${name} has a structural schema`, () => {
      const faults = [...walk(root)].flatMap(([path, one]) =>
        [...structuralFaults(one)].map((fault) => `${path} ${fault}`)
      );
      assert.deepEqual(faults, []);
      assert.equal(root.type, "object");
      assert.equal(root.additionalProperties, undefined);
      const { apiVersion, kind, metadata } = root.properties!;
      assert.deepEqual({ apiVersion, kind, metadata }, {
        apiVersion: { type: "string" },
        kind: { type: "string" },
        metadata: { type: "object" },
      });
    });

    Deno.test(`${file} ${name} tells what each field means`, () => {
      const silent = [...walk(root)].filter(([path, { description = "" }]) =>
        !/^\.(apiVersion|kind|metadata)$|(\[\]|\{\})$/.test(path) && !/^[A-Z].*\.$/.test(description)
      );
      assert.deepEqual(silent.map(([path]) => path), []);
    });

    Deno.test(`${file} ${name} prints columns that its objects have`, () => {
      assert.deepEqual(columns.at(-1), {
        name: "Age",
        type: "date",
        jsonPath: ".metadata.creationTimestamp",
      });
      for (const { name: column, type, jsonPath, priority } of columns.slice(0, -1)) {
        const [, field] = [...walk(root)].find(([path]) => path === jsonPath) ?? [];
        assert(field !== undefined, `${column} is of no field`);
        // The API server prints lists and maps as text.
        const structured = field.type === "object" || field.type === "array";
        assert.equal(type, structured ? "string" : field.type, column);
        assert([undefined, 0, 1].includes(priority), column);
      }
      assert.equal(new Set(columns.map((column) => column.name)).size, columns.length);
    });
  }
}

Deno.test("fields of both versions of a job are the same, so that None converts their specs", () => {
  for (const plural of ["imageprepulljobs", "nodeupgradejobs"]) {
    const [stored, other] = definitions.get(`${plural}.yaml`)!.spec.versions.map(({ schema }) => {
      return new Set([...walk(schema.openAPIV3Schema.properties!.spec!)].map(([path]) => path));
    });
    const lost = [...other!].filter((path) => !stored!.has(path));
    assert.deepEqual(lost, plural === "nodeupgradejobs" ? [".imageDigestGatter.value"] : []);
  }
});
