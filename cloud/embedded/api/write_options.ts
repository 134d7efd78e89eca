import {
  type FieldError,
  forbidden,
  invalid,
  invalidObject,
  required,
  tooLong,
} from "../resources/field_error.ts";

/** Options of a write, as messages name them. */
export type WriteKind = "CreateOptions" | "UpdateOptions" | "PatchOptions";

/** Upstream: k8s.io/apimachinery pkg/apis/meta/v1/validation (FieldManagerMaxLength) @ v1.33 */
const MAX_MANAGER_BYTES = 128;

/** What is no printable character: letters, marks, numbers, punctuation, symbols and the space are. */
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/**
 * Who a request writes as: its `fieldManager`, or the program that its user agent names.
 * Upstream: k8s.io/apiserver pkg/endpoints/handlers/create.go (managerOrUserAgent) @ v1.33
 * @throws {StatusError} Invalid
 */
export function readManager(request: Request, query: URLSearchParams, kind: WriteKind): string {
  const manager = query.get("fieldManager") ?? "";
  refuse(kind, managerProblems(manager));
  return manager === "" ? programOf(request.headers.get("user-agent") ?? "") : manager;
}

/**
 * Who applies a configuration, and whether fields are taken from others.
 * Upstream: k8s.io/apimachinery pkg/apis/meta/v1/validation (ValidatePatchOptions) @ v1.33
 * @throws {StatusError} Invalid
 */
export function readApplyOptions(query: URLSearchParams): { manager: string; force: boolean } {
  const manager = query.get("fieldManager") ?? "";
  refuse("PatchOptions", [
    ...manager === "" ? [required("fieldManager", "is required for apply patch")] : [],
    ...managerProblems(manager),
  ]);
  return { manager, force: isForced(query.get("force")) };
}

/** Whatever is not false is true. Upstream: k8s.io/apimachinery pkg/runtime/conversion.go (Convert_Slice_string_To_bool) */
function isForced(text: string | null): boolean {
  return text !== null && text !== "0" && text.toLowerCase() !== "false";
}

/** Refuses `force` where nothing can be forced. @throws {StatusError} Invalid */
export function refuseForce(query: URLSearchParams): void {
  if (!query.has("force")) return;
  refuse("PatchOptions", [forbidden("force", "may not be specified for non-apply patch")]);
}

function refuse(kind: WriteKind, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", kind }, "", errors);
}

function managerProblems(manager: string): FieldError[] {
  const errors: FieldError[] = [];
  const bytes = new TextEncoder().encode(manager);
  if (bytes.length > MAX_MANAGER_BYTES) errors.push(tooLong("fieldManager", MAX_MANAGER_BYTES));
  let position = 0;
  for (const character of manager) {
    if (UNPRINTABLE.test(character) && errors.length < 10) {
      const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
      errors.push(
        invalid("fieldManager", manager, `invalid character U+${code} (at position ${position})`),
      );
    }
    position += new TextEncoder().encode(character).length;
  }
  return errors;
}

function programOf(userAgent: string): string {
  let name = "";
  let bytes = 0;
  for (const character of userAgent.split("/")[0]!) {
    if (UNPRINTABLE.test(character)) continue;
    bytes += new TextEncoder().encode(character).length;
    if (bytes > MAX_MANAGER_BYTES) break;
    name += character;
  }
  return name;
}
