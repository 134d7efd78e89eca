import { StatusError } from "../../../common/errors/mod.ts";
import type { DeleteOptions } from "../deletion.ts";
import {
  type ApiObject,
  isObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  timeText,
  valueAt,
} from "../object.ts";
import type { ObjectName, Registry } from "../registry.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { forbiddenWrite } from "../resources/errors.ts";
import { selects } from "../resources/selector_match.ts";

/** Evictions that a budget may have under way. Upstream: k8s.io/kubernetes pkg/registry/core/pod/storage/eviction.go (MaxDisruptedPodSize) */
const MAX_DISRUPTED = 2000;

function violates(cause: string, retryAfterSeconds: number): StatusError {
  return new StatusError(
    "TooManyRequests",
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      details: {
        causes: [{ reason: "DisruptionBudget", message: cause, field: "" }],
        ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
      },
    },
  );
}

/**
 * Deletes a pod if its disruption budget allows that, and counts it there until the budget's controller has seen it go.
 * Upstream: k8s.io/kubernetes pkg/registry/core/pod/storage/eviction.go @ v1.33
 * @throws {StatusError} TooManyRequests when the budget has no room
 */
export function evictPod(
  registry: Registry,
  definition: ResourceDefinition,
  ref: ObjectName,
  options: DeleteOptions,
  now: number,
): void {
  const pod = registry.get(definition, ref);
  const budgets = registry.table.find("policy", "v1", "poddisruptionbudgets");
  if (budgets !== undefined && !isExempt(pod)) {
    const matching = registry.cache(budgets).list(ref.namespace).map(({ text }): ApiObject =>
      JSON.parse(text)
    )
      .filter((budget) => covers(budget, pod));
    if (matching.length > 1) {
      throw new StatusError(
        "InternalError",
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      );
    }
    const [budget] = matching;
    if (budget !== undefined && !isUnhealthyAnyway(budget, pod)) {
      spend(registry, budgets, budget, pod, { now, dryRun: options.dryRun === true });
    }
  }
  registry.delete(definition, ref, options);
}

/** Pods whose end disrupts nothing. */
function isExempt(pod: ApiObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined ||
    ["Succeeded", "Failed", "Pending"].includes(textAt(pod, "status", "phase"));
}

/** An empty selector selects everything, none nothing. */
function covers(budget: ApiObject, pod: ApiObject): boolean {
  const selector = valueAt(budget, "spec", "selector");
  return isObject(selector) && selects(selector, objectAt(pod.metadata, "labels"));
}

/** Whether a pod that does not serve may go without being counted. */
function isUnhealthyAnyway(budget: ApiObject, pod: ApiObject): boolean {
  const ready = objectsAt(pod, "status", "conditions").some((c) => c.type === "Ready" && c.status === "True");
  if (ready) return false;
  if (textAt(budget, "spec", "unhealthyPodEvictionPolicy") === "AlwaysAllow") return true;
  const desired = numberAt(budget, "status", "desiredHealthy");
  return desired > 0 && numberAt(budget, "status", "currentHealthy") >= desired;
}

function spend(
  registry: Registry,
  budgets: ResourceDefinition,
  budget: ApiObject,
  pod: ApiObject,
  { now, dryRun }: { now: number; dryRun: boolean },
): void {
  const name = budget.metadata.name ?? "";
  const status = objectAt(budget, "status");
  if (numberAt(status, "observedGeneration") < (budget.metadata.generation ?? 0)) {
    throw violates(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  const allowed = numberAt(status, "disruptionsAllowed");
  const disrupted = objectAt(status, "disruptedPods");
  if (allowed < 0) throw forbiddenWrite(budgets, name, "pdb disruptions allowed is negative");
  if (Object.keys(disrupted).length > MAX_DISRUPTED) {
    throw forbiddenWrite(
      budgets,
      name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    );
  }
  if (allowed === 0) {
    throw violates(
      `The disruption budget ${name} needs ${numberAt(status, "desiredHealthy")} healthy pods and has ${
        numberAt(status, "currentHealthy")
      } currently`,
      0,
    );
  }
  const ref = { namespace: budget.metadata.namespace ?? "", name };
  registry.update(budgets, ref, (current) => ({
    ...current,
    status: {
      ...status,
      disruptionsAllowed: allowed - 1,
      disruptedPods: { ...disrupted, [pod.metadata.name ?? ""]: timeText(now) },
    },
  }), { subresource: "status", dryRun });
}
