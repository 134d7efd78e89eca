import { errorText } from "../../common/errors/mod.ts";
import { EdgeModule, Group, newMessage, Operation, YIELD_HEADER } from "../../common/model/mod.ts";
import { backoffMs, type Clock, type Logger, News } from "../../common/module/mod.ts";
import { type Credentials, saveCredentials } from "./credentials.ts";
import type { Inbound } from "./inbound.ts";
import { dialWebSocket, type Link } from "./link.ts";
import { LinkHealth } from "./link_health.ts";
import { hubUrl, type ResolvedOptions } from "./options.ts";
import type { Outbound } from "./outbound.ts";
import { RENEWAL_RETRY, rotationTime } from "./rotation.ts";

/** What a session works with. */
export interface SessionComponents {
  clock: Clock;
  log: Logger;
  inbound: Inbound;
  outbound: Outbound;
  /** Do not take the place of another edgecore that is connected as this node. */
  yielding: boolean;
  /** Told once the link is open. */
  opened: () => void;
}

/** Longest single sleep: timers cannot be set months ahead, and the machine's clock may jump meanwhile. */
const MAX_SLEEP_MS = 3_600_000;

/**
 * Dials the hub and works over the link until it ends.
 * @returns why it ended
 * @throws {StatusError} when it did not come about; the signal's reason when told to stop before
 */
export async function runSession(
  parts: SessionComponents,
  options: ResolvedOptions,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<string> {
  const { clock, inbound, outbound } = parts;
  const health = new LinkHealth(options, clock.elapsed());
  const link = await dialWebSocket({
    url: hubUrl(options),
    headers: {
      node_id: options.nodeName,
      project_id: options.projectId,
      ConnectionUse: "msg",
      ...(parts.yielding ? { [YIELD_HEADER]: "1" } : {}),
    },
    credentials,
    handshakeTimeoutMs: options.handshakeTimeoutMs,
    onText: (text) => {
      health.received();
      inbound.take(text);
    },
    signal,
  });
  const over = new AbortController();
  const stop = () => over.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  const why = link.closed.finally(stop);
  const work = [
    outbound.pump(link, health, over.signal),
    keepAlive(parts, options, over.signal),
    watch(parts, options, link, health, over.signal),
  ];
  if (options.rotateCertificates) work.push(renewInTime(parts, options, credentials, link, over.signal));
  for (const part of work) {
    part.catch((error) => {
      if (!over.signal.aborted) link.close(errorText(error));
    });
  }
  parts.opened();
  try {
    await Promise.allSettled(work);
    if (signal.aborted) outbound.flush(link, health);
    link.close("edgehub is stopping");
    return await why;
  } finally {
    outbound.refuseAll();
    signal.removeEventListener("abort", stop);
  }
}

/** The first keepalive goes out at once: the cloud ends a session that sends none for 30 s. */
async function keepAlive(
  { clock, outbound }: SessionComponents,
  { heartbeatMs }: ResolvedOptions,
  signal: AbortSignal,
): Promise<void> {
  const route = {
    source: EdgeModule.edgeHub,
    group: Group.resource,
    operation: Operation.keepalive,
    resource: "node",
  };
  for (;;) {
    outbound.offer(newMessage(route, "ping", { timestamp: clock.now() }));
    await clock.sleep(heartbeatMs, { signal });
  }
}

async function watch(
  { clock }: SessionComponents,
  { writeDeadlineMs, silenceLimitMs }: ResolvedOptions,
  link: Link,
  health: LinkHealth,
  signal: AbortSignal,
): Promise<void> {
  const intervalMs = Math.min(writeDeadlineMs, silenceLimitMs) / 5;
  for (;;) {
    await clock.sleep(intervalMs, { signal });
    const trouble = health.check(link.bufferedBytes, clock.elapsed());
    if (trouble !== undefined) return link.close(trouble);
  }
}

/** Replaces the certificate before it expires, and the link with it. */
async function renewInTime(
  { clock, log }: SessionComponents,
  options: ResolvedOptions,
  credentials: Credentials,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const due = rotationTime(credentials, Math.random());
  while (clock.now() < due) {
    await clock.sleep(Math.min(due - clock.now(), MAX_SLEEP_MS), { signal });
  }
  const { renewCertificate } = await import("./join.ts");
  const { nodeName, httpServer } = options;
  const news = new News(clock);
  for (let attempt = 0;; attempt++) {
    try {
      const renewed = await renewCertificate(credentials, { nodeName, httpServer, now: clock.now(), signal });
      await saveCredentials(options, renewed);
      log.info("Renewed the certificate", { validUntil: new Date(renewed.notAfter).toISOString() });
      return link.close("the certificate was renewed");
    } catch (error) {
      signal.throwIfAborted();
      const about = { expires: new Date(credentials.notAfter).toISOString() };
      if (news.isNew("renewal", errorText(error))) {
        log.error("Cannot renew the certificate; trying again", error, about);
      } else log.debug("Still not renewed", { ...about, attempt: attempt + 1 });
    }
    await clock.sleep(backoffMs(attempt, RENEWAL_RETRY, Math.random()), { signal });
  }
}
