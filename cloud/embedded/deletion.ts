import { type ApiObject, jsonEqual, timeText } from "./object.ts";
import type { ResourceDefinition } from "./resources/definition.ts";
import { conflict, forbiddenWrite } from "./resources/errors.ts";

/** How to delete. */
export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: boolean;
}

/** Upstream: k8s.io/apiserver pkg/admission/plugin/namespace/lifecycle (immortalNamespaces) @ v1.32 */
const IMMORTAL_NAMESPACES: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

/** What a deletion comes to: nothing new, the object marked, or the object gone. */
export interface DeletionPlan {
  kind: "keep" | "mark" | "remove";
  object: ApiObject;
}

/**
 * Decides what a deletion does to an object.
 * Upstream: k8s.io/apiserver pkg/registry/rest/delete.go (BeforeDelete) @ v1.32
 * @throws {StatusError} Conflict when a precondition does not hold; Forbidden for a namespace that must stay
 */
export function planDeletion(
  definition: ResourceDefinition,
  old: ApiObject,
  options: DeleteOptions,
  now: number,
): DeletionPlan {
  if (definition.kind === "Namespace" && IMMORTAL_NAMESPACES.has(old.metadata.name ?? "")) {
    throw forbiddenWrite(definition, old.metadata.name ?? "", "this namespace may not be deleted");
  }
  checkPreconditions(definition, old, options.preconditions);
  const object = structuredClone(old);
  if (old.metadata.deletionTimestamp === undefined) definition.prepareForDelete?.(object, now);
  const meta = object.metadata;
  const finalizers = finalizersFor(
    meta.finalizers ?? [],
    options.propagationPolicy ?? defaultPolicy(definition, meta.finalizers ?? []),
  );
  if (finalizers.length > 0) meta.finalizers = finalizers;
  else delete meta.finalizers;
  const pending = meta.deletionTimestamp !== undefined;
  const grace = definition.gracePeriodSeconds?.(old, options.gracePeriodSeconds) ?? 0;
  const held = finalizers.length > 0 || specFinalizers(object).length > 0;
  if (!held && grace === 0) {
    // What is given its time shows that it was deleted, also where that time is none.
    if (definition.gracePeriodSeconds !== undefined && !pending) markDeleted(object, now, 0);
    return { kind: "remove", object };
  }
  if (pending) {
    const present = meta.deletionGracePeriodSeconds ?? 0;
    const shorter = options.gracePeriodSeconds !== undefined && grace < present;
    if (shorter) setDeletion(object, now, grace);
    return { kind: jsonEqual(object, old) ? "keep" : "mark", object };
  }
  markDeleted(object, now, grace);
  if (object.kind === "Namespace") {
    object.status = { ...(object.status as object | undefined), phase: "Terminating" };
  }
  return { kind: "mark", object };
}

function markDeleted(object: ApiObject, now: number, grace: number): void {
  setDeletion(object, now, grace);
  const { generation = 0 } = object.metadata;
  if (generation > 0) object.metadata.generation = generation + 1;
}

function setDeletion(object: ApiObject, now: number, grace: number): void {
  object.metadata.deletionTimestamp = timeText(now + grace * 1000);
  object.metadata.deletionGracePeriodSeconds = grace;
}

function specFinalizers({ spec }: ApiObject): unknown[] {
  return typeof spec === "object" && spec !== null && "finalizers" in spec && Array.isArray(spec.finalizers)
    ? spec.finalizers
    : [];
}

/** What becomes of the dependents when the request does not say: they go as well, but for a few resources. */
function defaultPolicy(
  { orphansByDefault }: ResourceDefinition,
  present: readonly string[],
): DeleteOptions["propagationPolicy"] {
  const decided = present.includes("orphan") || present.includes("foregroundDeletion");
  return orphansByDefault !== undefined && !decided ? "Orphan" : undefined;
}

function finalizersFor(present: string[], policy: DeleteOptions["propagationPolicy"]): string[] {
  if (policy === undefined) return present;
  const others = present.filter((f) => f !== "orphan" && f !== "foregroundDeletion");
  if (policy === "Orphan") return [...others, "orphan"];
  return policy === "Foreground" ? [...others, "foregroundDeletion"] : others;
}

function checkPreconditions(
  definition: ResourceDefinition,
  { metadata }: ApiObject,
  preconditions: DeleteOptions["preconditions"] = {},
): void {
  const { uid, resourceVersion } = preconditions;
  // It is the kind that is named here, not the resource.
  const refuse = (why: string) =>
    conflict({ group: definition.group, resource: definition.kind }, metadata.name ?? "", why);
  if (uid !== undefined && uid !== metadata.uid) {
    throw refuse(
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw refuse(
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
  }
}
