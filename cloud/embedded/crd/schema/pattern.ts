import { type CharSet, parsePattern, PatternError, type PatternNode } from "./pattern_syntax.ts";

/** A compiled pattern. */
export interface Pattern {
  /** Whether the pattern is found in a text; undefined when the work that is left does not suffice to tell. */
  found(text: string, work?: Work): boolean | undefined;
}

/** Work that may yet be done for patterns, in steps, so that all the texts of one object together are bounded. */
export interface Work {
  left: number;
}

/** As much work as one object may take: a fraction of a second. */
export function patternWork(): Work {
  return { left: MAX_WORK };
}

type Step =
  | { op: "set"; set: CharSet; fold: boolean }
  | { op: "split"; to: number[] }
  | { op: "assert"; what: Extract<PatternNode, { kind: "assert" }>["what"] }
  | { op: "match" };

const MAX_STEPS = 10_000;
const MAX_WORK = 10_000_000;

/**
 * Compiles a pattern of a schema. It is matched by following all ways at once, so that the time grows with the length of pattern
 * times text and no pattern can make it explode, as it could with the runtime's own expressions.
 * @throws {PatternError}
 */
export function compilePattern(pattern: string): Pattern {
  const steps: Step[] = [];
  emit(parsePattern(pattern), steps);
  steps.push({ op: "match" });
  return { found: (text, work = patternWork()) => run(steps, text, work) };
}

function add(steps: Step[], step: Step): number {
  if (steps.length >= MAX_STEPS) {
    throw new PatternError("error parsing regexp: expression too large");
  }
  return steps.push(step) - 1;
}

/** Every step leads to the next one, unless it is a split. */
function emit(node: PatternNode, steps: Step[]): void {
  switch (node.kind) {
    case "empty":
      return;
    case "set":
      add(steps, { op: "set", set: node.set, fold: node.fold });
      return;
    case "assert":
      add(steps, { op: "assert", what: node.what });
      return;
    case "sequence":
      for (const one of node.nodes) emit(one, steps);
      return;
    case "choice": {
      const split = { op: "split", to: [] as number[] } as const;
      add(steps, split);
      const ends: Array<{ op: "split"; to: number[] }> = [];
      for (const one of node.nodes) {
        split.to.push(steps.length);
        emit(one, steps);
        const end = { op: "split" as const, to: [] };
        add(steps, end);
        ends.push(end);
      }
      for (const { to } of ends) to.push(steps.length);
      return;
    }
    case "repeat": {
      for (let i = 0; i < node.min; i++) emit(node.node, steps);
      if (node.max === Infinity) {
        const split = { op: "split" as const, to: [] as number[] };
        const at = add(steps, split);
        emit(node.node, steps);
        add(steps, { op: "split", to: [at] });
        split.to.push(at + 1, steps.length);
        return;
      }
      const splits: Array<{ to: number[] }> = [];
      for (let i = node.min; i < node.max; i++) {
        const split = { op: "split" as const, to: [] as number[] };
        split.to.push(add(steps, split) + 1);
        splits.push(split);
        emit(node.node, steps);
      }
      for (const { to } of splits) to.push(steps.length);
    }
  }
}

function run(steps: readonly Step[], text: string, work: Work): boolean | undefined {
  const seen = new Uint32Array(steps.length);
  let generation = 0;
  let states: number[] = [];
  let previous = -1;
  let at = 0;
  const todo: number[] = [];
  /** Adds a step and all it leads to without reading a character; tells whether the pattern is found. */
  const reach = (start: number, into: number[], next: number): boolean => {
    todo.push(start);
    for (let step = todo.pop(); step !== undefined; step = todo.pop()) {
      if (seen[step] === generation) continue;
      seen[step] = generation;
      work.left--;
      const what = steps[step]!;
      if (what.op === "match") {
        todo.length = 0;
        return true;
      }
      if (what.op === "split") todo.push(...what.to);
      else if (what.op === "set") into.push(step);
      else if (holds(what.what, previous, next)) todo.push(step + 1);
    }
    return false;
  };
  for (;;) {
    const code = at < text.length ? text.codePointAt(at)! : -1;
    // A match may begin anywhere; states of earlier beginnings are in the set already.
    generation++;
    const now: number[] = [];
    for (const step of states) if (reach(step, now, code)) return true;
    if (reach(0, now, code)) return true;
    if (code < 0) return false;
    if (work.left < 0) return undefined;
    states = [];
    for (const step of now) {
      const what = steps[step]!;
      if (what.op === "set" && contains(what.set, what.fold, code)) states.push(step + 1);
    }
    previous = code;
    at += code > 0xffff ? 2 : 1;
  }
}

function holds(what: Extract<Step, { op: "assert" }>["what"], previous: number, next: number): boolean {
  switch (what) {
    case "begin":
      return previous < 0;
    case "end":
      return next < 0;
    case "lineBegin":
      return previous < 0 || previous === 10;
    case "lineEnd":
      return next < 0 || next === 10;
    default:
      return (isWord(previous) !== isWord(next)) === (what === "word");
  }
}

function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 ||
    (code >= 97 && code <= 122);
}

function contains(set: CharSet, fold: boolean, code: number): boolean {
  const inside = includes(set, code) || (fold && foldsOf(code).some((other) => includes(set, other)));
  return inside !== set.negated;
}

function includes({ ranges, properties }: CharSet, code: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) if (code >= ranges[i]! && code <= ranges[i + 1]!) return true;
  return properties.length > 0 && properties.some((property) => property.test(String.fromCodePoint(code)));
}

function foldsOf(code: number): number[] {
  const text = String.fromCodePoint(code);
  const [lower, upper] = [text.toLowerCase(), text.toUpperCase()];
  return [lower, upper].filter((t) => t.length === text.length).map((t) => t.codePointAt(0)!);
}
