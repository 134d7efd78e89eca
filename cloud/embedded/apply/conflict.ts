import { StatusError } from "../../../common/errors/mod.ts";
import { type FieldSet, pathsOf } from "./field_set.ts";
import type { ManagerName } from "./managed_fields.ts";
import { compareText, printPath } from "./path_element.ts";

/** Fields of another manager that an applied configuration would change. */
export interface Conflict {
  /** What tells the manager apart. */
  key: string;
  manager: ManagerName;
  fields: FieldSet;
}

/**
 * The error for an applied configuration that would take fields from others.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/conflict.go
 */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const causes: Array<{ reason: string; message: string; field: string }> = [];
  const sections: string[] = [];
  for (const { manager, fields } of [...conflicts].sort((a, b) => compareText(a.key, b.key))) {
    const who = printManager(manager);
    const paths = [...pathsOf(fields)].map(printPath);
    causes.push(
      ...paths.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${who}`, field })),
    );
    sections.push(`conflicts with ${who}:`, ...paths.map((path) => `- ${path}`));
  }
  const [only] = causes;
  const message = causes.length === 1 && only !== undefined
    ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
    : `Apply failed with ${causes.length} conflicts: ${sections.join("\n")}`;
  return new StatusError("Conflict", message, { details: { causes } });
}

function printManager({ manager, operation, apiVersion, subresource }: ManagerName): string {
  const name = JSON.stringify(manager) +
    (subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === "Update" ? `${name} using ${apiVersion}` : name;
}
