import assert from "node:assert/strict";
import { Ajv } from "ajv";
import { pathsOf, readDefinitions, type Schema, versionOf, walk } from "./definitions_testing.ts";
import { type Fault, FAULTS, faulty, STATUS_FAULTS } from "./faults_testing.ts";
import { type Sample, SAMPLES, titleOf } from "./samples_testing.ts";

const definitions = [...(await readDefinitions()).values()];
const schemaOf = (sample: Sample): Schema => versionOf(definitions, sample).version.schema.openAPIV3Schema;

const ajv = new Ajv({
  strict: false,
  formats: {
    int32: { type: "number", validate: (n: number) => Number.isInteger(n) && Math.abs(n) <= 2 ** 31 },
    int64: { type: "number", validate: Number.isInteger },
    byte: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  },
});

const isGood = (sample: Sample, schema = schemaOf(sample)): boolean => ajv.validate(schema, sample);

Deno.test("there is one sample of each kind and version", () => {
  const expected = definitions.flatMap(({ spec: { group, names, versions } }) =>
    versions.map(({ name }) => `${names.kind} ${group}/${name}`)
  );
  assert.deepEqual(SAMPLES.map(titleOf).sort(), expected.sort());
});

for (const sample of SAMPLES) {
  Deno.test(`${titleOf(sample)} is valid as the sample has it`, () => {
    assert(isGood(sample), ajv.errorsText());
  });

  Deno.test(`${titleOf(sample)} knows the sample's fields and no others`, () => {
    const schema = schemaOf(sample);
    const known = new Set([...walk(schema)].map(([path]) => path));
    assert.deepEqual(new Set(pathsOf(sample, schema)), known);
  });

  Deno.test(`${titleOf(sample)} is not valid with a list, or a map, in place of any field`, () => {
    const schema = schemaOf(sample);
    for (const [path, value] of leavesOf(sample, schema)) {
      assert(!isGood(faulty([titleOf(sample), path, Array.isArray(value) ? {} : []]), schema), path);
    }
  });
}

/** JSON pointers to the fields that the schema knows, with what they hold. */
function* leavesOf(value: unknown, schema: Schema, path = ""): Generator<[path: string, value: unknown]> {
  if (path !== "") yield [path, value];
  if (path === "/metadata" || typeof value !== "object" || value === null) return;
  for (const [name, field] of Object.entries(value)) {
    const known = schema.items ?? schema.properties?.[name] ?? schema.additionalProperties;
    if (known !== undefined) yield* leavesOf(field, known, `${path}/${name}`);
  }
}

for (const fault of [...FAULTS, ...STATUS_FAULTS]) {
  const [title, path, value]: Fault = fault;
  const how = value === undefined ? "without" : "with";
  const what = value === undefined ? "" : ` ${JSON.stringify(value)}`;
  Deno.test(`${title} is not valid ${how} ${path}${what}`, () => {
    assert(!isGood(faulty(fault)));
  });
}
