/** Where something stands in a file; both count from 1. */
export interface Position {
  line: number;
  column: number;
}

/** One thing that is wrong with a configuration file. */
export interface ConfigProblem {
  /** Dotted path of the key: `modules.edgeHub.heartbeat`; empty for the file itself. */
  path: string;
  /** Absent when the file as a whole is meant. */
  position?: Position;
  /** Completes "expected …". */
  expected: string;
  /** Completes "found …". */
  found: string;
  /** The known name that was probably meant. */
  suggestion?: string;
}

/** A problem on one line: `edgecore.yaml:12:5: modules.edgeHub.heartbeat: expected a whole number, found "abc"`. */
export function formatProblem(source: string, problem: ConfigProblem): string {
  const { path, position, expected, found, suggestion } = problem;
  const at = position === undefined ? source : `${source}:${position.line}:${position.column}`;
  const hint = suggestion === undefined ? "" : ` (did you mean "${suggestion}"?)`;
  return `${at}: ${path === "" ? "" : `${path}: `}expected ${expected}, found ${found}${hint}`;
}

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];
  /** Not reasons to refuse, but a misspelt key is often why something else is missing. */
  readonly warnings: readonly ConfigProblem[];

  constructor(
    source: string,
    problems: readonly ConfigProblem[],
    warnings: readonly ConfigProblem[] = [],
  ) {
    const lines = [
      `Cannot use ${source}: ${problems.length} problem${problems.length === 1 ? "" : "s"}`,
      ...problems.map((problem) => formatProblem(source, problem)),
      ...warnings.map((warning) => `${formatProblem(source, warning)} [warning]`),
    ];
    super(lines.join("\n  "));
    this.problems = problems;
    this.warnings = warnings;
  }
}

const MAX_SHOWN_CHARS = 60;

/** A value from a file, fit for a message: one line, bounded. */
export function show(value: string): string {
  return JSON.stringify(value.length > MAX_SHOWN_CHARS ? `${value.slice(0, MAX_SHOWN_CHARS)}…` : value);
}
