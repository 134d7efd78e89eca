import type { LabelSelector } from "../api/meta_v1.ts";

/** Labels of an object. */
export type LabelSet = Readonly<Record<string, string>>;

/** One demand on a label; all of a selector's must hold. */
export type LabelRequirement =
  | { operator: "In" | "NotIn"; key: string; values: readonly string[] }
  | { operator: "Exists" | "DoesNotExist"; key: string };

/** One demand on a field, as in `spec.nodeName=edge-1`. */
export interface FieldRequirement {
  path: string;
  operator: "=" | "!=";
  value: string;
}

/** Requirements one selector may have; more is a mistake or an attack. */
const MAX_REQUIREMENTS = 256;

/**
 * Reads a label selector as it stands in a query.
 *
 *     selector    = requirement *( "," requirement )
 *     requirement = [ "!" ] key / key ( "=" / "==" / "!=" ) value / key ( "in" / "notin" ) "(" value *( "," value ) ")"
 *
 * Upstream: k8s.io/apimachinery pkg/labels/selector.go
 * @throws {SyntaxError}
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  const fail = (why: string): never => {
    throw new SyntaxError(`Cannot parse label selector ${JSON.stringify(text)}: ${why}`);
  };
  const parts = splitOutsideParentheses(text).map((part) => part.trim());
  if (parts.length > MAX_REQUIREMENTS) fail(`more than ${MAX_REQUIREMENTS} requirements`);
  if (parts.length === 1 && parts[0] === "") return [];
  return parts.map((part): LabelRequirement => {
    const set = /^([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
    if (set !== null) {
      const values = set[3]!.split(",").map((value) => value.trim());
      return { operator: set[2] === "in" ? "In" : "NotIn", key: set[1]!, values };
    }
    const equal = /^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)$/.exec(part);
    if (equal !== null) {
      return { operator: equal[2] === "!=" ? "NotIn" : "In", key: equal[1]!, values: [equal[3]!] };
    }
    const exists = /^(!?)\s*([^\s!=,()]+)$/.exec(part);
    if (exists !== null) return { operator: exists[1] === "!" ? "DoesNotExist" : "Exists", key: exists[2]! };
    return fail(`${JSON.stringify(part)} is not a requirement`);
  });
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "," && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** Whether labels meet every requirement; a label that is missing meets NotIn, as upstream. */
export function matchesLabels(requirements: readonly LabelRequirement[], labels: LabelSet = {}): boolean {
  return requirements.every((requirement) => {
    const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    switch (requirement.operator) {
      case "In":
        return value !== undefined && requirement.values.includes(value);
      case "NotIn":
        return value === undefined || !requirement.values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
    }
  });
}

/**
 * The requirements of a LabelSelector object; undefined, which selects nothing, when there is no selector.
 * An empty selector selects everything.
 * Upstream: k8s.io/apimachinery pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector)
 * @throws {SyntaxError} for an operator that is not known
 */
export function requirementsOf(selector: LabelSelector | undefined): LabelRequirement[] | undefined {
  if (selector === undefined) return undefined;
  const requirements: LabelRequirement[] = Object.entries(selector.matchLabels ?? {})
    .map(([key, value]) => ({ operator: "In", key, values: [value] }));
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    switch (operator) {
      case "In":
      case "NotIn":
        requirements.push({ operator, key, values });
        break;
      case "Exists":
      case "DoesNotExist":
        requirements.push({ operator, key });
        break;
      default:
        throw new SyntaxError(`Cannot use label selector: ${JSON.stringify(operator)} is not an operator`);
    }
  }
  return requirements;
}

/** Requirements as a query's label selector. */
export function printLabelSelector(requirements: readonly LabelRequirement[]): string {
  return requirements.map((requirement) => {
    switch (requirement.operator) {
      case "Exists":
        return requirement.key;
      case "DoesNotExist":
        return `!${requirement.key}`;
      default:
        return `${requirement.key} ${requirement.operator === "In" ? "in" : "notin"} (${
          requirement.values.join(",")
        })`;
    }
  }).join(",");
}

/**
 * Reads a field selector: `path=value`, `path==value` or `path!=value`, joined by commas.
 * @throws {SyntaxError}
 */
export function parseFieldSelector(text: string): FieldRequirement[] {
  if (text.trim() === "") return [];
  return text.split(",").map((part) => {
    const match = /^\s*([A-Za-z0-9_.\-/[\]']+?)\s*(==|=|!=)\s*(.*?)\s*$/.exec(part);
    if (match === null) {
      throw new SyntaxError(
        `Cannot parse field selector ${JSON.stringify(text)}: ${JSON.stringify(part)} is not a requirement`,
      );
    }
    return { path: match[1]!, operator: match[2] === "!=" ? "!=" : "=", value: match[3]! };
  });
}

/** Whether an object's fields meet every requirement; a field that is missing counts as empty text. */
export function matchesFields(requirements: readonly FieldRequirement[], object: object): boolean {
  return requirements.every(({ path, operator, value }) => {
    let at: unknown = object;
    for (const name of path.split(".")) {
      at = typeof at === "object" && at !== null && Object.hasOwn(at, name)
        ? (at as Record<string, unknown>)[name]
        : undefined;
    }
    const text = at === undefined || at === null || typeof at === "object" ? "" : String(at);
    return (text === value) === (operator === "=");
  });
}
