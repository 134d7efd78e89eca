import type { ControllerRevision } from "../../../common/api/apps_v1.ts";
import type { PodTemplateSpec } from "../../../common/api/core_v1.ts";
import type { KubeObject } from "../../../common/api/meta_v1.ts";
import { isAlreadyExists, isNotFound } from "../../../common/errors/mod.ts";
import {
  CONTROLLER_REVISIONS,
  type Informer,
  type KubeReader,
  type KubeWriter,
} from "../../../common/kubeclient/mod.ts";
import { sameTemplate, templateHash } from "./deployment/hash.ts";
import { adoptPatch, controllerOf, controllerReference } from "./owners.ts";

/** The label that tells by which revision of its owner's template a pod was made. */
export const REVISION_LABEL = "controller-revision-hash";
/** Revisions kept beside those in use when the owner does not say. */
const DEFAULT_HISTORY = 10;

/** What remembers the templates it had. */
export interface RevisionOwner extends KubeObject {
  spec?: {
    template: PodTemplateSpec;
    revisionHistoryLimit?: number;
  };
  status?: { collisionCount?: number };
}

/** What revisions are kept with. */
export interface RevisionComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "create" | "patch" | "delete">;
  revisions: Informer<ControllerRevision>;
}

/** What is to be done for the template of today to be the newest revision. */
export type RevisionStep =
  | { kind: "keep"; revision: ControllerRevision }
  | { kind: "renumber"; revision: ControllerRevision; number: number }
  | { kind: "create"; revision: ControllerRevision };

/**
 * Compares the revisions of an owner with its template.
 * Upstream: k8s.io/kubernetes pkg/controller/history/controller_history.go, statefulset/stateful_set_control.go (getStatefulSetRevisions) @ v1.32
 * @param kind of the owner
 */
export function planRevision(
  owner: RevisionOwner,
  kind: string,
  owned: readonly ControllerRevision[],
): RevisionStep {
  const template = owner.spec?.template ?? {};
  const newest = Math.max(0, ...owned.map(({ revision }) => revision));
  const same = owned.filter((revision) => {
    const remembered = templateOf(revision);
    return remembered !== undefined && sameTemplate(remembered, template);
  }).sort((a, b) => b.revision - a.revision)[0];
  if (same !== undefined) {
    return same.revision === newest
      ? { kind: "keep", revision: same }
      : { kind: "renumber", revision: same, number: newest + 1 };
  }
  const hash = templateHash(template, owner.status?.collisionCount ?? 0);
  return {
    kind: "create",
    revision: {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name: `${owner.metadata?.name}-${hash}`,
        namespace: owner.metadata?.namespace ?? "",
        labels: { ...template.metadata?.labels, [REVISION_LABEL]: hash },
        ownerReferences: [controllerReference(owner, "apps/v1", kind)],
      },
      // As kubectl applies it when it rolls back.
      data: { spec: { template: { ...structuredClone(template), $patch: "replace" } } },
      revision: newest + 1,
    },
  };
}

/** The template a revision remembers; undefined when its data is something else. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec | undefined {
  const template = fieldOf(fieldOf(data, "spec"), "template");
  if (typeof template !== "object" || template === null || Array.isArray(template)) return undefined;
  const { $patch: _, ...rest } = template as Record<string, unknown>;
  return rest;
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

/** The oldest revisions beyond the history an owner keeps, of those that are not in use. */
export function excessRevisions(
  { spec }: RevisionOwner,
  owned: readonly ControllerRevision[],
  used: ReadonlySet<string>,
): ControllerRevision[] {
  const idle = owned.filter(({ metadata }) => !used.has(metadata?.name ?? ""))
    .sort((a, b) => a.revision - b.revision);
  return idle.slice(0, Math.max(0, idle.length - (spec?.revisionHistoryLimit ?? DEFAULT_HISTORY)));
}

/** The revisions an owner has. */
export function ownedRevisions(
  owner: RevisionOwner,
  revisions: Informer<ControllerRevision>,
): ControllerRevision[] {
  return revisions.list(owner.metadata?.namespace)
    .filter((revision) => controllerOf(revision)?.uid === owner.metadata?.uid);
}

/**
 * Makes the template of today the newest revision.
 * @returns that revision, or "collision" when its name belongs to something else and the collision count must grow
 */
export async function ensureRevision(
  { kube, revisions }: RevisionComponents,
  owner: RevisionOwner,
  kind: string,
  signal: AbortSignal,
): Promise<ControllerRevision | "collision"> {
  const step = planRevision(owner, kind, ownedRevisions(owner, revisions));
  if (step.kind === "keep") return step.revision;
  const ref = refOf(step.revision);
  if (step.kind === "renumber") {
    const body = {
      metadata: { resourceVersion: step.revision.metadata?.resourceVersion },
      revision: step.number,
    };
    return await kube.patch(CONTROLLER_REVISIONS, ref, { type: "merge", body }, { signal });
  }
  try {
    return await kube.create(CONTROLLER_REVISIONS, step.revision, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const there = await kube.get(CONTROLLER_REVISIONS, ref, { signal });
  const remembered = templateOf(there);
  if (remembered === undefined || !sameTemplate(remembered, owner.spec?.template ?? {})) return "collision";
  const holder = controllerOf(there);
  if (holder !== undefined) return holder.uid === owner.metadata?.uid ? there : "collision";
  const body = adoptPatch(there, controllerReference(owner, "apps/v1", kind));
  return await kube.patch(CONTROLLER_REVISIONS, ref, { type: "merge", body }, { signal });
}

/** Deletes the revisions beyond the history an owner keeps. */
export async function pruneRevisions(
  { kube, revisions }: RevisionComponents,
  owner: RevisionOwner,
  used: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  for (const revision of excessRevisions(owner, ownedRevisions(owner, revisions), used)) {
    const { uid } = revision.metadata ?? {};
    try {
      await kube.delete(CONTROLLER_REVISIONS, refOf(revision), { ...(uid && { preconditions: { uid } }) }, {
        signal,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function refOf({ metadata }: ControllerRevision): { name: string; namespace: string } {
  return { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
}
