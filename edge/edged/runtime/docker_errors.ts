import { errorText } from "../../../common/errors/mod.ts";
import { ProcessTimeoutError } from "./processes.ts";
import { RuntimeError } from "./types.ts";

const UNAVAILABLE =
  /cannot connect to the docker daemon|is the docker daemon running|error during connect|docker daemon is not running|permission denied while trying to connect|docker\.sock|unable to connect to podman/i;
/** The connection to the engine broke in the middle of an answer. */
const CUT_OFF = /^(error: |Error: )?(unexpected )?EOF$/im;
const NOT_FOUND = /no such (container|object)|no such container:/i;
const IMAGE_MISSING =
  /no such image|unable to find image|manifest (for .* )?(unknown|not found)|pull access denied|repository .*(does not exist|not found)|no matching manifest|unauthorized|requested access to the resource is denied|name unknown/i;
const INVALID =
  /invalid (reference format|argument|value|mode|containerport|hostname|volume)|is not an absolute path|minimum memory limit|conflicting options|unknown flag|invalid mount|invalid spec/i;

/** Text of the engine without what its client puts around it. */
export function engineMessage(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" &&
    !/^((See|Run) '.* --help'|Usage: )/.test(line) &&
    !/^Error: failed to start containers:/.test(line) &&
    !/^WARNING: /.test(line)
  );
  return lines.map((line) => line.replace(/^(docker: )?(Error response from daemon: |Error: )/, ""))
    .join("; ").slice(0, 4096);
}

/** What a failed run of the engine's client means; `action` is what was tried, as in "Cannot start container". */
export function engineError(action: string, code: number, stderr: string): RuntimeError {
  const text = engineMessage(stderr) || `the engine's client exited with ${code}`;
  const kind = UNAVAILABLE.test(stderr) || CUT_OFF.test(stderr)
    ? "unavailable"
    : NOT_FOUND.test(stderr)
    ? "not-found"
    : IMAGE_MISSING.test(stderr)
    ? "image-missing"
    : INVALID.test(stderr)
    ? "invalid"
    : "failed";
  return new RuntimeError(kind, `${action}: ${text}`);
}

/** What went wrong before the engine's client could answer. An abort by the caller passes through. */
export function clientError(action: string, binary: string, error: unknown, signal?: AbortSignal): unknown {
  if (error instanceof RuntimeError) return error;
  if (signal?.aborted && error === signal.reason) return error;
  if (error instanceof Deno.errors.NotFound) {
    return new RuntimeError(
      "unavailable",
      `${action}: there is no program "${binary}"; install a container engine`,
      {
        cause: error,
      },
    );
  }
  const kind = error instanceof ProcessTimeoutError ? "unavailable" : "failed";
  return new RuntimeError(kind, `${action}: ${errorText(error)}`, { cause: error });
}
