import { Group, type Message, Operation } from "../../common/model/mod.ts";
import type { MetricsRegistry } from "../../common/metrics/mod.ts";
import {
  backoffMs,
  type Clock,
  defineModule,
  type Inbox,
  itemsUntil,
  type Logger,
  type Module,
  type ModuleContext,
  News,
  type Send,
} from "../../common/module/mod.ts";
import { errorText } from "../../common/errors/mod.ts";
import { CloudMessages } from "./cloud_messages.ts";
import { DatabaseError, EdgeDatabase } from "./database.ts";
import { EdgeRequests } from "./edge_requests.ts";
import { GonePods } from "./gone_pods.ts";
import { MetaStore } from "./meta_store.ts";
import { ObjectKeeper } from "./object_keeper.ts";
import { Outbox } from "./outbox.ts";
import { OutboxStore } from "./outbox_store.ts";
import { Outgoing } from "./outgoing.ts";
import { RecentKeys } from "./recent_keys.ts";
import { Remote } from "./remote.ts";

/** What metamanager is given. */
export interface MetaManagerComponents {
  /** From edgehub: what the cloud sent, and `connect`. From edged: its requests, group `meta`. */
  inbox: Inbox<Message>;
  edgeHub: Send<Message>;
  edged: Send<Message>;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
}

/** Settings of metamanager. */
export interface MetaManagerOptions {
  /** Path of the SQLite file. Upstream: `database.dataSource`, /var/lib/kubeedge/edgecore.db */
  databasePath: string;
  /** Largest size of that file, bytes. @default 1073741824 (1 GiB) */
  databaseLimitBytes?: number;
  /** This node; pods of others are not stored. */
  nodeName: string;
  /** How long a reply of the cloud is waited for, milliseconds. Upstream: `remoteQueryTimeout`. @default 60000 */
  remoteQueryTimeoutMs?: number;
  /** How long an object the cloud spoke of is handed out without asking again, milliseconds. @default 60000 */
  recentMs?: number;
}

const OPEN_RETRY = { baseMs: 1000, maxMs: 30_000 };
const TO_EDGED = 4096;
const TO_CLOUD = 4096;

/**
 * The module that keeps the edge copy of cloud objects. It is ready once its database is open.
 * @throws {TypeError} when an option is missing
 */
export function metaManager(components: MetaManagerComponents, options: MetaManagerOptions): Module {
  if (!options.databasePath) throw new TypeError("Cannot make metamanager: databasePath is missing");
  if (!options.nodeName) throw new TypeError("Cannot make metamanager: nodeName is missing");
  return defineModule("metamanager", (context) => run(components, options, context));
}

async function run(
  components: MetaManagerComponents,
  options: MetaManagerOptions,
  { signal, ready }: ModuleContext,
): Promise<void> {
  const { clock, log } = components;
  const opened = await openWhenPossible(components, options, signal);
  if (opened === undefined) return;
  using db = opened;
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const toCloud = new Outgoing(components.edgeHub, TO_CLOUD);
  const toEdged = new Outgoing(components.edged, TO_EDGED);
  const remote = new Remote(toCloud, clock, { timeoutMs: options.remoteQueryTimeoutMs ?? 60_000 });
  const store = new MetaStore(db);
  const outboxStore = new OutboxStore(db);
  const recent = new RecentKeys(clock, { forMs: options.recentMs ?? 60_000 });
  const gone = new GonePods(db, clock);
  const keeper = new ObjectKeeper(db, store, outboxStore, gone, options.nodeName);
  const messages = instruments(components.metrics, { db, remote, outboxStore, toCloud, toEdged });
  const outbox = new Outbox({
    store: outboxStore,
    remote,
    clock,
    log,
    confirmed: (change, reply) => edge.takeConfirmed(change, reply),
  }, inner.signal);
  const shared = { keeper, remote, toEdged, recent, clock, log, messages };
  const edge = new EdgeRequests({ ...shared, store, gone, outbox });
  const cloud = new CloudMessages(shared);

  const connect = (message: Message) => {
    const connected = message.content === "cloud_connected";
    remote.setConnected(connected);
    if (connected) outbox.connected();
    else {
      outbox.disconnected();
      // Changes may pass unseen while the link is down.
      recent.clear();
    }
    toEdged.offer(message);
  };
  const requests = new Set<Promise<void>>();
  const dispatch = (message: Message) => {
    // Edgehub lets nothing of the cloud through under the groups of the edge's own modules.
    if (message.route.group !== Group.meta) return cloud.handle(message);
    if (message.route.operation === Operation.connect) return connect(message);
    const request = edge.handle(message).finally(() => requests.delete(request));
    requests.add(request);
  };

  const running = [remote.run(inner.signal), toCloud.run(inner.signal), toEdged.run(inner.signal)];
  try {
    ready();
    const reading = (async () => {
      for await (const message of itemsUntil(components.inbox, inner.signal)) dispatch(message);
    })();
    await Promise.race([reading, ...running.map((part) => part.then(() => reading))]);
  } finally {
    inner.abort(signal.reason);
    signal.removeEventListener("abort", stop);
    await Promise.allSettled(running);
    const stopped = outbox.stopped();
    await Promise.allSettled(requests);
    await stopped;
  }
}

/** Opens the database, again and again while another process holds it; undefined when told to stop first. */
async function openWhenPossible(
  { clock, log }: MetaManagerComponents,
  { databasePath, databaseLimitBytes }: MetaManagerOptions,
  signal: AbortSignal,
): Promise<EdgeDatabase | undefined> {
  const news = new News(clock);
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return new EdgeDatabase({ path: databasePath, limitBytes: databaseLimitBytes }, clock, log);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (news.isNew("database", errorText(error))) {
        log.error("Cannot work without the edge's database; trying again", error, { file: databasePath });
      } else log.debug("Still no database", { file: databasePath, attempt: attempt + 1 });
    }
    await clock.sleep(backoffMs(attempt, OPEN_RETRY, Math.random()), { signal }).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }
  return undefined;
}

function instruments(
  metrics: MetricsRegistry,
  parts: { db: EdgeDatabase; remote: Remote; outboxStore: OutboxStore; toCloud: Outgoing; toEdged: Outgoing },
) {
  const { db, remote, outboxStore, toCloud, toEdged } = parts;
  metrics.gauge(
    "metamanager_pending_requests",
    "Requests that wait for the cloud's reply.",
    () => remote.waiting,
  );
  metrics.gauge(
    "metamanager_outbox_entries",
    "Changes that the cloud has not confirmed.",
    () => countEntries(db, outboxStore),
  );
  metrics.gauge("metamanager_to_cloud_messages", "Messages that wait for edgehub.", () => toCloud.length);
  metrics.gauge("metamanager_to_edged_messages", "Messages that wait for edged.", () => toEdged.length);
  return metrics.counter(
    "metamanager_messages_total",
    "Messages by where they came from and what became of them.",
  );
}

/** How many changes wait; not a number while the database cannot tell, which must not take the other metrics with it. */
function countEntries(db: EdgeDatabase, outboxStore: OutboxStore): number {
  if (!db.isOpen) return 0;
  try {
    return outboxStore.length;
  } catch (error) {
    if (error instanceof DatabaseError) return NaN;
    throw error;
  }
}
