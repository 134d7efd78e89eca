/**
 * How server-side apply merges a value of a type.
 *
 * - `atomic`: one owner has all of it: scalars, and lists, maps and structs marked so
 * - `deduced`: nothing is known: an object is a map of such values, whatever else is atomic
 * - `map`: each field has owners of its own: structs and maps; `field` tells the type of one, undefined where the type has no such field
 * - `set`: a list of scalars, each with owners of its own
 * - `keyed`: a list of objects that their keys tell apart; `defaults` fills in keys that an item may leave out
 *
 * Upstream: sigs.k8s.io/structured-merge-diff v4 schema/elements.go
 */
export type MergeType =
  | { kind: "atomic" }
  | { kind: "deduced" }
  | {
    kind: "map";
    field(name: string): MergeType | undefined;
    /** Whether a field is an entry that may come and go, as of a map, and none that the type names. @default none is */
    isEntry?(name: string): boolean;
    /** Fields that every object of the type has, with what they have when nothing was said. @default none */
    zeros?: Readonly<Record<string, unknown>>;
  }
  | { kind: "set" }
  | {
    kind: "keyed";
    keys: readonly string[];
    defaults?: Readonly<Record<string, string | number | boolean>>;
    item: MergeType;
  };

/** A type that has one owner. */
export const ATOMIC: MergeType = { kind: "atomic" };

/** The type of a value that nothing is known of. */
export const DEDUCED: MergeType = { kind: "deduced" };
