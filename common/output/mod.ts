/**
 * Standard output and standard error as the programs write to them.
 * Takes: texts. Gives: bytes on the two streams.
 * @module
 */
import { errorText } from "../errors/mod.ts";

const encoder = new TextEncoder();

/** What a program was asked to print could not be written; the message says why. */
export class OutputError extends Error {
  override readonly name = "OutputError";
}

/**
 * Writes what was asked for to standard output. A reader that has read enough and left (`| head -1`) is no failure.
 * @throws {OutputError} when it cannot be written, as on a full disk
 */
export function writeOut(text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  } catch (cause) {
    if (cause instanceof Deno.errors.BrokenPipe) return;
    throw new OutputError(`Cannot write to standard output: ${errorText(cause)}`, { cause });
  }
}

/** Whether the last line on standard error lacks its end. */
let isCut = false;

/**
 * Writes to standard error.
 * @returns whether it was taken: on a full disk, or where nobody reads any more, there is nobody left to be told
 */
export function writeErr(text: string): boolean {
  const bytes = encoder.encode(isCut ? `\n${text}` : text);
  let done = 0;
  try {
    while (done < bytes.length) done += Deno.stderr.writeSync(bytes.subarray(done));
    isCut = false;
    return true;
  } catch {
    // Whatever it was: this is where errors are told.
    isCut ||= done > 0;
    return false;
  }
}
