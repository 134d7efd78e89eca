import { isObject } from "../object.ts";

type Step =
  | { kind: "field"; name: string }
  | { kind: "all" }
  | { kind: "deep" }
  | { kind: "slice"; from: number | undefined; to: number | undefined; only: boolean }
  | { kind: "filter"; left: Operand; operator: string; right: Operand | undefined };

type Operand = { path: readonly Step[] } | { value: unknown };

/** A path into objects, ready to be followed. */
export type JsonPath = readonly Step[];

const MAX_CHARS = 1024;
const MAX_RESULTS = 1000;

/**
 * Reads a path of kubectl's kind, as far as columns and selectable fields use it:
 *
 *     path    = *( "." name | ".." name | ".*" | "[" index "]" | "[" from ":" to "]" | "[*]" | "['" name "']" | "[?(" filter ")]" )
 *     filter  = operand [ ( "==" | "!=" | "<=" | ">=" | "<" | ">" ) operand ]
 *     operand = "@" path | text in quotes | number | "true" | "false"
 *
 * A backslash makes the next character part of a name.
 * Upstream: k8s.io/client-go util/jsonpath/parser.go @ v1.33
 * @returns undefined when the path is of another form
 */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (text.length > MAX_CHARS) return undefined;
  const reader = { text, at: 0 };
  const steps = readSteps(reader);
  return steps !== undefined && reader.at === text.length ? steps : undefined;
}

interface Reader {
  readonly text: string;
  at: number;
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.text);
  if (match !== null) reader.at += match[0].length;
  return match;
}

function readSteps(reader: Reader): Step[] | undefined {
  const steps: Step[] = [];
  for (;;) {
    if (take(reader, /\.\./y)) steps.push({ kind: "deep" });
    else if (!take(reader, /\.(?!$)/y)) {
      if (take(reader, /\.$/y)) return steps;
      if (reader.text[reader.at] !== "[") return steps;
    }
    if (take(reader, /\*/y)) steps.push({ kind: "all" });
    else if (reader.text[reader.at] === "[") {
      const step = readBrackets(reader);
      if (step === undefined) return undefined;
      steps.push(step);
    } else {
      const name = take(reader, /(?:\\.|[^\s.[\]\\()=!<>"'|,])+/y);
      if (name === null) return undefined;
      steps.push({ kind: "field", name: name[0].replace(/\\(.)/g, "$1") });
    }
  }
}

function readBrackets(reader: Reader): Step | undefined {
  if (take(reader, /\[\*\]/y)) return { kind: "all" };
  const name = take(reader, /\[\s*(?:'([^']*)'|"([^"]*)")\s*\]/y);
  if (name !== null) return { kind: "field", name: name[1] ?? name[2] ?? "" };
  const slice = take(reader, /\[(-?\d{1,9})?(:)?(-?\d{1,9})?\]/y);
  if (slice !== null) {
    if (slice[1] === undefined && slice[2] === undefined) return undefined;
    const [from, to] = [slice[1], slice[3]].map((n) => n === undefined ? undefined : Number(n));
    return { kind: "slice", from, to, only: slice[2] === undefined };
  }
  if (!take(reader, /\[\?\(\s*/y)) return undefined;
  const left = readOperand(reader);
  if (left === undefined) return undefined;
  const operator = take(reader, /\s*(==|!=|<=|>=|<|>)\s*/y)?.[1];
  const right = operator === undefined ? undefined : readOperand(reader);
  if (operator !== undefined && right === undefined) return undefined;
  return take(reader, /\s*\)\]/y) ? { kind: "filter", left, operator: operator ?? "", right } : undefined;
}

function readOperand(reader: Reader): Operand | undefined {
  if (take(reader, /@/y)) {
    const path = readSteps(reader);
    return path === undefined ? undefined : { path };
  }
  const text = take(reader, /'([^']*)'|"([^"]*)"/y);
  if (text !== null) return { value: text[1] ?? text[2] ?? "" };
  const number = take(reader, /-?\d{1,15}(?:\.\d{1,15})?/y);
  if (number !== null) return { value: Number(number[0]) };
  const word = take(reader, /true|false/y);
  return word === null ? undefined : { value: word[0] === "true" };
}

/** The values at a path, in order; none where it ends early. */
export function followJsonPath(value: unknown, path: JsonPath): unknown[] {
  let found = [value];
  for (const [i, step] of path.entries()) {
    const next: unknown[] = [];
    for (const one of found) {
      for (const part of follow(one, step)) {
        if (next.length >= MAX_RESULTS) break;
        next.push(part);
      }
    }
    found = next;
    if (found.length === 0 && i >= 0) return [];
  }
  return found;
}

function* follow(value: unknown, step: Step): Generator<unknown> {
  switch (step.kind) {
    case "field":
      if (isObject(value) && Object.hasOwn(value, step.name)) yield value[step.name];
      else if (Array.isArray(value)) { for (const item of value) yield* follow(item, step); }
      return;
    case "all":
      if (Array.isArray(value)) yield* value;
      else if (isObject(value)) { for (const key of Object.keys(value).sort()) yield value[key]; }
      return;
    case "deep":
      yield value;
      if (typeof value === "object" && value !== null) {
        for (const part of Object.values(value)) yield* follow(part, step);
      }
      return;
    case "slice":
      if (!Array.isArray(value)) return;
      if (step.only) {
        const at = step.from! < 0 ? value.length + step.from! : step.from!;
        if (at >= 0 && at < value.length) yield value[at];
      } else yield* value.slice(step.from, step.to);
      return;
    case "filter":
      if (!Array.isArray(value)) return;
      for (const item of value) if (matches(item, step)) yield item;
  }
}

function matches(item: unknown, { left, operator, right }: Extract<Step, { kind: "filter" }>): boolean {
  const read = (operand: Operand) =>
    "path" in operand ? followJsonPath(item, operand.path)[0] : operand.value;
  const a = read(left);
  if (right === undefined) return a !== undefined;
  const b = read(right);
  if (operator === "==") return a === b;
  if (operator === "!=") return a !== undefined && a !== b;
  const comparable = (typeof a === "number" && typeof b === "number") ||
    (typeof a === "string" && typeof b === "string");
  if (!comparable) return false;
  const [x, y] = [a as number, b as number];
  return operator === "<" ? x < y : operator === "<=" ? x <= y : operator === ">" ? x > y : x >= y;
}
