import { checkTree } from "./check.ts";
import { ConfigError, type ConfigProblem } from "./problem.ts";
import type { Of, SectionField } from "./schema.ts";
import { type ParsedTree, parseTree, positionOf, TREE_LIMITS, type TreeNode } from "./tree.ts";

/** Reports a combination that cannot be; `path` is the key, or the section, that has to change. */
export type ReportProblem = (path: string, expected: string, found: string) => void;

/** What makes a text a configuration of type `T`. */
export interface ConfigKind<T> {
  schema: Of<T, SectionField>;
  /** Brings an older file into today's form before it is checked, saying what it did. */
  convert?: (root: TreeNode) => { root: TreeNode; notes: string[]; problems: ConfigProblem[] };
  /** Finds combinations that cannot be; is given a complete value. */
  rules: (config: T, report: ReportProblem) => void;
}

/** A configuration that can be used. */
export interface ConfigReading<T> {
  config: T;
  /** Keys nobody knows, for {@linkcode formatProblem}. */
  warnings: ConfigProblem[];
  /** What was converted from an older form. */
  notes: string[];
}

/**
 * A configuration out of the text of a file; `source` names the file in messages.
 * @throws {ConfigError} with everything that is wrong at once
 */
export function readConfig<T>(kind: ConfigKind<T>, text: string, source: string): ConfigReading<T> {
  const parsed: ParsedTree = parseTree(text);
  if (parsed.root === undefined) throw new ConfigError(source, parsed.problems);
  const converted = kind.convert?.(parsed.root) ?? { root: parsed.root, notes: [], problems: [] };
  const { value, problems, warnings } = checkTree(kind.schema, converted.root);
  problems.push(...converted.problems);
  const config = value as T;
  kind.rules(config, (path, expected, found) => {
    // A rule about a value that is wrong in itself would blame the default that stands in for it.
    if (problems.some((p) => p.path === path || p.path.startsWith(`${path}.`))) return;
    const position = positionOf(converted.root, path);
    problems.push({ path, expected, found, ...(position === undefined ? {} : { position }) });
  });
  if (problems.length > 0) throw new ConfigError(source, problems, warnings);
  return { config, warnings, notes: converted.notes };
}

/**
 * The text of a configuration file.
 * @throws {ConfigError} when it is missing, unreadable, not UTF-8 or over 1 MiB; the text names what to do
 */
export async function readConfigText(path: string, program: string): Promise<string> {
  const fail = (expected: string, found: string) => new ConfigError(path, [{ path: "", expected, found }]);
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw fail("a file", "something that is not a regular file");
    if (size > TREE_LIMITS.bytes) throw fail(`at most ${TREE_LIMITS.bytes} bytes`, `${size} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw fail(
        `a configuration file (make one with: ${program} --minconfig > ${path}, or name another with --config)`,
        "no such file",
      );
    }
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      throw fail("a file that this user may read", `"permission denied"`);
    }
    if (error instanceof TypeError) throw fail("UTF-8 text", "bytes that are not");
    throw error;
  }
}
