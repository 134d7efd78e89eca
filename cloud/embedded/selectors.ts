import { StatusError } from "../../common/errors/mod.ts";
import { labelValueProblem, qualifiedNameProblems } from "./resources/metadata.ts";

/** Whether labels, or fields, are selected. */
export type Matcher = (values: Readonly<Record<string, string>> | undefined) => boolean;

const MAX_SELECTOR_CHARS = 64 * 1024;

/** A piece of a selector; "end" after the last. */
interface Token {
  kind: "word" | "operator" | "end";
  text: string;
}

const OPERATORS = ["==", "!=", "=", "!", "<", ">", "(", ")", ","];

/** Upstream: k8s.io/apimachinery pkg/labels/selector.go (Lexer) @ v1.32 */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const operator = OPERATORS.find((o) => text.startsWith(o, at));
    const word = operator ?? /^[^\s!=<>(),]+/.exec(text.slice(at))![0];
    tokens.push({ kind: operator === undefined ? "word" : "operator", text: word });
    at += word.length;
  }
  return tokens;
}

/**
 * Reads a label selector:
 *
 *     selector    = requirement *( "," requirement )
 *     requirement = key | "!" key | key ("=" | "==" | "!=") value | key ("in" | "notin") "(" value *( "," value ) ")"
 *                 | key ("<" | ">") integer
 *
 * Upstream: k8s.io/apimachinery pkg/labels/selector.go (Parser) @ v1.32
 * @throws {StatusError} BadRequest
 */
export function parseLabelSelector(text: string): Matcher {
  if (text.length > MAX_SELECTOR_CHARS) throw badSelector("the selector is too long");
  const reader = new SelectorReader(tokensOf(text));
  const requirements = reader.selector();
  return (labels) => requirements.every((matches) => matches(labels));
}

class SelectorReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  selector(): Matcher[] {
    const requirements: Matcher[] = [];
    for (;;) {
      const { kind, text } = this.#peek();
      if (kind === "end") return requirements;
      if (kind !== "word" && text !== "!") {
        throw badSelector(`found '${text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#next();
      if (next.kind === "end") return requirements;
      if (next.text !== ",") throw badSelector(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after.kind !== "word" && after.text !== "!") {
        throw badSelector(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", text: "" };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #requirement(): Matcher {
    const negated = this.#peek().text === "!" && this.#next() !== undefined;
    const { kind, text: key } = this.#next();
    if (kind !== "word") throw badRequirement(`found '${key}', expected: identifier`);
    const [problem] = qualifiedNameProblems(key);
    if (problem !== undefined) {
      throw badRequirement(`<nil>: Invalid value: ${JSON.stringify(key)}: ${problem}`);
    }
    if (negated) return (labels) => !has(labels, key);
    const { kind: end, text: after } = this.#peek();
    if (end === "end" || after === ",") return (labels) => has(labels, key);
    const operator = this.#next().text;
    switch (operator) {
      case "in":
      case "notin": {
        const values = new Set(this.#values().map((value, i) => checkedValue(key, value, i)));
        const inside = (labels: Labels) => has(labels, key) && values.has(labels![key]!);
        return operator === "in" ? inside : (labels) => !inside(labels);
      }
      case "=":
      case "==":
      case "!=": {
        const value = checkedValue(key, this.#value(), 0);
        if (operator === "!=") return (labels) => !has(labels, key) || labels![key] !== value;
        return (labels) => has(labels, key) && labels![key] === value;
      }
      case "<":
      case ">": {
        const value = this.#value();
        if (!INTEGER.test(value)) {
          throw badRequirement(
            `values[0]: Invalid value: ${
              JSON.stringify(value)
            }: for 'Gt', 'Lt' operators, the value must be an integer`,
          );
        }
        const bound = Number(value);
        return (labels) => {
          if (!has(labels, key) || !INTEGER.test(labels![key]!)) return false;
          return operator === "<" ? Number(labels![key]) < bound : Number(labels![key]) > bound;
        };
      }
      default:
        throw badRequirement(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  /** One value, which may be missing. */
  #value(): string {
    const { kind, text } = this.#peek();
    if (kind === "end" || text === ",") return "";
    if (kind !== "word") throw badRequirement(`found '${text}', expected: identifier`);
    return this.#next().text;
  }

  /** Values in parentheses; an empty one where there is nothing between commas. */
  #values(): string[] {
    const open = this.#next().text;
    if (open !== "(") throw badRequirement(`found '${open}' expected: '('`);
    const values: string[] = [];
    for (let value: string | undefined;;) {
      const { kind, text } = this.#next();
      if (kind === "word") {
        if (value !== undefined) throw badRequirement(`found '${text}', expected: ',' or ')'`);
        value = text;
      } else if (text === "," || text === ")") {
        values.push(value ?? "");
        value = undefined;
        if (text === ")") return values;
      } else throw badRequirement(`found '${text}', expected: ',' or ')'`);
    }
  }
}

type Labels = Readonly<Record<string, string>> | undefined;

const INTEGER = /^[+-]?\d{1,18}$/;

function has(labels: Labels, key: string): boolean {
  return labels !== undefined && Object.hasOwn(labels, key);
}

function checkedValue(key: string, value: string, index: number): string {
  const problem = labelValueProblem(value);
  if (problem === undefined) return value;
  throw badRequirement(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${problem}`);
}

function badSelector(why: string): StatusError {
  return new StatusError("BadRequest", why);
}

function badRequirement(why: string): StatusError {
  return badSelector(`unable to parse requirement: ${why}`);
}

/**
 * Reads a field selector: `field=value`, `field==value` or `field!=value`, joined by commas; `\` escapes.
 * @param known the fields of the resource that may be selected
 * @param own whether the resource has fields of its own among them
 * @throws {StatusError} BadRequest
 */
export function parseFieldSelector(text: string, known: ReadonlySet<string>, own = true): Matcher {
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
      throw new StatusError(
        "BadRequest",
        own
          ? `field label not supported: ${field.slice(0, 200)}`
          : `${
            JSON.stringify(field.slice(0, 200))
          } is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    }
    terms.push({ field, value: match[3]!.replace(/\\(.)/g, "$1"), equal: match[2] !== "!=" });
  }
  return (fields) => terms.every(({ field, value, equal }) => ((fields?.[field] ?? "") === value) === equal);
}
