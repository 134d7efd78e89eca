import { type ApiObject, isObject, jsonEqual, numberAt, objectAt, textAt } from "../object.ts";
import type { Cell, ResourceDefinition } from "./definition.ts";
import { type FieldError, invalid, required } from "./field_error.ts";
import { qualifiedNameProblems } from "./metadata.ts";
import { humanDuration, since } from "./printing.ts";

/** Fields of an event in core/v1 and what events.k8s.io/v1 calls them. */
const NAMES: ReadonlyArray<readonly [core: string, events: string]> = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["reportingComponent", "reportingController"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
];

function rename(object: ApiObject, apiVersion: string, names: ReadonlyMap<string, string>): ApiObject {
  const renamed: ApiObject = { apiVersion, kind: object.kind, metadata: object.metadata };
  for (const [key, value] of Object.entries(object)) {
    if (!(key in renamed)) renamed[names.get(key) ?? key] = value;
  }
  return renamed;
}

const TO_EVENTS = new Map(NAMES);
const TO_CORE = new Map(NAMES.map(([core, events]) => [events, core] as const));

const SELECTABLE = [
  "involvedObject.kind",
  "involvedObject.namespace",
  "involvedObject.name",
  "involvedObject.uid",
  "involvedObject.apiVersion",
  "involvedObject.resourceVersion",
  "involvedObject.fieldPath",
  "reason",
  "reportingComponent",
  "source",
  "type",
] as const;

function readFields(object: object): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const field of SELECTABLE) {
    const value = field === "source"
      ? textAt(object, "source", "component") || textAt(object, "reportingComponent")
      : textAt(object, ...field.split("."));
    if (value !== "") fields[field] = value;
  }
  return fields;
}

function lastSeen(event: ApiObject, now: number): string {
  const series = event.series;
  if (isObject(series)) {
    return `${since(textAt(series, "lastObservedTime"), now)} (x${numberAt(series, "count")} over ${
      since(firstTime(event), now)
    })`;
  }
  const count = numberAt(event, "count");
  const last = textAt(event, "lastTimestamp") || firstTime(event);
  return count > 1
    ? `${since(last, now)} (x${count} over ${since(firstTime(event), now)})`
    : since(last, now);
}

function firstTime(event: ApiObject): string {
  return textAt(event, "firstTimestamp") || textAt(event, "eventTime");
}

function row(event: ApiObject, now: number): Cell[] {
  const target = objectAt(event, "involvedObject");
  const component = textAt(event, "source", "component") || textAt(event, "reportingComponent");
  const host = textAt(event, "source", "host") || textAt(event, "reportingInstance");
  const kind = textAt(target, "kind").toLowerCase();
  return [
    lastSeen(event, now).replace(/ \(x.*$/, ""),
    textAt(event, "type"),
    textAt(event, "reason"),
    textAt(target, "name") === "" ? kind : `${kind}/${textAt(target, "name")}`,
    textAt(target, "fieldPath"),
    host === "" ? component : `${component}, ${host}`,
    textAt(event, "message").trim(),
    firstTime(event) === "" ? "<unknown>" : humanDuration(now - Date.parse(firstTime(event))),
    Math.max(1, numberAt(event, "series", "count"), numberAt(event, "count")),
    event.metadata.name ?? "",
  ];
}

/** Upstream: k8s.io/kubernetes pkg/apis/core/validation/events.go @ v1.33 */
const MAX_EVENT_FIELD_CHARS = 128;
const MAX_NOTE_CHARS = 1024;

/** What is wrong with an event of either version, in the form of the core group. */
function validateEvent(event: ApiObject, newer: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const about = textAt(event, "involvedObject", "namespace");
  const own = event.metadata.namespace ?? "";
  if (about === "" ? own !== "" && own !== "default" : about !== own) {
    errors.push(invalid("involvedObject.namespace", about, "does not match event.namespace"));
  }
  if (textAt(event, "eventTime") === "") return errors;
  const controllerField = newer ? "reportingController" : "reportingComponent";
  const controller = textAt(event, "reportingComponent");
  if (controller === "") errors.push(required(controllerField));
  for (const why of qualifiedNameProblems(controller)) errors.push(invalid(controllerField, controller, why));
  for (const field of ["reportingInstance", "action", "reason"]) {
    const text = textAt(event, field);
    if (text === "") errors.push(required(field));
    if (text.length > MAX_EVENT_FIELD_CHARS) {
      errors.push(invalid(field, "", `can have at most ${MAX_EVENT_FIELD_CHARS} characters`));
    }
  }
  if (textAt(event, "message").length > MAX_NOTE_CHARS) {
    errors.push(invalid("message", "", `can have at most ${MAX_NOTE_CHARS} characters`));
  }
  return errors;
}

/** What is wrong with a new event that is made in events.k8s.io, whose rules are stricter. */
function validateNewer(event: ApiObject): FieldError[] {
  const errors = validateEvent(event, true);
  if (isObject(event.series)) {
    if (numberAt(event.series, "count") < 2) errors.push(invalid("series.count", "", "should be at least 2"));
    if (textAt(event.series, "lastObservedTime") === "") errors.push(required("series.lastObservedTime"));
  }
  if (textAt(event, "eventTime") === "") errors.push(required("eventTime"));
  const type = textAt(event, "type");
  if (type === "") errors.push(required("type"));
  else if (type !== "Normal" && type !== "Warning") {
    errors.push(invalid("type", "", `has invalid value: ${type.slice(0, 100)}`));
  }
  for (const field of ["firstTimestamp", "lastTimestamp", "count", "source"]) {
    const value = event[field];
    const set = isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
    if (set) errors.push(invalid(field, "", "needs to be unset"));
  }
  return errors;
}

/** What an update in events.k8s.io may not change: everything but the series. */
const FIXED = [
  "involvedObject",
  "reason",
  "message",
  "source",
  "firstTimestamp",
  "lastTimestamp",
  "count",
  "type",
  "eventTime",
  "action",
  "related",
  "reportingComponent",
  "reportingInstance",
] as const;

function validateNewerUpdate(event: ApiObject, old: ApiObject): FieldError[] {
  return FIXED.filter((field) => !jsonEqual(event[field], old[field])).map((field) =>
    invalid(field, event[field] ?? null, "field is immutable")
  );
}

const CORE_EVENTS: ResourceDefinition = {
  group: "",
  version: "v1",
  resource: "events",
  singular: "event",
  kind: "Event",
  shortNames: ["ev"],
  namespaced: true,
  schema: "core.v1.Event",
  durability: "process",
  nameRule: "path",
  selectableFields: SELECTABLE,
  readFields,
  columns: [
    { name: "Last Seen" },
    { name: "Type" },
    { name: "Reason" },
    { name: "Object" },
    { name: "Subobject", wide: true },
    { name: "Source", wide: true },
    { name: "Message" },
    { name: "First Seen", wide: true },
    { name: "Count", wide: true },
    { name: "Name", format: "name", wide: true },
  ],
  row,
  validateWrite: ({ object }) => validateEvent(object, false),
};

/** What events.k8s.io calls the fields of selectors. */
const SELECTABLE_NEWER: Readonly<Record<string, string>> = Object.fromEntries(
  SELECTABLE.filter((field) => field !== "source").map((field) => [
    field.replace("involvedObject.", "regarding.").replace("reportingComponent", "reportingController"),
    field,
  ]),
);

/** Events, under both groups that serve them; the objects are those of the core group. */
export const EVENTS: readonly ResourceDefinition[] = [CORE_EVENTS, {
  ...CORE_EVENTS,
  group: "events.k8s.io",
  schema: "events.v1.Event",
  selectableFields: [],
  fieldNames: SELECTABLE_NEWER,
  validateWrite: ({ object, old }) => {
    const event = rename(object, "v1", TO_CORE);
    if (old === undefined) return validateNewer(event);
    return [...validateEvent(event, true), ...validateNewerUpdate(event, rename(old, "v1", TO_CORE))];
  },
  storedAs: {
    key: "events",
    toStored: (object) => rename(object, "v1", TO_CORE),
    fromStored: (object) => rename(object, "events.k8s.io/v1", TO_EVENTS),
  },
  row: (object, now) => row(rename(object, "v1", TO_CORE), now),
}];
