import { type ApiObject, jsonEqual, numberAt, objectAt, objectsAt, textAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { ResourceDefinition } from "./definition.ts";
import { type FieldError, invalid, notSupported, required } from "./field_error.ts";
import { ageOf } from "./printing.ts";

const ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"];
const PRINTED = 3;
/** Upstream: k8s.io/kubernetes pkg/apis/discovery/validation/validation.go @ v1.33 */
const MAX_ENDPOINTS = 1000;
const MAX_PORTS = 20_000;
const MAX_ADDRESSES = 100;

function shortList(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const more = items.length - PRINTED;
  return items.slice(0, PRINTED).join(",") + (more > 0 ? ` + ${more} more...` : "");
}

function validate(slice: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const type = textAt(slice, "addressType");
  if (type === "") errors.push(required("addressType"));
  else if (!ADDRESS_TYPES.includes(type)) errors.push(notSupported("addressType", type, ADDRESS_TYPES));
  const endpoints = objectsAt(slice, "endpoints");
  const most = (field: string, count: number, limit: number) => {
    if (count <= limit) return;
    errors.push({
      reason: "FieldValueTooMany",
      field,
      message: `Too many: ${count}: must have at most ${limit} items`,
    });
  };
  most("endpoints", endpoints.length, MAX_ENDPOINTS);
  most("ports", objectsAt(slice, "ports").length, MAX_PORTS);
  endpoints.forEach(({ addresses }, i) => {
    const list = Array.isArray(addresses) ? addresses : [];
    if (list.length === 0) {
      errors.push(required(`endpoints[${i}].addresses`, "must contain at least 1 address"));
    }
    most(`endpoints[${i}].addresses`, list.length, MAX_ADDRESSES);
  });
  const names = new Set<string>();
  objectsAt(slice, "ports").forEach((port, i) => {
    const name = textAt(port, "name");
    if (names.has(name)) {
      errors.push({
        reason: "FieldValueDuplicate",
        field: `ports[${i}].name`,
        message: `Duplicate value: "${name}"`,
      });
    }
    names.add(name);
  });
  return errors;
}

/** EndpointSlices. */
export const ENDPOINT_SLICE: ResourceDefinition = {
  group: "discovery.k8s.io",
  version: "v1",
  resource: "endpointslices",
  singular: "endpointslice",
  kind: "EndpointSlice",
  namespaced: true,
  schema: "discovery.v1.EndpointSlice",
  generation: true,
  columns: [NAME, { name: "AddressType" }, { name: "Ports" }, { name: "Endpoints" }, AGE],
  row: (o, now) => [
    o.metadata.name ?? "",
    textAt(o, "addressType"),
    shortList(
      objectsAt(o, "ports").map((port) => port.port === undefined ? "*" : String(numberAt(port, "port"))),
      "<unset>",
    ),
    shortList(
      objectsAt(o, "endpoints").flatMap(({ addresses }) =>
        Array.isArray(addresses) ? addresses.map(String) : []
      ),
      "<unset>",
    ),
    ageOf(o, now),
  ],
  applyDefaults: (o) => {
    for (const port of objectsAt(o, "ports")) {
      if (port.name === undefined) port.name = "";
      if (textAt(port, "protocol") === "") port.protocol = "TCP";
    }
    if (!Array.isArray(o.endpoints)) o.endpoints = null;
    if (!Array.isArray(o.ports)) o.ports = null;
  },
  prepareForUpdate: (o, old) => {
    const { metadata: _now, ...now } = o;
    const { metadata: _before, ...before } = old;
    if (
      jsonEqual(now, before) && jsonEqual(objectAt(o.metadata, "labels"), objectAt(old.metadata, "labels"))
    ) return;
    o.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  validate,
  validateUpdate: (o, old) =>
    o.addressType === old.addressType ? [] : [invalid("addressType", o.addressType, "field is immutable")],
};
