import { type ApiObject, objectAt, objectsAt, textAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { Cell, ResourceDefinition } from "./definition.ts";
import { type FieldError, forbidden, notSupported, required } from "./field_error.ts";
import { ageOf } from "./printing.ts";

const ROLE_LABEL = "node-role.kubernetes.io/";

function statusText(node: ApiObject): string {
  const ready = objectsAt(node, "status", "conditions").find((c) => c.type === "Ready");
  const words = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (objectAt(node, "spec").unschedulable === true) words.push("SchedulingDisabled");
  return words.join(",");
}

function rolesText(node: ApiObject): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_LABEL)) return [key.slice(ROLE_LABEL.length)];
    return key === "kubernetes.io/role" && value !== "" ? [value] : [];
  }).filter((role) => role !== "");
  return roles.length === 0 ? "<none>" : [...new Set(roles)].sort().join(",");
}

function addressOf(node: ApiObject, type: string): string {
  return textAt(objectsAt(node, "status", "addresses").find((a) => a.type === type), "address") || "<none>";
}

function row(node: ApiObject, now: number): Cell[] {
  const info = objectAt(node, "status", "nodeInfo");
  return [
    node.metadata.name ?? "",
    statusText(node),
    rolesText(node),
    ageOf(node, now),
    textAt(info, "kubeletVersion"),
    addressOf(node, "InternalIP"),
    addressOf(node, "ExternalIP"),
    textAt(info, "osImage") || "<unknown>",
    textAt(info, "kernelVersion") || "<unknown>",
    textAt(info, "containerRuntimeVersion") || "<unknown>",
  ];
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function validateTaints(node: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  objectsAt(node, "spec", "taints").forEach((taint, i) => {
    if (textAt(taint, "key") === "") errors.push(required(`spec.taints[${i}].key`));
    if (!EFFECTS.includes(textAt(taint, "effect"))) {
      errors.push(notSupported(`spec.taints[${i}].effect`, taint.effect ?? "", EFFECTS));
    }
  });
  return errors;
}

/** Nodes. */
export const NODES: readonly ResourceDefinition[] = [{
  group: "",
  version: "v1",
  resource: "nodes",
  singular: "node",
  kind: "Node",
  shortNames: ["no"],
  namespaced: false,
  schema: "core.v1.Node",
  status: "statusAndMetadata",
  keepsStatusOnCreate: true,
  selectableFields: ["spec.unschedulable"],
  readFields: (o) => ({ "spec.unschedulable": String(objectAt(o, "spec").unschedulable === true) }),
  columns: [
    NAME,
    { name: "Status" },
    { name: "Roles" },
    AGE,
    { name: "Version" },
    { name: "Internal-IP", wide: true },
    { name: "External-IP", wide: true },
    { name: "OS-Image", wide: true },
    { name: "Kernel-Version", wide: true },
    { name: "Container-Runtime", wide: true },
  ],
  row,
  applyDefaults: (node) => {
    node.spec = objectAt(node, "spec");
    const status = objectAt(node, "status");
    if (status.capacity !== undefined && status.allocatable === undefined) {
      status.allocatable = status.capacity;
    }
    node.status = status;
  },
  validate: validateTaints,
  validateUpdate: (node, old) => {
    const had = textAt(old, "spec", "providerID");
    const changed = had !== "" && textAt(node, "spec", "providerID") !== had;
    return changed
      ? [forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')]
      : [];
  },
}];
