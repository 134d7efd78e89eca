import { errorText, StatusError } from "../../common/errors/mod.ts";
import { Group, type Message, newMessage, Operation } from "../../common/model/mod.ts";
import type { MetricsRegistry } from "../../common/metrics/mod.ts";
import {
  backoffMs,
  type Clock,
  defineModule,
  type Inbox,
  type Logger,
  type Module,
  type ModuleContext,
  News,
  type Send,
} from "../../common/module/mod.ts";
import { forgetToken } from "./blank_token.ts";
import { Inbound } from "./inbound.ts";
import { obtainCredentials } from "./node_credentials.ts";
import { isTakenOver } from "./link.ts";
import { type EdgeHubOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import { Outbound } from "./outbound.ts";
import { runSession } from "./session.ts";

/** What edgehub is given. */
export interface EdgeHubComponents {
  /** What the edge sends to the cloud. It is always read at once, link or no link. */
  inbox: Inbox<Message>;
  metaManager: Send<Message>;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
}

/** Waits between dials: quick at first, since most interruptions are short. */
const REDIAL = { baseMs: 1000, maxMs: 30_000 };
/** How many keepalives an edge whose place another one took waits between questions whether that one is gone. */
const YIELD_HEARTBEATS = 2;
/** A link that lasted this long counts as a success, after which the waits begin anew. */
const STABLE_MS = 60_000;
/** After so many links in a row that did not, the likeliest reason is told. */
const SHORT_LINKS = 4;

/**
 * The module that joins the cluster and keeps the link to the cloud. It is ready at once: the edge works without a link.
 * @throws {StatusError} Invalid, naming the option
 */
export function edgeHub(components: EdgeHubComponents, options: EdgeHubOptions): Module {
  const resolved = resolveOptions(options);
  return defineModule("edgehub", (context) => run(components, resolved, context));
}

async function run(
  { inbox, metaManager, clock, log, metrics }: EdgeHubComponents,
  options: ResolvedOptions,
  { signal, ready }: ModuleContext,
): Promise<void> {
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  if (signal.aborted) return;
  signal.addEventListener("abort", stop, { once: true });

  const received = metrics.counter("edgehub_received_total", "Messages of the cloud by what became of them.");
  const sent = metrics.counter(
    "edgehub_sent_total",
    "Messages to the cloud by urgency; refused ones were not sent.",
  );
  const connected = metrics.gauge("edgehub_connected", "1 while there is a link to the cloud.");
  const links = metrics.counter("edgehub_links_total", "Links to the cloud that came about.");
  const inbound: Inbound = new Inbound({
    metaManager,
    answer: (message) => outbound.offer(message),
    clock,
    log,
    received,
    maxMessageChars: options.maxMessageChars,
  });
  const outbound = new Outbound({
    inbox,
    refused: (refusal) => inbound.tellRefusal(refusal),
    clock,
    log,
    sent,
  }, { perSecond: options.messageQps, burst: options.messageBurst });
  metrics.gauge("edgehub_outbound_messages", "Messages that wait for the link.", () => outbound.length);
  metrics.gauge("edgehub_inbound_messages", "Messages that wait for metamanager.", () => inbound.length);
  connected.set(0);

  let token = options.token;
  let yielding = false;
  const news = new News(clock);
  let shortLinks = 0;
  const keepLinked = async () => {
    for (let attempt = 0; !inner.signal.aborted; attempt++) {
      const credentials = await obtainCredentials({ clock, log }, options, inner.signal);
      if (options.configFile !== undefined && token !== undefined) {
        await forgetToken(options.configFile, token, log);
        token = undefined;
      }
      let openedAt: number | undefined;
      const opened = () => {
        openedAt = clock.elapsed();
        links.inc();
        connected.set(1);
        log.info("Connected to the cloud", { server: options.websocketServer, node: options.nodeName });
        inbound.tell(connection("cloud_connected"));
        news.forget("link");
        yielding = false;
      };
      try {
        const why = await runSession(
          { clock, log, inbound, outbound, yielding, opened },
          options,
          credentials,
          inner.signal,
        );
        inner.signal.throwIfAborted();
        if (isTakenOver(why)) {
          yielding = true;
          log.error("Another edgecore connected as this node", doubleIdentity(options.nodeName));
        } else log.warning("The link to the cloud has ended", { why });
      } catch (error) {
        inner.signal.throwIfAborted();
        const reason = errorText(error);
        if (yielding || !news.isNew("link", reason)) {
          log.debug("Still not connected", { reason, attempt: attempt + 1 });
        } else log.error("Cannot connect to the cloud; trying again", error, { attempt: attempt + 1 });
      } finally {
        connected.set(0);
        if (openedAt !== undefined) inbound.tell(connection("cloud_disconnected"));
      }
      if (yielding) {
        // No hurry: the other one may be what replaces this machine.
        await clock.sleep(YIELD_HEARTBEATS * options.heartbeatMs, { signal: inner.signal });
        continue;
      }
      if (openedAt !== undefined && clock.elapsed() - openedAt >= STABLE_MS) attempt = shortLinks = 0;
      else if (openedAt !== undefined && ++shortLinks >= SHORT_LINKS && news.isNew("short links", "")) {
        // Upstream's cloud ends the link of the one that was there first, without a word.
        log.error(
          "Links to the cloud end soon after they began",
          doubleIdentity(options.nodeName, "Perhaps two"),
        );
      }
      await clock.sleep(backoffMs(attempt, REDIAL, Math.random()), { signal: inner.signal });
    }
  };

  ready();
  const parts = [outbound.read(inner.signal), inbound.run(inner.signal), keepLinked()];
  try {
    await Promise.all(parts);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    inner.abort(signal.reason);
    signal.removeEventListener("abort", stop);
    await Promise.allSettled(parts);
  }
}

/** Two that fight over one name would both be cut off all the time, and undo each other's work. */
function doubleIdentity(node: string, two = "Two"): StatusError {
  return new StatusError(
    "Conflict",
    `${two} edgecores run as node ${node}, and the one that connected last is served: stop this one, or set its ` +
      "modules.edged.hostnameOverride to another name, remove its certificate and key, and join it with a new token; " +
      "it connects by itself when the other is gone",
  );
}

/** What the other modules are told about the link. Upstream: kubeedge edge/pkg/common/cloudconnection @ 16cd854 */
function connection(content: "cloud_connected" | "cloud_disconnected"): Message {
  const route = {
    source: "edgehub",
    group: Group.meta,
    operation: Operation.connect,
    resource: "node/connection",
  };
  return newMessage(route, content);
}
