import type { Pod, Toleration } from "../../common/api/core_v1.ts";
import { isObject } from "./content.ts";

/** The taint of a node that nobody has heard of. Upstream: k8s.io/api core/v1 TaintNodeUnreachable */
const UNREACHABLE = "node.kubernetes.io/unreachable";
const NOT_READY = "node.kubernetes.io/not-ready";
const NO_EXECUTE = "NoExecute";

/** With value `autonomy` a pod stays on a lost edge whatever its tolerations say. Upstream: kubeedge cloud/pkg/admissioncontroller @ 16cd854 */
export const AUTONOMY_LABEL = "app-offline.kubeedge.io";

/** Upstream: k8s.io/kubernetes plugin/pkg/admission/defaulttolerationseconds (default-unreachable-toleration-seconds) @ v1.33 */
const DEFAULT_SECONDS = 300;

/**
 * The tolerations a pod of an edge node must have so that it is not evicted while its node is lost; undefined when it needs
 * no change, is over, or its owner wants otherwise.
 *
 * Kubernetes gives every pod that says nothing 300 s, after which its node may be as well as ever, only out of reach. The seconds
 * of a toleration may be changed in a pod that runs, and tolerations be added. What the owner wrote is kept: admission adds after
 * the field managers were written down, so a default is told from the same words of an owner by whether a manager has the field,
 * and where one has it by its place at the end.
 *
 * Only of the taint `unreachable`, as upstream's webhook: a node that says itself that it is not ready cannot run the pod.
 * Upstream: kubeedge cloud/pkg/admissioncontroller/mutate_offlinemigration.go @ 16cd854
 * @param pod as the API has it, with managedFields
 */
export function planTolerations(pod: Pod): Toleration[] | undefined {
  const { metadata = {}, spec, status } = pod;
  if (
    metadata.deletionTimestamp !== undefined || status?.phase === "Succeeded" || status?.phase === "Failed"
  ) {
    return undefined;
  }
  const tolerations = spec?.tolerations ?? [];
  // The first that fits decides, as for the API's own controller.
  const at = tolerations.findIndex(toleratesUnreachable);
  if (at < 0) return [...tolerations, { key: UNREACHABLE, operator: "Exists", effect: NO_EXECUTE }];
  const { tolerationSeconds, ...forever } = tolerations[at]!;
  if (tolerationSeconds === undefined) return undefined;
  if (metadata.labels?.[AUTONOMY_LABEL] !== "autonomy" && !isDefault(pod, tolerations, at)) return undefined;
  return tolerations.with(at, forever);
}

function toleratesUnreachable(
  { key = "", operator = "Equal", value = "", effect = "" }: Toleration,
): boolean {
  if (effect !== "" && effect !== NO_EXECUTE) return false;
  if (key !== "" && key !== UNREACHABLE) return false;
  // The taint has no value.
  return operator === "Exists" || (operator === "Equal" && value === "" && key !== "");
}

/** Whether admission added a toleration, not the owner of the pod. */
function isDefault(pod: Pod, tolerations: readonly Toleration[], at: number): boolean {
  const { key, operator, effect, tolerationSeconds } = tolerations[at]!;
  if (key !== UNREACHABLE || operator !== "Exists" || effect !== NO_EXECUTE) return false;
  const { managedFields = [] } = pod.metadata ?? {};
  const owned = managedFields.some(({ fieldsV1 }) => ownsTolerations(fieldsV1));
  // The API server's flag may set another time.
  if (managedFields.length > 0 && !owned) return true;
  if (tolerationSeconds !== DEFAULT_SECONDS || at !== tolerations.length - 1) return false;
  return !owned || tolerations.some((other) => other.key !== UNREACHABLE && other.key !== NOT_READY);
}

function ownsTolerations(fields: unknown): boolean {
  if (!isObject(fields)) return false;
  const spec = fields["f:spec"];
  return isObject(spec) && spec["f:tolerations"] !== undefined;
}
