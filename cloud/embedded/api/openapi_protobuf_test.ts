import assert from "node:assert/strict";
import { ResourceTable } from "../resources/table.ts";
import { OpenApi } from "./openapi.ts";
import { printOpenApiV2, V2_PROTOBUF } from "./openapi_protobuf.ts";

type Fields = Map<number, Uint8Array[]>;

/** The fields of a message; numbers are left out. */
function read(bytes: Uint8Array): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = bytes[at++];
      assert.ok(byte !== undefined, "the message ends early");
      value += byte % 128 * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag % 8 === 0) varint();
    else {
      assert.equal(tag % 8, 2);
      const length = varint();
      const field = Math.floor(tag / 8);
      fields.set(field, [...fields.get(field) ?? [], bytes.subarray(at, at += length)]);
      assert.ok(at <= bytes.length, "a field is longer than the message");
    }
  }
  return fields;
}

const one = (fields: Fields, field: number) => fields.get(field)?.[0] ?? assert.fail(`no field ${field}`);
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const under = (entries: Uint8Array[] | undefined, name: string): Fields =>
  read(one(entries?.map(read).find((entry) => text(entry.get(1)?.[0]) === name) ?? assert.fail(name), 2));

Deno.test("printOpenApiV2() writes the types and paths of the API", async () => {
  const answer = new OpenApi(new ResourceTable()).answer("/openapi/v2", new Headers({ accept: V2_PROTOBUF }));
  assert.equal(answer.headers.get("content-type"), V2_PROTOBUF.replace("@", "."));
  const document = read(new Uint8Array(await answer.arrayBuffer()));
  assert.equal(text(one(document, 1)), "2.0");
  const definitions = read(one(document, 9)).get(1);
  const pod = under(definitions, "io.k8s.api.core.v1.Pod");
  assert.equal(text(one(read(one(pod, 22)), 1)), "object");
  const spec = under(read(one(pod, 25)).get(1), "spec");
  assert.equal(text(one(spec, 1)), "#/definitions/io.k8s.api.core.v1.PodSpec");
  const [kind] = (pod.get(31) ?? []).map(read).filter((extension) =>
    text(one(extension, 1)) === "x-kubernetes-group-version-kind"
  );
  assert.match(text(one(read(one(kind!, 2)), 2)), /"kind":"Pod"/);
  const podSpec = under(definitions, "io.k8s.api.core.v1.PodSpec");
  assert.ok((podSpec.get(19) ?? []).map(text).includes("containers"));
  const path = under(read(one(document, 8)).get(2), "/api/v1/namespaces/{namespace}/pods/{name}");
  const parameters = (read(one(path, 8)).get(8) ?? []).map((parameter) =>
    text(one(read(one(read(one(read(one(read(parameter), 1)), 2)), 3)), 4))
  );
  assert.ok(parameters.includes("dryRun"), parameters.join());
});

Deno.test("printOpenApiV2() keeps what it is given of every kind of schema", () => {
  const bytes = printOpenApiV2({
    swagger: "2.0",
    info: { title: "T", version: "1" },
    definitions: {
      "ä": {
        type: "object",
        description: "x".repeat(300),
        additionalProperties: { type: "array", items: { $ref: "#/definitions/b" } },
        default: { a: 1 },
        enum: ["p", "q"],
        "x-preserve": true,
      },
    },
  });
  const schema = under(read(one(read(bytes), 9)).get(1), "ä");
  assert.equal(text(one(schema, 4)).length, 300);
  assert.equal(text(one(read(one(schema, 5)), 2)), '{"a":1}\n');
  assert.deepEqual(schema.get(20)?.map((value) => text(one(read(value), 2))), ['"p"\n', '"q"\n']);
  const items = read(one(read(one(read(one(read(one(schema, 21)), 1)), 23)), 1));
  assert.equal(text(one(items, 1)), "#/definitions/b");
  assert.equal(text(one(read(one(schema, 31)), 1)), "x-preserve");
});
