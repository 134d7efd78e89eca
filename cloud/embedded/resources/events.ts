import { type ApiObject, isObject, numberAt, objectAt, textAt } from "../object.ts";
import type { Cell, ResourceDefinition } from "./definition.ts";
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
};

/** Events, under both groups that serve them; the objects are those of the core group. */
export const EVENTS: readonly ResourceDefinition[] = [CORE_EVENTS, {
  ...CORE_EVENTS,
  group: "events.k8s.io",
  schema: "events.v1.Event",
  storedAs: {
    key: "events",
    toStored: (object) => rename(object, "v1", TO_CORE),
    fromStored: (object) => rename(object, "events.k8s.io/v1", TO_EVENTS),
  },
  row: (object, now) => row(rename(object, "v1", TO_CORE), now),
}];
