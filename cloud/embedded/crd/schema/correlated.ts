import { isObject, jsonEqual } from "../../object.ts";
import { fieldSchema, hasField, itemsOf, type JsonSchema, valuesOf } from "./json_schema.ts";

/**
 * A value and what it was before a change, found by the names of fields and the keys of map lists. What is as it was may stay, even when
 * the schema has become stricter.
 * Upstream: k8s.io/apiserver pkg/cel/common/equality.go @ v1.33
 */
export class Correlated {
  readonly #value: unknown;
  readonly #old: unknown;
  readonly #schema: JsonSchema;
  #equal: boolean | undefined;

  constructor(value: unknown, old: unknown, schema: JsonSchema) {
    this.#value = value;
    this.#old = old;
    this.#schema = schema;
  }

  /** Whether nothing has changed. */
  unchanged(): boolean {
    return this.#equal ??= jsonEqual(this.#value, this.#old);
  }

  /** A field; undefined when there was none before. */
  field(name: string): Correlated | undefined {
    const [value, old] = [this.#value, this.#old];
    if (!isObject(value) || !isObject(old) || !Object.hasOwn(value, name) || !Object.hasOwn(old, name)) {
      return undefined;
    }
    const schema = hasField(this.#schema, name) || valuesOf(this.#schema) !== undefined
      ? fieldSchema(this.#schema, name)
      : undefined;
    return schema === undefined ? undefined : new Correlated(value[name], old[name], schema);
  }

  /** An item of a map list; undefined when there was none with its keys, and for lists of other kinds. */
  item(index: number): Correlated | undefined {
    const [value, old, schema] = [this.#value, this.#old, itemsOf(this.#schema)];
    if (!Array.isArray(value) || !Array.isArray(old) || schema === undefined) return undefined;
    if (this.#schema["x-kubernetes-list-type"] !== "map") return undefined;
    const keys = this.#schema["x-kubernetes-list-map-keys"] ?? [];
    const item = value[index];
    if (!isObject(item)) return undefined;
    const found = old.find((one) => isObject(one) && keys.every((key) => jsonEqual(one[key], item[key])));
    return found === undefined ? undefined : new Correlated(item, found, schema);
  }
}
