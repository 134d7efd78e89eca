/** What is matched at one place of a text: code points in ranges, or with a property. */
export interface CharSet {
  /** Pairs of first and last code point. */
  ranges: number[];
  properties: RegExp[];
  negated: boolean;
}

/** A pattern, taken apart. */
export type PatternNode =
  | { kind: "empty" }
  | { kind: "set"; set: CharSet; fold: boolean }
  | { kind: "assert"; what: "begin" | "end" | "lineBegin" | "lineEnd" | "word" | "notWord" }
  | { kind: "sequence"; nodes: PatternNode[] }
  | { kind: "choice"; nodes: PatternNode[] }
  | { kind: "repeat"; node: PatternNode; min: number; max: number };

/** What is wrong with a pattern, in Go's words. */
export class PatternError extends Error {
  override name = "PatternError";
}

const MAX_REPEAT = 1000;
const MAX_DEPTH = 100;
const NEWLINE = 10;

interface Flags {
  fold: boolean;
  multiline: boolean;
  dotNewline: boolean;
}

function set(ranges: number[], negated = false): CharSet {
  return { ranges, properties: [], negated };
}

const PERL: Readonly<Record<string, number[]>> = {
  d: [48, 57],
  s: [9, 10, 12, 13, 32, 32],
  w: [48, 57, 65, 90, 95, 95, 97, 122],
};

const POSIX: Readonly<Record<string, number[]>> = {
  alnum: [48, 57, 65, 90, 97, 122],
  alpha: [65, 90, 97, 122],
  ascii: [0, 127],
  blank: [9, 9, 32, 32],
  cntrl: [0, 31, 127, 127],
  digit: [48, 57],
  graph: [33, 126],
  lower: [97, 122],
  print: [32, 126],
  punct: [33, 47, 58, 64, 91, 96, 123, 126],
  space: [9, 13, 32, 32],
  upper: [65, 90],
  word: PERL.w!,
  xdigit: [48, 57, 65, 70, 97, 102],
};

const CONTROL: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/**
 * Takes a pattern apart, in the syntax of Go's regexp package (RE2): no look-around and no references to groups.
 * Upstream: regexp/syntax @ go1.24
 * @throws {PatternError}
 */
export function parsePattern(pattern: string): PatternNode {
  return new Parser(pattern).parse();
}

class Parser {
  readonly #text: string[];
  #at = 0;
  #flags: Flags = { fold: false, multiline: false, dotNewline: false };

  constructor(pattern: string) {
    this.#text = Array.from(pattern);
  }

  parse(): PatternNode {
    const node = this.#choice(0);
    if (this.#at < this.#text.length) throw this.#error("unexpected )", this.#text.join(""));
    return node;
  }

  #error(what: string, where: string): PatternError {
    return new PatternError(`error parsing regexp: ${what}: \`${where}\``);
  }

  #peek(text: string): boolean {
    return text === this.#text.slice(this.#at, this.#at + text.length).join("");
  }

  #since(start: number): string {
    return this.#text.slice(start, this.#at).join("");
  }

  #choice(depth: number): PatternNode {
    if (depth > MAX_DEPTH) {
      throw this.#error("expression nests too deeply", this.#text.join("").slice(0, 100));
    }
    const nodes = [this.#sequence(depth)];
    while (this.#peek("|")) {
      this.#at++;
      nodes.push(this.#sequence(depth));
    }
    return nodes.length === 1 ? nodes[0]! : { kind: "choice", nodes };
  }

  #sequence(depth: number): PatternNode {
    const nodes: PatternNode[] = [];
    while (this.#at < this.#text.length && !this.#peek("|") && !this.#peek(")")) {
      const start = this.#at;
      let node = this.#atom(depth);
      if (node === undefined) continue;
      let repeated = false;
      for (;;) {
        const operator = this.#at;
        const times = this.#repetition();
        if (times === undefined) break;
        if (repeated) throw this.#error("invalid nested repetition operator", this.#since(start + 1));
        if (this.#peek("?")) this.#at++;
        repeated = true;
        if (
          times[0] > MAX_REPEAT || (times[1] !== Infinity && times[1] > MAX_REPEAT) || times[1] < times[0]
        ) {
          throw this.#error("invalid repeat count", this.#since(operator));
        }
        node = { kind: "repeat", node, min: times[0], max: times[1] };
      }
      nodes.push(node);
    }
    return nodes.length === 1
      ? nodes[0]!
      : nodes.length === 0
      ? { kind: "empty" }
      : { kind: "sequence", nodes };
  }

  #repetition(): [number, number] | undefined {
    const at = this.#text[this.#at];
    if (at === "*" || at === "+" || at === "?") {
      this.#at++;
      return at === "*" ? [0, Infinity] : at === "+" ? [1, Infinity] : [0, 1];
    }
    if (at !== "{") return undefined;
    const match = /^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 24).join(""));
    if (match === null) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    return [min, match[2] === undefined ? min : match[3] === undefined ? Infinity : Number(match[3])];
  }

  /** One thing to match; undefined for what only sets flags. */
  #atom(depth: number): PatternNode | undefined {
    const char = this.#text[this.#at]!;
    switch (char) {
      case "(":
        return this.#group(depth);
      case "[":
        return this.#class();
      case ".":
        this.#at++;
        return this.#setNode(this.#flags.dotNewline ? set([], true) : set([NEWLINE, NEWLINE], true));
      case "^":
        this.#at++;
        return { kind: "assert", what: this.#flags.multiline ? "lineBegin" : "begin" };
      case "$":
        this.#at++;
        return { kind: "assert", what: this.#flags.multiline ? "lineEnd" : "end" };
      case "*":
      case "+":
      case "?":
        throw this.#error("missing argument to repetition operator", char);
      case "\\":
        return this.#escape();
      default:
        this.#at++;
        return this.#literal(char.codePointAt(0)!);
    }
  }

  #setNode(value: CharSet): PatternNode {
    return { kind: "set", set: value, fold: this.#flags.fold };
  }

  #literal(code: number): PatternNode {
    return this.#setNode(set([code, code]));
  }

  #group(depth: number): PatternNode | undefined {
    const start = this.#at;
    const outer = this.#flags;
    this.#at++;
    if (this.#peek("?")) {
      const head = /^\?P?<([^>]*)>/.exec(this.#text.slice(this.#at, this.#at + 200).join(""));
      if (head !== null && !/^\?<[=!]/.test(head[0])) {
        this.#at += Array.from(head[0]).length;
        if (!/^\w+$/.test(head[1]!)) throw this.#error("invalid named capture", `(${head[0]}`);
      } else {
        const flags = /^\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(
          this.#text.slice(this.#at, this.#at + 20).join(""),
        );
        if (flags === null) {
          this.#at = Math.min(this.#text.length, start + 3);
          throw this.#error("invalid or unsupported Perl syntax", this.#since(start));
        }
        this.#at += flags[0].length;
        const [on, off] = [flags[1]!, flags[2] ?? ""];
        const changed = (flag: string, present: boolean) =>
          off.includes(flag) ? false : on.includes(flag) || present;
        this.#flags = {
          fold: changed("i", outer.fold),
          multiline: changed("m", outer.multiline),
          dotNewline: changed("s", outer.dotNewline),
        };
        if (flags[3] === ")") return undefined;
      }
    }
    const node = this.#choice(depth + 1);
    if (!this.#peek(")")) throw this.#error("missing closing )", this.#text.join(""));
    this.#at++;
    this.#flags = outer;
    return node;
  }

  #escape(): PatternNode {
    const start = this.#at;
    const next = this.#text[this.#at + 1];
    if (next === undefined) throw this.#error("trailing backslash at end of expression", "");
    switch (next) {
      case "A":
      case "z":
      case "b":
      case "B":
        this.#at += 2;
        return {
          kind: "assert",
          what: next === "A" ? "begin" : next === "z" ? "end" : next === "b" ? "word" : "notWord",
        };
      case "Q": {
        const end = this.#text.findIndex((c, i) => i >= start + 2 && c === "\\" && this.#text[i + 1] === "E");
        const literal = this.#text.slice(start + 2, end < 0 ? undefined : end);
        this.#at = end < 0 ? this.#text.length : end + 2;
        return { kind: "sequence", nodes: literal.map((c) => this.#literal(c.codePointAt(0)!)) };
      }
    }
    const found = this.#escapedSet();
    return this.#setNode(found);
  }

  /** What an escape that stands for characters stands for, in a class or outside. */
  #escapedSet(): CharSet {
    const start = this.#at;
    const next = this.#text[this.#at + 1] ?? "";
    this.#at += 2;
    const perl = PERL[next.toLowerCase()];
    if (perl !== undefined && /^[dswDSW]$/.test(next)) return set(perl, next !== next.toLowerCase());
    if (next === "p" || next === "P") return this.#property(start, next === "P");
    if (CONTROL[next] !== undefined) return set([CONTROL[next]!, CONTROL[next]!]);
    if (next === "x") {
      const hex = /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/.exec(
        this.#text.slice(this.#at, this.#at + 8).join(""),
      );
      if (hex === null) throw this.#error("invalid escape sequence", this.#since(start));
      this.#at += hex[0].length;
      const code = parseInt(hex[1] ?? hex[2]!, 16);
      return set([code, code]);
    }
    if (/^[0-7]$/.test(next)) {
      const octal = /^[0-7]{1,3}/.exec(this.#text.slice(start + 1, start + 4).join(""))![0];
      // A single digit other than 0 would refer to a group, which RE2 does not do.
      if (next === "0" || octal.length > 1) {
        this.#at = start + 1 + octal.length;
        const code = parseInt(octal, 8);
        return set([code, code]);
      }
    } else if (/^[^0-9A-Za-z]$/u.test(next) && next.codePointAt(0)! < 128) {
      const code = next.codePointAt(0)!;
      return set([code, code]);
    }
    throw this.#error("invalid escape sequence", this.#since(start));
  }

  #property(start: number, negated: boolean): CharSet {
    const match = /^(?:\{(\^?)([A-Za-z_]{1,40})\}|([A-Z]))/.exec(
      this.#text.slice(this.#at, this.#at + 44).join(""),
    );
    if (match !== null) this.#at += match[0].length;
    const name = match?.[2] ?? match?.[3] ?? "";
    for (const source of [`\\p{${name}}`, `\\p{Script=${name}}`]) {
      try {
        return {
          ranges: [],
          properties: [new RegExp(source, "u")],
          negated: negated !== (match?.[1] === "^"),
        };
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    }
    throw this.#error("invalid character class range", this.#since(start));
  }

  #class(): PatternNode {
    const start = this.#at;
    this.#at++;
    const negated = this.#peek("^");
    if (negated) this.#at++;
    const found = set([], negated);
    const parts: CharSet[] = [];
    let first = true;
    while (first || !this.#peek("]")) {
      if (this.#at >= this.#text.length) {
        throw this.#error("missing closing ]", this.#text.slice(start).join(""));
      }
      first = false;
      const posix = /^\[:(\^?)(\w{1,10}):\]/.exec(this.#text.slice(this.#at, this.#at + 16).join(""));
      if (posix !== null) {
        const ranges = POSIX[posix[2]!];
        if (ranges === undefined) throw this.#error("invalid character class range", posix[0]);
        this.#at += posix[0].length;
        parts.push(set(ranges, posix[1] === "^"));
        continue;
      }
      const from = this.#at;
      const low = this.#classChar();
      if (!this.#peek("-") || this.#text[this.#at + 1] === "]" || this.#at + 1 >= this.#text.length) {
        parts.push(low);
        continue;
      }
      this.#at++;
      const high = this.#classChar();
      const [a, b] = [low.ranges[0], high.ranges[1]];
      if (
        low.ranges.length !== 2 || high.ranges.length !== 2 || a === undefined || b === undefined || b < a
      ) {
        throw this.#error("invalid character class range", this.#since(from));
      }
      parts.push(set([a, b]));
    }
    this.#at++;
    return { kind: "set", set: joined(found, parts), fold: this.#flags.fold };
  }

  #classChar(): CharSet {
    const char = this.#text[this.#at];
    if (char === undefined) throw this.#error("missing closing ]", this.#text.join(""));
    if (char === "\\") return this.#escapedSet();
    this.#at++;
    const code = char.codePointAt(0)!;
    return set([code, code]);
  }
}

/** One set out of the parts of a class: negated parts become ranges, or properties that are negated by themselves. */
function joined(found: CharSet, parts: readonly CharSet[]): CharSet {
  for (const part of parts) {
    if (!part.negated) {
      found.ranges.push(...part.ranges);
      found.properties.push(...part.properties);
      continue;
    }
    for (const { source } of part.properties) {
      found.properties.push(new RegExp(source.replace(/^\\p/, "\\P"), "u"));
    }
    if (part.properties.length === 0) found.ranges.push(...complement(part.ranges));
  }
  return found;
}

function complement(ranges: readonly number[]): number[] {
  const out: number[] = [];
  let from = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i]! > from) out.push(from, ranges[i]! - 1);
    from = ranges[i + 1]! + 1;
  }
  if (from <= 0x10ffff) out.push(from, 0x10ffff);
  return out;
}
