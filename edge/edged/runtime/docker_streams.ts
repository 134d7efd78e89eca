import type { DockerClient } from "./docker_client.ts";
import { clientError, engineError, engineMessage } from "./docker_errors.ts";
import { Label } from "./docker_names.ts";
import { EVENT_ACTIONS, parseEvent } from "./docker_parse.ts";
import { RuntimeError, type RuntimeEvent } from "./types.ts";

/** Longest line the engine may print for an event, characters. */
const MAX_EVENT_CHARS = 4 << 20;

/**
 * How long one client watches before another takes over, milliseconds. A client whose parent was killed notices only when it
 * has something to say: so it does not outlive it for ever.
 */
const WATCH_MS = 30 * 60_000;

/** How much sooner than after its whole span a client may end: that began a moment before the client did. */
const EARLY_MS = 10_000;

/** What happens to pods from now on, from one client that stays, or another in its place. */
export async function* dockerEvents(
  client: DockerClient,
  nodeName: string,
  signal: AbortSignal,
): AsyncGenerator<RuntimeEvent> {
  // From this moment, not from when a client has connected: nothing falls in between.
  for (let since = client.clock.now(); !signal.aborted;) {
    yield* watch(client, nodeName, { since, until: since + WATCH_MS }, signal);
    // A clock that was set back meanwhile has not come as far.
    since = Math.min(since + WATCH_MS, client.clock.now());
  }
}

const WATCHING = "Cannot watch the engine's events";

/** The events of a span of time, Unix milliseconds. */
async function* watch(
  client: DockerClient,
  nodeName: string,
  { since, until }: { since: number; until: number },
  signal: AbortSignal,
): AsyncGenerator<RuntimeEvent> {
  const args = [
    "events",
    "--format={{json .}}",
    `--since=${(since / 1000).toFixed(3)}`,
    `--until=${(until / 1000).toFixed(3)}`,
    "--filter=type=container",
    `--filter=label=${Label.nodeName}=${nodeName}`,
    ...EVENT_ACTIONS.map((name) => `--filter=event=${name}`),
  ];
  const begun = client.clock.elapsed();
  const { chunks, code } = client.processes.stream({ binary: client.binary, args, signal });
  let rest = "";
  let stderr = "";
  const decoder = new TextDecoder();
  try {
    for await (const { from, bytes } of chunks) {
      if (from === "stderr") {
        stderr = (stderr + new TextDecoder().decode(bytes)).slice(0, 4096);
        continue;
      }
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_EVENT_CHARS) throw new RuntimeError("failed", `${WATCHING}: a line is too long`);
      for (const line of lines) {
        const event = line === "" ? undefined : parseEvent(line);
        if (event !== undefined) yield event;
      }
    }
  } catch (error) {
    if (signal.aborted) return;
    throw clientError(WATCHING, client.binary, error, signal);
  }
  const exit = await code;
  const over = client.clock.now() >= until || client.clock.elapsed() - begun >= WATCH_MS - EARLY_MS;
  if (signal.aborted || (exit === 0 && over)) return;
  // Whatever it says at the end, nothing is known any more of what happens.
  throw new RuntimeError(
    "unavailable",
    `${WATCHING}: ${engineMessage(stderr) || "the engine ended the stream"}`,
  );
}

/** What {@linkcode dockerLogs} shows. */
export interface LogChoice {
  follow?: boolean;
  tailLines?: number;
  timestamps?: boolean;
  /** Unix milliseconds. */
  sinceMs?: number;
  signal?: AbortSignal;
}

/** The output of a container, both streams in the order they come. */
export async function* dockerLogs(
  client: DockerClient,
  id: string,
  choice: LogChoice,
): AsyncGenerator<Uint8Array> {
  const action = `Cannot read the output of container ${id.slice(0, 12)}`;
  const { follow, tailLines, timestamps, sinceMs, signal } = choice;
  const args = ["logs"];
  if (follow) args.push("--follow");
  if (timestamps) args.push("--timestamps");
  if (tailLines !== undefined) args.push(`--tail=${Math.max(0, Math.trunc(tailLines))}`);
  if (sinceMs !== undefined) args.push(`--since=${(sinceMs / 1000).toFixed(3)}`);
  const { chunks, code } = client.processes.stream({
    binary: client.binary,
    args: [...args, id],
    ...(signal === undefined ? {} : { signal }),
  });
  // The client's own complaint looks like output of the container until its exit code says otherwise.
  let complaint: Uint8Array | undefined;
  let started = false;
  try {
    for await (const { from, bytes } of chunks) {
      if (!started && complaint === undefined && from === "stderr" && isComplaint(bytes)) {
        complaint = bytes;
        continue;
      }
      started = true;
      if (complaint !== undefined) yield complaint;
      complaint = undefined;
      yield bytes;
    }
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return;
    throw clientError(action, client.binary, error, signal);
  }
  const exit = await code;
  if (exit !== 0) {
    throw engineError(action, exit, complaint === undefined ? "" : new TextDecoder().decode(complaint));
  }
  if (complaint !== undefined) yield complaint;
}

function isComplaint(bytes: Uint8Array): boolean {
  return /^(Error|error during connect|Cannot connect|permission denied)/.test(
    new TextDecoder().decode(bytes.subarray(0, 64)),
  );
}
