import type { FieldError } from "../../resources/field_error.ts";
import { child, forbiddenAt, invalidAt, invalidPrinted } from "../schema/field_errors.ts";
import { type JsonSchema, partsOf, tooLargeSchema } from "../schema/json_schema.ts";
import { validateDefaults } from "./defaults.ts";
import { validateKeywords } from "./keywords.ts";
import { validateStructural } from "./structural.ts";

/** Keywords at the root beside a status of its own, as the real server names them: its message lists all of these. */
const ROOT_KEYWORDS =
  "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";
const AT_ROOT: ReadonlySet<string> = new Set([
  ...(ROOT_KEYWORDS.slice(1, -1).split(" ").filter((word) => !word.startsWith("X")).map((word) =>
    word[0]!.toLowerCase() + word.slice(1)
  )),
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-validations",
]);

/** What is wrong with the schema of a version. @param path of the field that holds `openAPIV3Schema` */
export function validateSchema(
  schema: JsonSchema | undefined,
  hasStatus: boolean,
  path: string,
): FieldError[] {
  if (schema === undefined) return [];
  const at = child(path, "openAPIV3Schema");
  const tooLarge = tooLargeSchema(schema);
  if (tooLarge !== undefined) {
    return [forbiddenAt(at, `${tooLarge}: the embedded control plane serves no larger schemas`)];
  }
  const errors: FieldError[] = [];
  if (hasStatus) errors.push(...rootRules(schema, at));
  if (schema.nullable) errors.push(forbiddenAt(child(at, "nullable"), "nullable cannot be true at the root"));
  errors.push(...validateRules(schema, at));
  const keywords = validateKeywords(schema, at);
  // The real server takes a schema with keywords that are not supported for none, and complains of those only.
  if (!keywords.some(({ message }) => message.endsWith("is not supported"))) {
    const structural = validateStructural(schema, at);
    errors.push(...structural);
    if (structural.length === 0) errors.push(...validateDefaults(schema, at));
  }
  errors.push(...keywords);
  return errors;
}

/** What keeps the schema of the status from being taken out of the whole. */
function rootRules(schema: JsonSchema, path: string): FieldError[] {
  for (const [key, value] of Object.entries(schema)) {
    if (key === "type") {
      if (value === "object") continue;
      const why =
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      return [invalidAt(child(path, "type"), value, why)];
    }
    const empty = value === false || value === "" || (Array.isArray(value) && value.length === 0);
    if (AT_ROOT.has(key) || empty) continue;
    const why =
      `only ${ROOT_KEYWORDS} fields are allowed at the root of the schema if the status subresource is enabled`;
    return [invalidPrinted(path, `{"${key}": …}`, why)];
  }
  return [];
}

/** Rules in CEL are refused: taken and not checked they would let through what the author forbade. */
function validateRules(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const look = (one: JsonSchema, at: string) => {
    if (errors.length > 10) return;
    if ((one["x-kubernetes-validations"] ?? []).length > 0) {
      errors.push(
        forbiddenAt(
          child(at, "x-kubernetes-validations"),
          "the embedded control plane evaluates no CEL rules: remove them, or use an API server that does",
        ),
      );
    }
    for (const [name, part] of partsOf(one)) look(part, child(at, name));
  };
  look(schema, path);
  return errors;
}
