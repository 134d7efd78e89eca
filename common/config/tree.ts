import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { type ConfigProblem, type Position, show } from "./problem.ts";

/** A value of a file that knows where it stands. */
export type TreeNode = MapNode | ListNode | ScalarNode;

/** Keys to values, each key once. */
export interface MapNode {
  readonly kind: "map";
  readonly position: Position;
  readonly entries: readonly TreeEntry[];
}

/** A key with its value. */
export interface TreeEntry {
  readonly key: string;
  /** Of the key. */
  readonly position: Position;
  readonly value: TreeNode;
}

/** Values in order. */
export interface ListNode {
  readonly kind: "list";
  readonly position: Position;
  readonly items: readonly TreeNode[];
}

/** A value without parts. */
export interface ScalarNode {
  readonly kind: "scalar";
  readonly position: Position;
  readonly value: null | boolean | number | string;
  /** As it stands in the file, without quotes. */
  readonly source: string;
  /** Written without quotes, so that `10` is a number and `yes` may be a boolean. */
  readonly plain: boolean;
}

/** Limits on what a file may be: the largest real one has some 400 values, eight deep, and no alias. */
export const TREE_LIMITS = { bytes: 1 << 20, nodes: 20_000, depth: 40, aliases: 100 } as const;

const MAX_FAULTS = 5;

/** What {@linkcode parseTree} found: a tree, or why there is none. */
export type ParsedTree = { root: TreeNode; problems: [] } | { root: undefined; problems: ConfigProblem[] };

/** YAML (or JSON) text as a tree with positions; aliases and merge keys are resolved within {@linkcode TREE_LIMITS}. */
export function parseTree(text: string): ParsedTree {
  const size = new TextEncoder().encode(text).length;
  if (size > TREE_LIMITS.bytes) {
    return failed([{ path: "", expected: `at most ${TREE_LIMITS.bytes} bytes`, found: `${size} bytes` }]);
  }
  const deep = tooDeep(text);
  if (deep !== undefined) return failed([deep]);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    logLevel: "error",
  });
  // One fault can be found again at every level around it; what follows the first few helps nobody.
  const faults = new Map(
    [...document.errors, ...document.warnings].map((fault) => [`${fault.pos[0]} ${fault.message}`, fault]),
  );
  if (faults.size > 0) {
    return failed(
      [...faults.values()].slice(0, MAX_FAULTS).map(({ pos, code, message }) => ({
        path: "",
        position: positionAt(lines, pos[0]),
        ...(code === "MULTIPLE_DOCS"
          ? { expected: "one document", found: "a second one" }
          : { expected: "YAML", found: `a fault: ${message}` }),
      })),
    );
  }
  try {
    return { root: new TreeBuilder(document, lines).build(document.contents, 0), problems: [] };
  } catch (error) {
    if (error instanceof TreeFault) return failed([error.problem]);
    throw error;
  }
}

function failed(problems: ConfigProblem[]): ParsedTree {
  return { root: undefined, problems };
}

/** Brackets and dashes far beyond the depth limit are refused before the recursive parser meets them. */
function tooDeep(text: string): ConfigProblem | undefined {
  let depth = 0;
  let line = 1;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "\n") line++;
    else if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth = Math.max(0, depth - 1);
    // Brackets in quoted texts count too, which is why there is room for many.
    if (depth > 20 * TREE_LIMITS.depth) return depthProblem({ line, column: 1 });
  }
  const dashes = /^[ ]*(?:[-?:][ \t]+){41}/m.exec(text);
  if (dashes === null) return undefined;
  return depthProblem({ line: text.slice(0, dashes.index).split("\n").length, column: 1 });
}

function depthProblem(position: Position): ConfigProblem {
  return { path: "", position, expected: `at most ${TREE_LIMITS.depth} levels of nesting`, found: "more" };
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

class TreeFault extends Error {
  override readonly name = "TreeFault";
  readonly problem: ConfigProblem;

  constructor(problem: ConfigProblem) {
    super(problem.found);
    this.problem = problem;
  }
}

class TreeBuilder {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  build(node: unknown, depth: number, within: Position = { line: 1, column: 1 }): TreeNode {
    const position = this.#position(node, within);
    if (depth > TREE_LIMITS.depth) throw new TreeFault(depthProblem(position));
    if (++this.#nodes > TREE_LIMITS.nodes) {
      this.#fail(position, `at most ${TREE_LIMITS.nodes} values`, "more");
    }
    if (isAlias(node)) {
      if (++this.#aliases > TREE_LIMITS.aliases) {
        this.#fail(position, `at most ${TREE_LIMITS.aliases} aliases`, "more");
      }
      const target = node.resolve(this.#document);
      if (target === undefined) this.#fail(position, "the name of an anchor above", show(`*${node.source}`));
      return this.build(target, depth + 1, position);
    }
    if (isMap(node)) return { kind: "map", position, entries: this.#entries(node.items, depth, position) };
    if (isSeq(node)) {
      return {
        kind: "list",
        position,
        items: node.items.map((item) => this.build(item, depth + 1, position)),
      };
    }
    if (isScalar(node)) return this.#scalar(node, position);
    return { kind: "scalar", position, value: null, source: "", plain: true };
  }

  #scalar(node: { value: unknown; source?: string; type?: string }, position: Position): ScalarNode {
    const { value } = node;
    const known = value === null || ["boolean", "number", "string"].includes(typeof value);
    if (!known) this.#fail(position, "a plain value", `a value of a type of its own (${typeof value})`);
    const source = node.source ?? String(value ?? "");
    return {
      kind: "scalar",
      position,
      value: value as ScalarNode["value"],
      source,
      plain: node.type === "PLAIN",
    };
  }

  #entries(
    items: ReadonlyArray<{ key: unknown; value: unknown }>,
    depth: number,
    within: Position,
  ): TreeEntry[] {
    const own = new Map<string, TreeEntry>();
    const merged: TreeEntry[] = [];
    for (const { key, value } of items) {
      const position = this.#position(key, within);
      const name = isScalar(key) ? key.source ?? String(key.value) : undefined;
      if (name === undefined) this.#fail(position, "a key that is a text", "something else");
      if (name === "<<" && isScalar(key) && key.type === "PLAIN") {
        merged.push(...this.#merge(this.build(value, depth + 1, position)));
      } else own.set(name, { key: name, position, value: this.build(value, depth + 1, position) });
    }
    // What stands in the map itself wins over what is merged in, and earlier merges win over later ones.
    for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry);
    return [...own.values()];
  }

  #merge(node: TreeNode): readonly TreeEntry[] {
    if (node.kind === "map") return node.entries;
    if (node.kind === "list") return node.items.flatMap((item) => this.#merge(item));
    return this.#fail(node.position, "a section to merge", show(node.source));
  }

  #position(node: unknown, otherwise: Position): Position {
    const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
    return Array.isArray(range) && typeof range[0] === "number"
      ? positionAt(this.#lines, range[0])
      : otherwise;
  }

  #fail(position: Position, expected: string, found: string): never {
    throw new TreeFault({ path: "", position, expected, found });
  }
}

/** The position of a dotted path, or of the nearest section above it that is in the file. */
export function positionOf(root: TreeNode, path: string): Position | undefined {
  let node = root;
  let position: Position | undefined;
  for (const name of path.split(".")) {
    const entry = node.kind === "map" ? node.entries.find((e) => e.key === name) : undefined;
    if (entry === undefined) break;
    ({ position, value: node } = entry);
  }
  return position;
}
