import { StatusError } from "../errors/mod.ts";
import type { Clock } from "../module/mod.ts";
import type { Credential, CredentialSource } from "./credentials.ts";
import { faultOfPair } from "./key_pair.ts";

/** A command that gives credentials, as a kubeconfig names it. */
export interface ExecConfig {
  /** Where it is named: `users[0].user.exec of /path`. */
  field: string;
  apiVersion: "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1";
  /** A name to be looked up on the PATH, or an absolute path. */
  command: string;
  args: string[];
  env: Record<string, string>;
  /** Whether it may ask the person at this terminal, who then sees what it writes to standard error. */
  interactive: boolean;
  installHint?: string;
  /** What the command is told of the cluster, where it asks for that. */
  cluster?: Record<string, unknown>;
}

/** How a command is run; its output as text. */
export type RunCommand = (
  config: ExecConfig,
  env: Record<string, string>,
  signal: AbortSignal,
) => Promise<{ code: number; stdout: string; stderr: string }>;

/** What running the command uses. */
export interface ExecComponents {
  clock: Clock;
  /** @default the command itself, bounded in time and output */
  run?: RunCommand;
}

/** A credential is renewed so long before it ends. */
const EARLY_MS = 10_000;
/** A command that gives the same refused credential again is not run again for so long. */
const MIN_PAUSE_MS = 5_000;
const TIMEOUT_MS = 60_000;
const LIMIT_BYTES = 1 << 20;

/**
 * Credentials that a command gives: kept until they end, asked for anew when they are refused.
 * Upstream: k8s.io/client-go plugin/pkg/client/auth/exec/exec.go @ v0.32
 */
export function execCredentials(
  config: ExecConfig,
  { clock, run = runCommand }: ExecComponents,
): CredentialSource {
  let kept: { credential: Credential; expiresAt: number; at: number } | undefined;
  let running: Promise<Credential> | undefined;

  async function ask(): Promise<Credential> {
    const info = {
      apiVersion: config.apiVersion,
      kind: "ExecCredential",
      spec: { interactive: config.interactive, ...(config.cluster && { cluster: config.cluster }) },
    };
    const env = { ...config.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
    // A person who is asked takes the time that it takes.
    const over = config.interactive ? new AbortController().signal : AbortSignal.timeout(TIMEOUT_MS);
    const { code, stdout, stderr } = await run(config, env, over);
    if (code !== 0) {
      const said = stderr.trim().slice(0, 500);
      throw refusal(config, `it ended with ${code}${said === "" ? "" : `: ${said}`}`);
    }
    const { expiresAt, ...credential } = parseExecCredential(stdout, config);
    const { cert, key } = credential;
    const fault = cert === undefined || key === undefined ? undefined : await faultOfPair(cert, key);
    if (fault !== undefined) throw refusal(config, fault);
    kept = { credential, expiresAt: expiresAt ?? Infinity, at: clock.now() };
    return credential;
  }

  return {
    async current(_signal, refused) {
      const now = clock.now();
      if (kept !== undefined && now < kept.expiresAt - EARLY_MS) {
        const isRefused = refused === kept.credential && now - kept.at >= MIN_PAUSE_MS;
        if (!isRefused) return kept.credential;
      }
      running ??= ask().finally(() => running = undefined);
      return await running;
    },
  };
}

function refusal({ field, command, installHint }: ExecConfig, why: string, cause?: unknown): StatusError {
  const hint = installHint === undefined ? "" : `; ${installHint.slice(0, 1000)}`;
  return new StatusError("Unauthorized", `Cannot get credentials from ${field} (${command}): ${why}${hint}`, {
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a command printed. @throws {StatusError} naming what is wrong with it */
export function parseExecCredential(text: string, config: ExecConfig): Credential & { expiresAt?: number } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refusal(config, "it printed something that is not JSON");
  }
  const { apiVersion, kind, status } = (value ?? {}) as Record<string, unknown>;
  if (kind !== "ExecCredential") throw refusal(config, "it printed no ExecCredential");
  if (apiVersion !== config.apiVersion) {
    throw refusal(
      config,
      `it answered in ${
        String(apiVersion).slice(0, 80)
      }; set apiVersion of ${config.field} to that, or update the command`,
    );
  }
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } =
    (typeof status === "object" ? status ?? {} : {}) as Record<string, unknown>;
  const isText = (text: unknown): text is string => typeof text === "string" && text !== "";
  if (isText(cert) !== isText(key)) {
    throw refusal(config, "it gave a client certificate without its key, or the reverse");
  }
  if (!isText(token) && !isText(cert)) {
    throw refusal(config, "it gave neither a token nor a client certificate");
  }
  if (isText(token) && /[^\x21-\x7e]/.test(token)) {
    throw refusal(config, "its token has characters that no token has");
  }
  const credential: Credential & { expiresAt?: number } = {
    ...(isText(token) && { token }),
    ...(isText(cert) && isText(key) && { cert, key }),
  };
  if (expirationTimestamp === undefined || expirationTimestamp === null) return credential;
  const expiresAt = Date.parse(String(expirationTimestamp));
  if (Number.isNaN(expiresAt)) throw refusal(config, "its expirationTimestamp is no time");
  return { ...credential, expiresAt };
}

/** Runs the command with its arguments, no shell between. */
async function runCommand(
  config: ExecConfig,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<{ code: number; stdout: string; stderr: string }> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(config.command, {
      args: config.args,
      env,
      stdin: config.interactive ? "inherit" : "null",
      stdout: "piped",
      stderr: config.interactive ? "inherit" : "piped",
      signal,
    }).spawn();
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "the command is not installed"
      : cause instanceof Deno.errors.NotCapable
      ? "this program may not run it"
      : "it cannot be run";
    throw refusal(config, why, cause);
  }
  const [stdout, stderr, { code }] = await Promise.all([
    read(child.stdout),
    config.interactive ? "" : read(child.stderr),
    child.status,
  ]);
  if (signal.aborted) throw refusal(config, `it did not end within ${TIMEOUT_MS / 1000} s`);
  if (stdout.length > LIMIT_BYTES) throw refusal(config, `it printed over ${LIMIT_BYTES} bytes`);
  return { code, stdout, stderr };
}

/** The text of a stream; what is over the limit is read and dropped. */
async function read(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    if (text.length <= LIMIT_BYTES) text += piece;
  }
  return text;
}
