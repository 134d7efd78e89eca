import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../../common/errors/mod.ts";
import { RESOURCES } from "../resources/table.ts";
import { conform, type SchemaFindings } from "./check.ts";
import { decodeProtobuf } from "./protobuf.ts";
import { SCHEMA } from "./schema.ts";

Deno.test("every resource has its type in the schema, and every type all that it refers to", () => {
  for (const { schema } of RESOURCES) assert.ok(SCHEMA[schema] !== undefined, schema);
  const text = JSON.stringify(SCHEMA);
  for (const [, name] of text.matchAll(/"[@+]([\w.]+)"/g)) assert.ok(SCHEMA[name!] !== undefined, name!);
});

Deno.test("conform() keeps what the type has and reports the rest", () => {
  const found: SchemaFindings = { unknown: [], errors: [] };
  const pod = {
    metadata: { name: "p", x: 1 },
    spec: { containers: [{ name: "c", image: null, prots: [] }], restartPolicy: 3 },
  };
  assert.deepEqual(conform(pod, "@core.v1.Pod", "", found), {
    metadata: { name: "p" },
    spec: { containers: [{ name: "c" }] },
  });
  assert.deepEqual(found.unknown, ["metadata.x", "spec.containers[0].prots"]);
  assert.equal(found.errors.length, 1);
  assert.match(
    found.errors[0]!,
    /cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type string/,
  );
});

Deno.test("conform() leaves out empty lists and maps where the real server's JSON does", () => {
  const found: SchemaFindings = { unknown: [], errors: [] };
  const map = { metadata: { name: "a", labels: {}, finalizers: [] }, data: {} };
  assert.deepEqual(conform(map, "@core.v1.ConfigMap", "", found), { metadata: { name: "a" } });
  const spec = { containers: [], nodeSelector: {}, securityContext: {} };
  assert.deepEqual(conform(spec, "@core.v1.PodSpec", "", found), { containers: [], securityContext: {} });
});

Deno.test("conform() reads scalars as Go does", () => {
  const rows: Array<[string, unknown, boolean]> = [
    ["quantity", "100m", true],
    ["quantity", 2, true],
    ["quantity", "1Gib", false],
    ["int32", 2147483648, false],
    ["int32", 1.5, false],
    ["bytes", "aGk=", true],
    ["bytes", "!", false],
    ["time", "2026-01-01T00:00:00Z", true],
    ["time", "soon", false],
    ["intOrString", "25%", true],
    ["intOrString", true, false],
    ["boolean", "true", false],
  ];
  for (const [type, value, good] of rows) {
    const found: SchemaFindings = { unknown: [], errors: [] };
    conform(value, type as "string", "f", found);
    assert.equal(found.errors.length === 0, good, `${type} ${value}`);
  }
});

/** What kubectl 1.32 sends for `kubectl create configmap a --from-literal=k=v -n ns`. */
function configMapBytes(): Uint8Array<ArrayBuffer> {
  const text = (value: string) => new TextEncoder().encode(value);
  const field = (number: number, bytes: Uint8Array) => [number << 3 | 2, bytes.length, ...bytes];
  const message = (...fields: number[][]) => new Uint8Array(fields.flat());
  const metadata = message(
    field(1, text("a")),
    field(2, text("")),
    field(3, text("ns")),
    field(8, message()),
  );
  const raw = message(field(1, metadata), field(2, message(field(1, text("k")), field(2, text("v")))));
  const typeMeta = message(field(1, text("v1")), field(2, text("ConfigMap")));
  return new Uint8Array([
    0x6b,
    0x38,
    0x73,
    0,
    ...message(field(1, typeMeta), field(2, raw), field(3, text("")), field(4, text(""))),
  ]);
}

const schemaOf = (_: string, kind: string) => kind === "ConfigMap" ? "core.v1.ConfigMap" : undefined;

Deno.test("decodeProtobuf() reads an object, without the zeros that Go writes", () => {
  assert.deepEqual(decodeProtobuf(configMapBytes(), schemaOf), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", namespace: "ns" },
    data: { k: "v" },
  });
});

Deno.test("decodeProtobuf() throws nothing but StatusError, wherever it is cut and whatever is changed", () => {
  const good = configMapBytes();
  const attempt = (bytes: Uint8Array<ArrayBuffer>) => {
    try {
      decodeProtobuf(bytes, schemaOf);
    } catch (error) {
      assert.ok(error instanceof StatusError && error.code === 400, String(error));
    }
  };
  for (let end = 0; end < good.length; end++) attempt(good.slice(0, end));
  fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
    const changed = good.slice();
    changed[at] = byte;
    attempt(changed);
  }));
});
