import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../object.ts";

/** The media type of OpenAPI v2 in protobuf. */
export const V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

const encoder = new TextEncoder();
type Bytes = Uint8Array<ArrayBuffer>;

/** Fields of a message, in the order in which they are written. */
class Message {
  readonly #parts: Bytes[] = [];
  #length = 0;

  #push(bytes: Bytes): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  bytes(field: number, value: Bytes): this {
    this.#push(varint(field * 8 + 2));
    this.#push(varint(value.length));
    this.#push(value);
    return this;
  }

  message(field: number, value: Message | undefined): this {
    return value === undefined ? this : this.bytes(field, value.finish());
  }

  /** Empty text is left out, as proto3 has it. */
  text(field: number, value: unknown): this {
    return typeof value === "string" && value !== "" ? this.bytes(field, encoder.encode(value)) : this;
  }

  texts(field: number, values: unknown): this {
    for (const value of Array.isArray(values) ? values : []) this.text(field, value);
    return this;
  }

  /** False is left out. */
  flag(field: number, value: unknown): this {
    if (value !== true) return this;
    this.#push(varint(field * 8));
    this.#push(varint(1));
    return this;
  }

  finish(): Bytes {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function varint(value: number): Bytes {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  bytes.push(value);
  return new Uint8Array(bytes);
}

/** A value of any kind: its text as YAML, which JSON is. */
function anyOf(value: unknown): Message {
  return new Message().text(2, `${JSON.stringify(value)}\n`);
}

function extensions(message: Message, field: number, object: JsonObject): Message {
  for (const [name, value] of Object.entries(object)) {
    if (name.startsWith("x-")) message.message(field, new Message().text(1, name).message(2, anyOf(value)));
  }
  return message;
}

function schemaOf(schema: JsonObject): Message {
  const message = new Message()
    .text(1, schema.$ref)
    .text(2, schema.format)
    .text(4, schema.description);
  if (schema.default !== undefined) message.message(5, anyOf(schema.default));
  message.texts(19, schema.required);
  for (const value of Array.isArray(schema.enum) ? schema.enum : []) message.message(20, anyOf(value));
  const more = schema.additionalProperties;
  if (isObject(more)) message.message(21, new Message().message(1, schemaOf(more)));
  else if (more === true) message.message(21, new Message().flag(2, true));
  if (schema.type !== undefined) {
    const types = Array.isArray(schema.type) ? schema.type : [schema.type];
    message.message(22, new Message().texts(1, types));
  }
  if (isObject(schema.items)) message.message(23, new Message().message(1, schemaOf(schema.items)));
  for (const one of objectsAt(schema, "allOf")) message.message(24, schemaOf(one));
  const properties = Object.entries(objectAt(schema, "properties"));
  if (properties.length > 0) message.message(25, named(properties, schemaOf));
  return extensions(message, 31, schema);
}

/** A message whose field 1 repeats names with values. */
function named(entries: Array<[string, unknown]>, print: (value: JsonObject) => Message): Message {
  const message = new Message();
  for (const [name, value] of entries) {
    if (isObject(value)) message.message(1, new Message().text(1, name).message(2, print(value)));
  }
  return message;
}

function parameterOf(parameter: JsonObject): Message {
  const item = new Message();
  const at = textAt(parameter, "in");
  if (at === "body") {
    const body = new Message()
      .text(1, parameter.description)
      .text(2, parameter.name)
      .text(3, at)
      .flag(4, parameter.required);
    if (isObject(parameter.schema)) body.message(5, schemaOf(parameter.schema));
    item.message(1, body);
  } else {
    const path = at === "path";
    const sub = new Message()
      .flag(1, parameter.required)
      .text(2, at)
      .text(3, parameter.description)
      .text(4, parameter.name)
      .text(path ? 5 : 6, parameter.type)
      .flag(path ? 19 : 20, parameter.uniqueItems);
    item.message(2, new Message().message(path ? 4 : 3, sub));
  }
  return new Message().message(1, item);
}

function responseOf(response: JsonObject): Message {
  const message = new Message().text(1, response.description);
  if (isObject(response.schema)) message.message(2, new Message().message(1, schemaOf(response.schema)));
  return new Message().message(1, message);
}

function operationOf(operation: JsonObject): Message {
  const message = new Message()
    .texts(1, operation.tags)
    .text(3, operation.description)
    .text(5, operation.operationId)
    .texts(6, operation.produces)
    .texts(7, operation.consumes);
  for (const parameter of objectsAt(operation, "parameters")) message.message(8, parameterOf(parameter));
  message.message(9, named(Object.entries(objectAt(operation, "responses")), responseOf));
  return extensions(message, 13, operation);
}

/** Fields of PathItem. */
const METHODS: ReadonlyArray<readonly [field: number, method: string]> = [
  [2, "get"],
  [3, "put"],
  [4, "post"],
  [5, "delete"],
  [6, "options"],
  [7, "head"],
  [8, "patch"],
];

function pathItemOf(item: JsonObject): Message {
  const message = new Message();
  for (const [field, method] of METHODS) {
    const operation = item[method];
    if (isObject(operation)) message.message(field, operationOf(operation));
  }
  for (const parameter of objectsAt(item, "parameters")) message.message(9, parameterOf(parameter));
  return extensions(message, 10, item);
}

/**
 * An OpenAPI v2 document in protobuf.
 * Upstream: github.com/google/gnostic-models openapiv2/OpenAPIv2.proto @ v0.6.9
 */
export function printOpenApiV2(document: JsonObject): Bytes {
  const paths = new Message();
  for (const [path, item] of Object.entries(objectAt(document, "paths"))) {
    if (isObject(item)) paths.message(2, new Message().text(1, path).message(2, pathItemOf(item)));
  }
  return new Message()
    .text(1, document.swagger)
    .message(
      2,
      new Message().text(1, textAt(document, "info", "title")).text(2, textAt(document, "info", "version")),
    )
    .message(8, paths)
    .message(9, named(Object.entries(objectAt(document, "definitions")), schemaOf))
    .finish();
}
