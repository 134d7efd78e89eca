import { StatusError } from "../../common/errors/mod.ts";

/** Whether labels, or fields, are selected. */
export type Matcher = (values: Readonly<Record<string, string>> | undefined) => boolean;

const MAX_SELECTOR_CHARS = 64 * 1024;

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/**
 * Reads a label selector:
 *
 *     selector    = requirement *( "," requirement )
 *     requirement = key | "!" key | key ("=" | "==" | "!=") value | key ("in" | "notin") "(" value *( "," value ) ")"
 *                 | key ("<" | ">") integer
 *
 * Upstream: k8s.io/apimachinery pkg/labels/selector.go @ v1.32
 * @throws {StatusError} BadRequest
 */
export function parseLabelSelector(text: string): Matcher {
  if (text.length > MAX_SELECTOR_CHARS) throw badSelector("the selector is too long");
  const all = splitOutsideParentheses(text).map((part) => part.trim());
  if (all.length === 1 && all[0] === "") return () => true;
  const requirements = all.map(parseRequirement);
  return (labels) => requirements.every((matches) => matches(labels));
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0, start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")") depth--;
    else if (text[i] === "," && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function parseRequirement(text: string): Matcher {
  const set = /^([^\s!=<>(),]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set !== null) {
    const key = labelKey(set[1]!);
    const values = new Set(set[3]!.split(",").map((v) => labelValue(v.trim())));
    const inside = (labels: Parameters<Matcher>[0]) => has(labels, key) && values.has(labels![key]!);
    return set[2] === "in" ? inside : (labels) => !inside(labels);
  }
  const compare = /^([^\s!=<>(),]+)\s*(==|=|!=|<|>)\s*([^\s!=<>(),]*)$/.exec(text);
  if (compare !== null) {
    const key = labelKey(compare[1]!);
    const operator = compare[2]!;
    const value = labelValue(compare[3]!);
    if (operator === "<" || operator === ">") {
      const bound = Number(value);
      if (!/^-?\d+$/.test(value)) throw badSelector(`for 'Gt', 'Lt' operators, the value must be an integer`);
      return (labels) => {
        if (!has(labels, key) || !/^-?\d+$/.test(labels![key]!)) return false;
        return operator === "<" ? Number(labels![key]) < bound : Number(labels![key]) > bound;
      };
    }
    if (operator === "!=") return (labels) => !has(labels, key) || labels![key] !== value;
    return (labels) => has(labels, key) && labels![key] === value;
  }
  const exists = /^(!?)\s*([^\s!=<>(),]+)$/.exec(text);
  if (exists === null) throw badSelector(`found '${text.slice(0, 100)}', expected: a requirement`);
  const key = labelKey(exists[2]!);
  return exists[1] === "!" ? (labels) => !has(labels, key) : (labels) => has(labels, key);
}

function has(labels: Parameters<Matcher>[0], key: string): boolean {
  return labels !== undefined && Object.hasOwn(labels, key);
}

function labelKey(key: string): string {
  if (!KEY.test(key)) throw badSelector(`key: Invalid value: ${JSON.stringify(key)}`);
  return key;
}

function labelValue(value: string): string {
  if (!VALUE.test(value)) {
    throw badSelector(
      `values: Invalid value: ${
        JSON.stringify(value)
      }: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
    );
  }
  return value;
}

function badSelector(why: string): StatusError {
  return new StatusError("BadRequest", `unable to parse requirement: ${why}`);
}

/**
 * Reads a field selector: `field=value`, `field==value` or `field!=value`, joined by commas; `\` escapes.
 * @param known the fields of the resource that may be selected
 * @throws {StatusError} BadRequest
 */
export function parseFieldSelector(text: string, known: ReadonlySet<string>): Matcher {
  if (text.length > MAX_SELECTOR_CHARS) throw new StatusError("BadRequest", "the field selector is too long");
  const terms: Array<{ field: string; value: string; equal: boolean }> = [];
  for (const part of text.split(/(?<!\\),/)) {
    if (part === "") continue;
    const match = /^((?:[^=!\\]|\\.)*?)(==|=|!=)(.*)$/s.exec(part);
    if (match === null) {
      throw new StatusError(
        "BadRequest",
        `invalid selector: '${text.slice(0, 200)}'; can't understand '${part.slice(0, 200)}'`,
      );
    }
    const field = match[1]!.trim();
    if (!known.has(field)) {
      throw new StatusError("BadRequest", `field label not supported: ${field.slice(0, 200)}`);
    }
    terms.push({ field, value: match[3]!.replace(/\\(.)/g, "$1"), equal: match[2] !== "!=" });
  }
  return (fields) => terms.every(({ field, value, equal }) => ((fields?.[field] ?? "") === value) === equal);
}
