/**
 * How server-side apply merges a value of a type.
 *
 * - `atomic`: one owner has all of it: scalars, and lists, maps and structs marked so
 * - `map`: each field has owners of its own: structs and maps; `field` tells the type of one, undefined where the type has no such field
 * - `set`: a list of scalars, each with owners of its own
 * - `keyed`: a list of objects that their keys tell apart; `defaults` fills in keys that an item may leave out
 *
 * Upstream: sigs.k8s.io/structured-merge-diff v4 schema/elements.go
 */
export type MergeType =
  | { kind: "atomic" }
  | { kind: "map"; field(name: string): MergeType | undefined }
  | { kind: "set" }
  | {
    kind: "keyed";
    keys: readonly string[];
    defaults?: Readonly<Record<string, string | number | boolean>>;
    item: MergeType;
  };
