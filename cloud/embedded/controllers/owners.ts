import type { KubeObject, OwnerReference } from "../../../common/api/meta_v1.ts";
import type { LabelRequirement } from "../../../common/kubeclient/mod.ts";
import { matchesLabels } from "../../../common/kubeclient/mod.ts";

/** The owner that manages an object. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true);
}

/** The reference that makes `owner` the controller of what it makes. */
export function controllerReference(owner: KubeObject, apiVersion: string, kind: string): OwnerReference {
  const { name = "", uid = "" } = owner.metadata ?? {};
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** What an owner has, takes and lets go of the objects around it. */
export interface Claims<T> {
  owned: T[];
  /** Match the selector and have no controller. */
  adopt: T[];
  /** Are owned but no longer match the selector. */
  release: T[];
}

/**
 * Sorts objects by whether an owner has, may take or must let go of them. An owner that is being deleted takes none.
 * Upstream: k8s.io/kubernetes pkg/controller/controller_ref_manager.go (ClaimObject) @ v1.32
 */
export function planClaims<T extends KubeObject>(
  owner: KubeObject,
  selector: readonly LabelRequirement[],
  objects: readonly T[],
): Claims<T> {
  const claims: Claims<T> = { owned: [], adopt: [], release: [] };
  const deleting = owner.metadata?.deletionTimestamp !== undefined;
  for (const object of objects) {
    const matches = matchesLabels(selector, object.metadata?.labels);
    const controller = controllerOf(object);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata?.uid) continue;
      if (matches) claims.owned.push(object);
      else if (!deleting) claims.release.push(object);
    } else if (matches && !deleting && object.metadata?.deletionTimestamp === undefined) {
      claims.adopt.push(object);
    }
  }
  return claims;
}

/** The merge patch that adds an owner to an object, refused by the server when the object changed meanwhile. */
export function adoptPatch(object: KubeObject, owner: OwnerReference): { metadata: object } {
  const { uid, resourceVersion, ownerReferences = [] } = object.metadata ?? {};
  const others = ownerReferences.filter((reference) => reference.uid !== owner.uid);
  return { metadata: { uid, resourceVersion, ownerReferences: [...others, owner] } };
}

/** The merge patch that takes owners off an object, refused by the server when the object changed meanwhile. */
export function releasePatch(object: KubeObject, ownerUids: ReadonlySet<string>): { metadata: object } {
  const { uid, resourceVersion, ownerReferences = [] } = object.metadata ?? {};
  const left = ownerReferences.filter((reference) => !ownerUids.has(reference.uid));
  return { metadata: { uid, resourceVersion, ownerReferences: left.length > 0 ? left : null } };
}
