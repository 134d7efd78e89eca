import { formatGoDuration, parseGoDuration } from "./duration.ts";
import { nearest } from "./nearest.ts";
import { type ConfigProblem, type Position, show } from "./problem.ts";
import {
  defaultOf,
  type DurationField,
  type Field,
  type Fields,
  type ListField,
  type MapField,
  type NumberField,
  type SectionField,
  type TextField,
} from "./schema.ts";
import type { TreeNode } from "./tree.ts";

/** What {@linkcode checkTree} makes of a tree. */
export interface Checked {
  /** Complete: what is missing or wrong in the file has its default. */
  value: unknown;
  problems: ConfigProblem[];
  /** Keys nobody knows, and the like. */
  warnings: ConfigProblem[];
}

const MAX_REPORTED = 100;
const MAX_TEXT_CHARS = 16_384;

/** Checks a tree against a table and fills in what is missing. Reports everything, not only the first. */
export function checkTree(schema: SectionField, root: TreeNode): Checked {
  const checker = new Checker(schema);
  const value = checker.check(schema, root, "");
  return {
    value,
    problems: checker.problems.slice(0, MAX_REPORTED),
    warnings: checker.warnings.slice(0, MAX_REPORTED),
  };
}

class Checker {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];
  /** Values of the right type that are not allowed: upstream does not look at these in a module that is off. */
  readonly #lenient = new WeakSet<ConfigProblem>();
  readonly #schema: SectionField;

  constructor(schema: SectionField) {
    this.#schema = schema;
  }

  check(field: Field, node: TreeNode, path: string): unknown {
    // A key without a value leaves the default, as decoding null into a Go struct does.
    if (node.kind === "scalar" && node.value === null && node.plain) return defaultOf(field);
    const value = this.#checkKind(field, node, path);
    return value === undefined ? defaultOf(field) : value;
  }

  #checkKind(field: Field, node: TreeNode, path: string): unknown {
    switch (field.kind) {
      case "section":
        return this.#section(field, node, path);
      case "map":
        return this.#map(field, node, path);
      case "list":
        return this.#list(field, node, path);
      case "bool":
        return this.#bool(node, path);
      case "int":
      case "float":
        return this.#number(field, node, path);
      case "duration":
        return this.#duration(field, node, path);
      case "text":
        return this.#text(field, node, path);
    }
  }

  #section(field: SectionField, node: TreeNode, path: string): unknown {
    if (node.kind !== "map") return this.#wrongType("a section of keys", node, path);
    const first = this.problems.length;
    const given = new Map<string, unknown>();
    for (const { key, position, value } of node.entries) {
      const name = this.#knownKey(field.fields, key, join(path, key), position);
      if (name === undefined) continue;
      if (given.has(name)) {
        this.#report(join(path, key), position, "each key once", `"${name}" a second time, spelled "${key}"`);
        continue;
      }
      given.set(name, this.check(field.fields[name]!, value, join(path, name)));
    }
    if (given.get("enable") === false) this.#forgive(first);
    return Object.fromEntries(
      Object.entries(field.fields)
        .map(([name, row]): [string, unknown] => [name, given.has(name) ? given.get(name) : defaultOf(row)])
        .filter(([, value]) => value !== undefined),
    );
  }

  /** The key as the table spells it. Go's decoder does not mind case, so other spellings count, with a warning. */
  #knownKey(fields: Fields, key: string, path: string, position: Position): string | undefined {
    if (Object.hasOwn(fields, key)) return key;
    const names = Object.keys(fields);
    const folded = names.find((name) => name.toLowerCase() === key.toLowerCase());
    if (folded !== undefined) {
      this.warnings.push({ path, position, expected: `the key spelled "${folded}"`, found: show(key) });
      return folded;
    }
    const suggestion = nearest(key, names) ?? pathOf(this.#schema.fields, key, "");
    const warning: ConfigProblem = { path, position, expected: "a known key", found: show(key) };
    this.warnings.push(suggestion === undefined ? warning : { ...warning, suggestion });
    return undefined;
  }

  #forgive(first: number): void {
    for (const problem of this.problems.splice(first)) {
      (this.#lenient.has(problem) ? this.warnings : this.problems).push(problem);
    }
  }

  #map(field: MapField, node: TreeNode, path: string): unknown {
    if (node.kind !== "map") return this.#wrongType("names with values", node, path);
    // Go decodes into the default map: what the file does not name stays.
    const entries: Array<[string, unknown]> = Object.entries(structuredClone(field.initial) ?? {});
    for (const { key, position, value } of node.entries) {
      if (field.names !== undefined && !field.names.includes(key)) {
        const suggestion = nearest(key, field.names);
        const expected = `one of ${field.names.join(", ")}`;
        this.#report(join(path, key), position, expected, show(key), suggestion);
      } else {
        const checked = this.check(field.value, value, join(path, key));
        if (checked !== undefined) entries.push([key, checked]);
      }
    }
    return Object.fromEntries(entries);
  }

  #list(field: ListField, node: TreeNode, path: string): unknown {
    if (node.kind !== "list") return this.#wrongType("a list", node, path);
    return node.items
      .map((item, index) => this.check(field.item, item, `${path}[${index}]`))
      .filter((item) => item !== undefined);
  }

  #bool(node: TreeNode, path: string): boolean | undefined {
    if (node.kind === "scalar" && node.plain) {
      // The words of YAML 1.1 that upstream's parser takes.
      if (/^(y|yes|on|true)$/i.test(node.source)) return true;
      if (/^(n|no|off|false)$/i.test(node.source)) return false;
    }
    return this.#wrongType("true or false", node, path);
  }

  #number(field: NumberField, node: TreeNode, path: string): number | undefined {
    const { minimum, maximum } = field;
    const what = field.kind === "int" ? "a whole number" : "a number";
    const isNumber = node.kind === "scalar" && typeof node.value === "number" && Number.isFinite(node.value);
    if (!isNumber) return this.#wrongType(what, node, path);
    const value = node.value as number;
    if (field.kind === "int" && !Number.isInteger(value)) return this.#wrongType(what, node, path);
    if (value >= minimum && value <= maximum) return value;
    return this.#wrongValue(path, node.position, `${what} from ${minimum} to ${maximum}`, String(value));
  }

  #duration(field: DurationField, node: TreeNode, path: string): number | undefined {
    const expected = "a duration such as 10s or 1m30s";
    if (node.kind !== "scalar") return this.#wrongType(expected, node, path);
    if (node.value === "") return field.initial;
    const value = typeof node.value === "string" ? parseGoDuration(node.value) : undefined;
    if (value === undefined) return this.#wrongType(expected, node, path);
    const { minimum, maximum } = field;
    if (value >= minimum && value <= maximum) return value;
    const limits = maximum === Infinity
      ? "not negative"
      : `from ${formatGoDuration(minimum)} to ${formatGoDuration(maximum)}`;
    return this.#wrongValue(path, node.position, `${expected}, ${limits}`, show(node.source));
  }

  #text(field: TextField, node: TreeNode, path: string): string | undefined {
    if (node.kind !== "scalar") return this.#wrongType("a text", node, path);
    const text = typeof node.value === "string" ? node.value : node.source;
    const { allowed, format, secret } = field;
    if (text === "" && (format !== undefined || allowed !== undefined)) return field.initial;
    const found = secret ? "a value that is not shown" : show(text);
    if (text.length > MAX_TEXT_CHARS) {
      return this.#wrongValue(path, node.position, `at most ${MAX_TEXT_CHARS} characters`, `${text.length}`);
    }
    // deno-lint-ignore no-control-regex
    if (/[\x00-\x1f\x7f]/.test(text)) {
      return this.#wrongValue(path, node.position, "a text on one line", found);
    }
    if (allowed !== undefined && !allowed.includes(text)) {
      const choices = allowed.filter((choice) => choice !== "");
      const expected = choices.length > 1 ? `one of ${choices.join(", ")}` : String(choices[0]);
      return this.#wrongValue(path, node.position, expected, found, nearest(text, allowed));
    }
    if (format !== undefined && !format.test(text)) {
      return this.#wrongValue(path, node.position, format.expected, found);
    }
    return text;
  }

  #wrongType(expected: string, node: TreeNode, path: string): undefined {
    this.#report(path, node.position, expected, describe(node, path));
  }

  #wrongValue(path: string, at: Position, expected: string, found: string, suggestion?: string): undefined {
    this.#lenient.add(this.#report(path, at, expected, found, suggestion));
  }

  #report(
    path: string,
    position: Position,
    expected: string,
    found: string,
    suggestion?: string,
  ): ConfigProblem {
    const problem: ConfigProblem = { path, position, expected, found };
    if (suggestion !== undefined) problem.suggestion = suggestion;
    this.problems.push(problem);
    return problem;
  }
}

/** A value for a message. Under the name of a secret only its type is told. */
function describe(node: TreeNode, path: string): string {
  if (node.kind !== "scalar") return node.kind === "map" ? "a section of keys" : "a list";
  if (/token|passw|secret/i.test(path)) return "a value that is not shown";
  return typeof node.value === "string" && !node.plain ? `the text ${show(node.value)}` : show(node.source);
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** Where in the whole table a key of this name stands: the usual fault is a wrong indentation. */
function pathOf(fields: Fields, key: string, path: string): string | undefined {
  for (const [name, row] of Object.entries(fields)) {
    if (name === key) return join(path, name);
    const below = row.kind === "section" ? pathOf(row.fields, key, join(path, name)) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}
