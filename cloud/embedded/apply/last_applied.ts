import { StatusError } from "../../../common/errors/mod.ts";
import { isObject, type JsonObject, objectAt, parseJsonBody, textAt } from "../object.ts";
import { changedFields, compareFields } from "./compare.ts";
import type { Conflict } from "./conflict.ts";
import { difference, type FieldSet, isEmptySet, NO_FIELDS } from "./field_set.ts";
import type { MergeType } from "./merge_type.ts";
import { fieldsOf } from "./walk.ts";

/** Where kubectl keeps what it applied last, when it merges by itself. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The manager that kubectl applies as; only for it the annotation counts. */
export const KUBECTL = "kubectl";

/**
 * What of conflicts stays when fields count as the applier's that kubectl set to what they are when it merged by itself.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/lastappliedmanager.go
 */
export function withoutOwnConflicts(
  conflicts: readonly Conflict[],
  live: JsonObject,
  type: MergeType,
): Conflict[] {
  const own = lastAppliedFields(live, type);
  return conflicts.map((conflict) => ({ ...conflict, fields: difference(conflict.fields, own) }))
    .filter(({ fields }) => !isEmptySet(fields));
}

/** Fields that the annotation has as the object has them. */
function lastAppliedFields(live: JsonObject, type: MergeType): FieldSet {
  const text = textAt(live, "metadata", "annotations", LAST_APPLIED);
  if (text === "") return NO_FIELDS;
  let config: unknown;
  try {
    config = parseJsonBody(text);
  } catch (error) {
    // An annotation that cannot be read, which anyone may have written, speaks for nobody.
    if (!(error instanceof StatusError)) throw error;
    return NO_FIELDS;
  }
  if (!isObject(config) || config.apiVersion !== live.apiVersion) return NO_FIELDS;
  return difference(fieldsOf(config, type), changedFields(compareFields(config, live, type)));
}

/**
 * Keeps the annotation in step where there is one, so that kubectl can go back to merging by itself.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/lastappliedupdater.go
 */
export function withLastApplied(object: JsonObject, config: JsonObject): JsonObject {
  const metadata = objectAt(object, "metadata");
  const annotations = objectAt(metadata, "annotations");
  if (textAt(annotations, LAST_APPLIED) === "") return object;
  const given = objectAt(config, "metadata", "annotations");
  const { [LAST_APPLIED]: _, ...others } = given;
  const bare = {
    ...config,
    metadata: {
      ...objectAt(config, "metadata"),
      ...(Object.keys(others).length > 0 || isObject(objectAt(config, "metadata").annotations)
        ? { annotations: others }
        : {}),
    },
  };
  const text = `${JSON.stringify(sortKeys(bare))}\n`;
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sortKeys(value[key])]));
}
