import type { Deployment, ReplicaSet } from "../../../../common/api/apps_v1.ts";
import type { PodTemplateSpec } from "../../../../common/api/core_v1.ts";
import { controllerReference } from "../owners.ts";
import { HASH_LABEL, sameTemplate, templateHash } from "./hash.ts";
import {
  annotatedNumber,
  byAge,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  maxReplicas,
  REVISION,
  REVISION_HISTORY,
  wantedReplicas,
} from "./numbers.ts";
import { nextSize, type Rollout } from "./plan.ts";

/** Annotations of a deployment that are not for its replica sets. */
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  "deprecated.deployment.rollback.to",
]);

/** Length of the revision history annotation. Upstream: deployment_util.go (MaxRevHistoryLengthInChars) @ v1.32 */
const HISTORY_CHARACTERS = 2000;

/** Sorts the replica sets of a deployment by whether they have its present template; the oldest that has it counts. */
export function sortReplicaSets(deployment: Deployment, owned: readonly ReplicaSet[]): Rollout {
  const template = deployment.spec?.template ?? {};
  const ordered = owned.toSorted(byAge);
  const current = ordered.find((replicaSet) => sameTemplate(replicaSet.spec?.template ?? {}, template));
  return { deployment, current, old: ordered.filter((replicaSet) => replicaSet !== current) };
}

/** The revision that the present template gets: one more than any other has. */
export function nextRevision({ old }: Rollout): number {
  return 1 + Math.max(0, ...old.map((replicaSet) => annotatedNumber(replicaSet, REVISION) ?? 0));
}

/**
 * The annotations a replica set of the present template is to have.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/util/deployment_util.go (SetNewReplicaSetAnnotations) @ v1.32
 */
export function replicaSetAnnotations(
  deployment: Deployment,
  replicaSet: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const annotations: Record<string, string> = { ...replicaSet?.metadata?.annotations };
  for (const [name, value] of Object.entries(deployment.metadata?.annotations ?? {})) {
    if (!OWN_ANNOTATIONS.has(name)) annotations[name] = value;
  }
  const before = annotatedNumber(annotationsOnly(annotations), REVISION);
  if (before === undefined) annotations[REVISION] = String(revision);
  else if (before < revision) {
    annotations[REVISION] = String(revision);
    const history = [...(annotations[REVISION_HISTORY]?.split(",") ?? []), String(before)];
    while (history.length > 1 && history.join(",").length > HISTORY_CHARACTERS) history.shift();
    annotations[REVISION_HISTORY] = history.join(",");
  }
  return annotations;
}

function annotationsOnly(
  annotations: Record<string, string>,
): { metadata: { annotations: Record<string, string> } } {
  return { metadata: { annotations } };
}

/** The annotations by which scaling knows what a size was for. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  return {
    [DESIRED_REPLICAS]: String(wantedReplicas(deployment)),
    [MAX_REPLICAS]: String(maxReplicas(deployment)),
  };
}

/**
 * The replica set to make for the present template.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/sync.go (getNewReplicaSet) @ v1.32
 */
export function newReplicaSet(rollout: Rollout): ReplicaSet {
  const { deployment } = rollout;
  const { metadata, spec } = deployment;
  const template: PodTemplateSpec = structuredClone(spec?.template ?? {});
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${metadata?.name}-${hash}`,
      namespace: metadata?.namespace ?? "",
      labels,
      annotations: {
        ...replicaSetAnnotations(deployment, undefined, nextRevision(rollout)),
        ...sizeAnnotations(deployment),
      },
      ownerReferences: [controllerReference(deployment, "apps/v1", "Deployment")],
    },
    spec: {
      replicas: nextSize(rollout),
      selector: {
        ...spec?.selector,
        matchLabels: { ...spec?.selector?.matchLabels, [HASH_LABEL]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
      ...(spec?.minReadySeconds !== undefined && { minReadySeconds: spec.minReadySeconds }),
    },
  };
}
