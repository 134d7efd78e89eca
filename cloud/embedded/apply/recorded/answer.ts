import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../../object.ts";

/** An answer as far as it is the same on every server and at any time. */
export interface ApplyAnswer {
  status: number;
  /** A Status, without its details' kind of server. */
  failure?: JsonObject;
  /** Entries in an order that does not depend on the time, which is replaced by whether there is one. */
  managedFields?: JsonObject[];
  /** What managers wrote. */
  object?: JsonObject;
}

/** What of an answer is compared. */
export function answerOf(status: number, body: JsonObject, namespace: string): ApplyAnswer {
  const uid = textAt(body, "metadata", "uid") || namespace;
  const own: JsonObject = JSON.parse(
    JSON.stringify(body).replaceAll(namespace, "$NS").replaceAll(uid, "$UID"),
  );
  if (own.kind === "Status") {
    const { message, reason, code, details } = own;
    const causes = objectsAt(details, "causes").map(({ reason, message, field }) =>
      [reason, message, field].join(" ")
    ).sort();
    // The real server goes through what it finds wrong in no order.
    const lines = String(message).split("\n").sort();
    if (own.status === "Success") return { status };
    return { status, failure: { message: lines, reason: reason ?? "InternalError", code, causes } };
  }
  const { labels, annotations, finalizers, ownerReferences } = objectAt(own, "metadata");
  const { spec, data, binaryData, type, kind } = own;
  // The status of a definition is the server's own; here it comes with the write that it is of.
  const entries = objectsAt(own, "metadata", "managedFields").filter((e) => e.manager !== "kube-apiserver");
  const managedFields = entries.map((entry) => ({
    // The keys of an entry, unlike those of its fields, are in another order in custom objects.
    ...Object.fromEntries(Object.entries(entry).sort()),
    time: entry.time !== undefined,
  }));
  const keyOf = (entry: JsonObject) => [entry.operation, entry.manager, entry.subresource].join(" ");
  managedFields.sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
  // Admission gives pods volumes with names by chance.
  const written = { labels, annotations, finalizers, ownerReferences, data, binaryData, type };
  const object = withoutNulls(kind === "Pod" ? written : { ...written, spec });
  return { status, ...(managedFields.length > 0 ? { managedFields } : {}), object: object as JsonObject };
}

/** Nulls are what Go prints for a zero; an object without them in the order of its keys. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value).sort().filter((key) => value[key] !== null && value[key] !== undefined)
      .map((key) => [key, withoutNulls(value[key])]),
  );
}
