import type { Document, Pair, Scalar } from "yaml";
import { StatusError } from "../../../common/errors/mod.ts";

/** Longest YAML that is read: its reader takes some seconds for more. JSON may be as long as any body. */
const MAX_YAML_CHARS = 1024 * 1024;
/** Most anchors and aliases in it: the time they take goes with the square of their number. */
const MAX_ANCHORS = 1000;

/**
 * Refuses what would keep everybody else waiting while it is read.
 * @throws {StatusError} RequestEntityTooLarge, BadRequest
 */
export function checkYaml(text: string): void {
  if (text.length > MAX_YAML_CHARS) {
    throw new StatusError(
      "RequestEntityTooLarge",
      `Request entity too large: limit is ${MAX_YAML_CHARS} for YAML; send JSON`,
    );
  }
  let anchors = 0;
  for (const _ of text.matchAll(/(?<![^\s,[\]{}:?-])[&*][^\s,[\]{}]/g)) {
    if (++anchors > MAX_ANCHORS) {
      throw new StatusError(
        "BadRequest",
        "error converting YAML to JSON: yaml: document contains excessive aliasing",
      );
    }
  }
}

/** The option of the library under which it does not compare each key of a map with each other one. */
export const WITHOUT_COMPARISONS = { uniqueKeys: false } as const;

/** Where keys stand that their map has already, in the order of the text. */
export async function repeatedKeys(document: Document.Parsed): Promise<number[]> {
  const { isScalar, visit } = await import("yaml");
  const found: number[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const keys = new Set<unknown>();
      for (const { key } of items as Array<Pair<Scalar, unknown>>) {
        if (!isScalar(key) || key.source === "<<") continue;
        if (keys.has(key.value)) found.push(key.range?.[0] ?? 0);
        keys.add(key.value);
      }
    },
  });
  return found.sort((a, b) => a - b);
}
