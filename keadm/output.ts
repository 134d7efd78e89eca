/** Where a command writes; a line each, without its newline. */
export interface Output {
  /** Standard output: what the command was asked for. */
  out: (line: string) => void;
  /** Standard error. */
  err: (line: string) => void;
}

/** A command that could not do its work; the message names what to do. Exit code 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
