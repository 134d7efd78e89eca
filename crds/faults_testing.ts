/** What is wrong with bad objects; for tests. */
import { type Sample, SAMPLES, titleOf } from "./samples_testing.ts";

/** What makes the good object of a kind and version a bad one: the field that a JSON pointer names with another value, or without one. */
export type Fault = readonly [object: string, pointer: string, value: unknown];

const job = "ConfigUpdateJob operations.kubeedge.io/v1alpha2";
const device = "Device devices.kubeedge.io/v1beta1";
const oldDevice = "Device devices.kubeedge.io/v1alpha2";
const model = "DeviceModel devices.kubeedge.io/v1beta1";
const application = "EdgeApplication apps.kubeedge.io/v1alpha1";
const access = "ServiceAccountAccess policy.kubeedge.io/v1alpha1";
const group = "/spec/workloadScope/targetNodeGroups/0";

export const FAULTS: readonly Fault[] = [
  [device, "/spec/properties/0/desired/value", undefined],
  [device, "/spec/properties/0/desired/value", 21],
  [device, "/spec/properties/0/desired/metadata/type", 1],
  [device, "/spec/properties/0/collectCycle", 1.5],
  [device, "/spec/properties/0/collectCycle", "1s"],
  [device, "/spec/properties/0/pushMethod/mqtt/retained", "yes"],
  [device, "/spec/protocol/configData", "9600"],
  [device, "/spec/nodeName", ["edge-1"]],
  [device, "/spec/methods/0/propertyNames", "offset"],
  [oldDevice, "/spec/nodeSelector/nodeSelectorTerms", undefined],
  [oldDevice, "/spec/nodeSelector/nodeSelectorTerms/0/matchExpressions/0/key", undefined],
  [oldDevice, "/spec/nodeSelector/nodeSelectorTerms/0/matchFields/0/operator", undefined],
  [oldDevice, "/spec/protocol/common/com/baudRate", 9601],
  [oldDevice, "/spec/protocol/common/com/dataBits", 9],
  [oldDevice, "/spec/protocol/common/com/stopBits", 3],
  [oldDevice, "/spec/protocol/common/com/parity", "mark"],
  [oldDevice, "/spec/protocol/common/collectType", "SYNC"],
  [oldDevice, "/spec/propertyVisitors/0/modbus/register", "coil"],
  [oldDevice, "/spec/propertyVisitors/0/modbus/scale", "0.1"],
  [oldDevice, "/spec/propertyVisitors/0/bluetooth/dataWrite/ON", "not base64"],
  [oldDevice, "/status/twins/0/desired/value", undefined],
  [oldDevice, "/status/twins/0/reported/value", undefined],
  [model, "/spec/properties/0/type", "int"],
  [model, "/spec/properties/0/accessMode", "WriteOnly"],
  [model, "/spec/properties/0/maximum", 120],
  ["DeviceModel devices.kubeedge.io/v1alpha2", "/spec/properties/0/type/int/accessMode", "WriteOnly"],
  ["DeviceModel devices.kubeedge.io/v1alpha2", "/spec/properties/0/type/int/maximum", 0.5],
  ["DeviceStatus devices.kubeedge.io/v1beta1", "/status/twins/0/reported/value", undefined],
  ["DeviceStatus devices.kubeedge.io/v1beta1", "/status/twins/0/observedDesired/value", undefined],
  ["DeviceStatus devices.kubeedge.io/v1beta1", "/status/extensions", []],
  ["DeviceStatus devices.kubeedge.io/v1alpha2", "/twins/0/desired/value", undefined],
  ["ObjectSync reliablesyncs.kubeedge.io/v1alpha1", "/spec/objectName", 1],
  ["ClusterObjectSync reliablesyncs.kubeedge.io/v1alpha1", "/spec/objectKind", 1],
  ["Rule rules.kubeedge.io/v1", "/spec/source", undefined],
  ["Rule rules.kubeedge.io/v1", "/spec/sourceResource", undefined],
  ["Rule rules.kubeedge.io/v1", "/spec/target", undefined],
  ["Rule rules.kubeedge.io/v1", "/spec/targetResource", undefined],
  ["Rule rules.kubeedge.io/v1", "/spec/targetResource/path", 1],
  ["Rule rules.kubeedge.io/v1", "/status/failMessages", "1"],
  ["RuleEndpoint rules.kubeedge.io/v1", "/spec/ruleEndpointType", undefined],
  ["RuleEndpoint rules.kubeedge.io/v1", "/spec/ruleEndpointType", "mqtt"],
  ["RuleEndpoint rules.kubeedge.io/v1", "/spec/properties/service_port", 6666],
  ["NodeUpgradeJob operations.kubeedge.io/v1alpha2", "/spec/imageDigestGatter/registryAPI/host", undefined],
  ["NodeUpgradeJob operations.kubeedge.io/v1alpha2", "/spec/requireConfirmation", "true"],
  ["NodeUpgradeJob operations.kubeedge.io/v1alpha1", "/spec/imageDigestGatter/registryAPI/token", undefined],
  ["NodeUpgradeJob operations.kubeedge.io/v1alpha1", "/spec/failureTolerate", 0.3],
  ["ImagePrePullJob operations.kubeedge.io/v1alpha2", "/spec", undefined],
  ["ImagePrePullJob operations.kubeedge.io/v1alpha2", "/spec/imagePrePullTemplate/timeoutSeconds", -1],
  ["ImagePrePullJob operations.kubeedge.io/v1alpha1", "/spec", undefined],
  ["ImagePrePullJob operations.kubeedge.io/v1alpha1", "/spec/imagePrePullTemplate/images", "nginx"],
  [job, "/spec/updateFields", undefined],
  [job, "/spec/updateFields", ["modules"]],
  [job, "/spec/labelSelector/matchExpressions/0/operator", undefined],
  ["NodeGroup apps.kubeedge.io/v1alpha1", "/spec", undefined],
  ["NodeGroup apps.kubeedge.io/v1alpha1", "/spec/topologyEnabled", "yes"],
  [application, "/spec", undefined],
  [application, "/spec/workloadScope", undefined],
  [application, "/spec/workloadTemplate/manifests/0", "ConfigMap"],
  [application, `${group}/name`, undefined],
  [application, `${group}/overriders/imageOverriders/0/component`, "Digest"],
  [application, `${group}/overriders/imageOverriders/0/operator`, undefined],
  [application, `${group}/overriders/imageOverriders/0/predicate/path`, undefined],
  [application, `${group}/overriders/commandOverriders/0/operator`, "replace"],
  [application, `${group}/overriders/argsOverriders/0/containerName`, undefined],
  [application, `${group}/overriders/envOverriders/0/operator`, "set"],
  [application, `${group}/overriders/envOverriders/0/value/0/name`, undefined],
  [application, `${group}/overriders/envOverriders/0/value/1/valueFrom/configMapKeyRef/key`, undefined],
  [application, `${group}/overriders/resourcesOverriders/0/value`, undefined],
  [application, `${group}/overriders/resourcesOverriders/0/value/limits/cpu`, true],
  [application, `${group}/overriders/resourcesOverriders/0/value/limits/memory`, "64 Mi"],
  [access, "/spec", undefined],
  [access, "/spec/serviceAccount/secrets/0/name", undefined],
  [access, "/spec/accessRoleBinding/0/roleBinding/roleRef", undefined],
  [access, "/spec/accessRoleBinding/0/roleBinding/subjects/0/kind", undefined],
  [access, "/spec/accessRoleBinding/0/rules/0/verbs", undefined],
  [access, "/spec/accessClusterRoleBinding/0/clusterRoleBinding/roleRef/name", undefined],
];

/** Faults in what only the status subresource takes. */
export const STATUS_FAULTS: readonly Fault[] = [
  ["ObjectSync reliablesyncs.kubeedge.io/v1alpha1", "/status/objectResourceVersion", 4711],
  ["NodeUpgradeJob operations.kubeedge.io/v1alpha2", "/status/phase", undefined],
  ["NodeUpgradeJob operations.kubeedge.io/v1alpha1", "/status/nodeStatus/0/state", 1],
  ["ImagePrePullJob operations.kubeedge.io/v1alpha2", "/status/phase", undefined],
  [job, "/status/phase", undefined],
  ["NodeGroup apps.kubeedge.io/v1alpha1", "/status/nodeStatuses/0/nodeName", undefined],
  ["NodeGroup apps.kubeedge.io/v1alpha1", "/status/nodeStatuses/0/readyStatus", undefined],
  ["NodeGroup apps.kubeedge.io/v1alpha1", "/status/nodeStatuses/0/selectionStatus", undefined],
  [application, "/status/workloadStatus/0/identifier", undefined],
  [application, "/status/workloadStatus/0/identifier/ordinal", undefined],
  [application, "/status/workloadStatus/0/identifier/ordinal", -1],
  [application, "/status/workloadStatus/0/conditions", "Failed"],
  [access, "/status/nodeList", "edge-1"],
];

/** The good object that a fault names, with the fault. @throws when the object or the field is not there */
export function faulty([title, pointer, value]: Fault): Sample {
  const good = SAMPLES.find((sample) => titleOf(sample) === title);
  if (good === undefined) throw new Error(`There is no sample of ${title}`);
  const object = structuredClone(good);
  const keys = pointer.split("/").slice(1);
  const last = keys.pop()!;
  let parent: Record<string, unknown> = object;
  for (const key of keys) parent = parent[key] as Record<string, unknown>;
  if (!(last in parent)) throw new Error(`The sample of ${title} has no ${pointer}`);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return object;
}
