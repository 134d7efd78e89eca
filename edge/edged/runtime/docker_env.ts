import { RuntimeError } from "./types.ts";

/**
 * How the variables of a container reach the engine's client without being seen in the process list: as a file on its
 * standard input, or, where a value does not fit on a line, in the client's own environment under the same name.
 */
export interface EnvPlan {
  args: string[];
  /** Text of the file; undefined when none is needed. */
  stdin: string | undefined;
  /** Environment of the client. */
  env: Record<string, string>;
}

/** The client reads its file line by line, and a line may not be longer than 64 KiB. */
const MAX_LINE_CHARS = 16_000;

/** Longest single string the kernel passes to a program. */
const MAX_STRING_BYTES = 128 * 1024 - 1;

/** Variables that would change what the client itself does. */
const CLIENT_VARIABLE =
  /^(DOCKER_|LD_|GLIBC_|MALLOC_|GO|CONTAINERS_|CONTAINER_|PODMAN_|BUILDAH_|XDG_|SSL_|OTEL_|NODE_|DENO_|SSH_|LC_)|^(PATH|HOME|USER|TMPDIR|LANG|LOCALDOMAIN|RES_OPTIONS|HOSTALIASES)$|_proxy$/i;

/**
 * Plans the variables of a container; of two with one name the last counts.
 * @throws {RuntimeError} invalid, for a variable that cannot be passed
 */
export function planEnv(variables: ReadonlyArray<{ name: string; value: string }>): EnvPlan {
  const last = new Map(variables.map(({ name, value }) => [name, value]));
  const plan: EnvPlan = { args: [], stdin: undefined, env: {} };
  for (const [name, value] of last) {
    const shown = JSON.stringify(name.slice(0, 80));
    if (name === "" || name.includes("=") || (name + value).includes("\0")) {
      throw new RuntimeError(
        "invalid",
        `Cannot pass environment variable ${shown}: empty name, "=" or a zero byte`,
      );
    }
    const line = `${name}=${value}`;
    if (line.length <= MAX_LINE_CHARS && !/[\r\n]/.test(line) && !/^[#\uFEFF]|\s/.test(name)) {
      plan.stdin = `${plan.stdin ?? ""}${line}\n`;
      continue;
    }
    if (CLIENT_VARIABLE.test(name)) {
      throw new RuntimeError(
        "invalid",
        `Cannot pass environment variable ${shown}: the engine's client uses it itself, and a value with line breaks ` +
          `or over ${MAX_LINE_CHARS} characters does not go another way; mount it as a file`,
      );
    }
    if (new TextEncoder().encode(line).length > MAX_STRING_BYTES) {
      throw new RuntimeError(
        "invalid",
        `Cannot pass environment variable ${shown}: longer than 128 KiB; mount it as a file`,
      );
    }
    plan.args.push(`--env=${name}`);
    plan.env[name] = value;
  }
  if (plan.stdin !== undefined) plan.args.push("--env-file=/dev/stdin");
  return plan;
}
