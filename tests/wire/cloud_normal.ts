/**
 * What of a message may differ between a recorded cloud and ours: exactly this, and every other difference fails a test.
 *
 *   header.msg_id, timestamp           other in every message
 *   header.parent_msg_id               the request's id: compared by whose reply a message is
 *   header.resourceversion             whether there is one, and that it is the object's
 *   metadata.uid, resourceVersion      given by the API; uids in owner references and bound objects too
 *   metadata.creationTimestamp, deletionTimestamp, time of the condition PodScheduled: when the API did something
 *   metadata.managedFields             only for API servers: ours does not send them in replies
 *   metadata.ownerReferences of pods   the replayed pod is made by hand and has no ReplicaSet
 *   metadata.generation of pods        Kubernetes has it since 1.33, the embedded control plane is one of 1.32
 *   metadata.deletionGracePeriodSeconds of pods  the embedded control plane deletes at once where Kubernetes first writes 0
 *   taint node.kubernetes.io/not-ready controllers of the control plane put and take it; when is theirs to choose
 *   annotation cloudcore               the address of the cloudcore
 *   annotation node.alpha.kubernetes.io/ttl   a controller of Kubernetes writes it that the embedded control plane has not
 *   apiVersion, kind inside `Object`   Go's client leaves them out; ours names them
 *   null in an object                  Go prints what is not set as null in some places
 *   data of ConfigMap kube-root-ca.crt the cluster's
 *   status.token and times of a TokenRequest, its uid and creationTimestamp
 *   spec.audiences of a TokenRequest   ours leaves out what was not asked for, by which edges would lose the token
 *   ErrStatus.details.kind, ErrStatus.message   upstream's typed client writes the type in its own way
 */
import { isObjectResponse, isStatusContent } from "../../common/model/mod.ts";
import { RECORDED_NODE, type WireMessage } from "./cloud_recording.ts";

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Placeholder when a value has the form; the value itself when not, so that a wrong form shows. */
const as = (form: RegExp, name: string, value: unknown) =>
  typeof value === "string" && form.test(value) ? `<${name}>` : value;

/** A message as it is compared. */
export function normalMessage({ header, route, content }: WireMessage): unknown {
  const { parent_msg_id, resourceversion, msg_id: _id, timestamp, ...rest } = header;
  return {
    header: {
      ...rest,
      timestamp: typeof timestamp === "number" && timestamp > 1e12 ? "<milliseconds>" : timestamp,
      isReply: parent_msg_id !== undefined,
      version: resourceversion === undefined ? "none" : as(/^[1-9]\d*$/, "version", resourceversion),
      isObjectsVersion: resourceversion === undefined || resourceversion === versionIn(content),
    },
    route,
    content: normalContent(content),
  };
}

function versionIn(content: unknown): unknown {
  const object = isObjectResponse(content) ? content.Object : content;
  return isObject(object) && isObject(object.metadata) ? object.metadata.resourceVersion : undefined;
}

function normalContent(content: unknown): unknown {
  if (isObjectResponse(content)) {
    return {
      Object: content.Object === null ? null : normalObject(content.Object, { named: false }),
      Err: content.Err === null ? null : normalStatus(content.Err),
      keys: Object.keys(content).sort(),
    };
  }
  if (isStatusContent(content)) return normalStatus(content);
  return isObject(content) && "metadata" in content ? normalObject(content) : content;
}

function normalStatus(content: unknown): unknown {
  const { ErrStatus, ...rest } = content as { ErrStatus: Json };
  const { message, details, ...status } = ErrStatus;
  const { kind: _kind, ...about } = isObject(details) ? details : {};
  return { ...rest, ErrStatus: { ...status, hasMessage: typeof message === "string", details: about } };
}

/** What an edge keeps, as it is compared. */
export function normalStore(objects: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const entries = [...objects].map(([key, object]) =>
    [key.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uid>"), normalObject(object)] as const
  );
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1));
}

/** A Kubernetes object as it is compared. */
function normalObject(value: unknown, { named = true }: { named?: boolean } = {}): unknown {
  if (!isObject(value)) return value;
  const { apiVersion, kind, metadata, ...rest } = withoutNulls(value) as Json & { metadata?: Json };
  const kindOf = typeof kind === "string" ? kind : "";
  const { managedFields: _fields, ownerReferences, annotations, ...kept } = metadata ?? {};
  const isPod = isObject(rest.spec) && Array.isArray(rest.spec.containers);
  const body: Json = { ...rest };
  if (isPod) {
    delete kept.generation;
    delete kept.deletionGracePeriodSeconds;
  }
  if (kept.name === RECORDED_NODE && isObject(rest.spec)) body.spec = withoutReadinessTaints(rest.spec);
  if (isPod) body.status = normalPodStatus(rest.status);
  if (kindOf === "TokenRequest") {
    const { audiences: _audiences, ...spec } = rest.spec as Json;
    const { token: _token, expirationTimestamp } = rest.status as Json;
    body.spec = normalUids(spec);
    body.status = { token: "<token>", expirationTimestamp: as(TIME, "time", expirationTimestamp) };
  }
  if (kept.name === "kube-root-ca.crt" || kept.name === "openshift-service-ca.crt") {
    body.data = Object.keys((rest.data ?? {}) as Json);
  }
  const { "node.alpha.kubernetes.io/ttl": _ttl, ...noted } = (annotations ?? {}) as Json;
  if ("cloudcore" in noted) noted.cloudcore = as(/^[\d.]+$/, "address", noted.cloudcore);
  return {
    ...(named ? { apiVersion, kind } : {}),
    metadata: {
      ...kept,
      ...(kindOf === "TokenRequest" ? { uid: undefined, creationTimestamp: undefined } : {
        uid: as(UID, "uid", kept.uid),
        resourceVersion: as(/^[1-9]\d*$/, "version", kept.resourceVersion),
        creationTimestamp: as(TIME, "time", kept.creationTimestamp),
      }),
      ...(kept.deletionTimestamp === undefined
        ? {}
        : { deletionTimestamp: as(TIME, "time", kept.deletionTimestamp) }),
      annotations: noted,
      ...(isPod ? {} : { ownerReferences: normalUids(ownerReferences) }),
    },
    ...body,
  };
}

function withoutReadinessTaints({ taints, ...spec }: Json): Json {
  const kept = (Array.isArray(taints) ? taints : []).filter(({ key }) =>
    key !== "node.kubernetes.io/not-ready"
  );
  return kept.length === 0 ? spec : { ...spec, taints: kept };
}

function normalPodStatus(status: unknown): unknown {
  if (!isObject(status) || !Array.isArray(status.conditions)) return status;
  const conditions = status.conditions.map((condition: Json) =>
    condition.type === "PodScheduled"
      ? { ...condition, lastTransitionTime: as(TIME, "time", condition.lastTransitionTime) }
      : condition
  );
  return { ...status, conditions };
}

function normalUids(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null),
    (key, inner) => key === "uid" ? as(UID, "uid", inner) : inner,
  );
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== null).map((
      [key, inner],
    ) => [key, withoutNulls(inner)]),
  );
}
