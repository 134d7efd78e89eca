import type { KubeObject } from "../api/meta_v1.ts";
import { keyOf } from "../api/meta_v1.ts";
import { errorText, hasReason, isExpired, isForbidden } from "../errors/mod.ts";
import type { Counter, Gauge, MetricsRegistry } from "../metrics/mod.ts";
import { backoffMs, type Clock, type Logger } from "../module/mod.ts";
import type { Informer, InformerEvent, KubeReader, ResourceType, Selection, WatchEvent } from "./types.ts";

/** Upstream: k8s.io/client-go tools/cache/reflector.go (backoffManager) @ v0.32 */
const BACKOFF = { baseMs: 800, maxMs: 30_000, jitter: 0.5 } as const;

/** Failures that are not about what is listed, but about the server and this user. */
const ACCESS = ["ServiceUnavailable", "Unauthorized", "Forbidden"] as const;

/** An event that cannot be read, or a server that fails: only a list brings further. */
const UNREADABLE = ["InternalError", "RequestEntityTooLarge"] as const;

/** What an API server refuses for so long it does not refuse only because it starts. */
const REFUSAL_LASTS_MS = 5_000;

/** A name that no object has. */
const NO_OBJECT = "nobody.kubeedge.io";

const isNumber = (version: string) => /^\d{1,40}$/.test(version);

/** The API server no longer has the past that an informer told of. */
export class PastLostError extends Error {
  override readonly name = "PastLostError";
}

/** A watch that lasted this long, or brought something, worked: the next failure starts the backoff anew. */
const STEADY_MS = 5_000;

/** What an {@linkcode informer} is made of. */
export interface InformerOptions<T> {
  log: Logger;
  clock: Clock;
  metrics?: InformerMetrics;
  /**
   * Makes what is kept of an object, so that parts nobody reads take no memory. It is given the whole object; afterwards
   * `metadata.managedFields` is dropped.
   */
  trim?: (object: T) => T;
  /**
   * Called whenever this user was refused the list or the watch, once that has lasted for some seconds: an API server that starts
   * refuses everybody for a moment, before it has read its roles.
   */
  refused?: () => void;
  /** A number in [0, 1), for the jitter of the backoff. @default Math.random */
  random?: () => number;
}

/** Metrics of all informers of a process, told apart by the label `resource`. */
export interface InformerMetrics {
  lists: Counter;
  failures: Counter;
  events: Counter;
  objects: Gauge;
}

/** Makes the metrics once per registry. */
export function informerMetrics(registry: MetricsRegistry): InformerMetrics {
  return {
    lists: registry.counter("informer_lists_total", "Full lists read by informers"),
    failures: registry.counter("informer_failures_total", "Lists and watches of informers that failed"),
    events: registry.counter("informer_events_total", "Changes that informers told their handlers"),
    objects: registry.gauge("informer_objects", "Objects kept by informers"),
  };
}

/**
 * An informer over what a selection of a resource holds. An object that was deleted and made again while nobody watched is
 * told as `deleted` and `added`; what disappeared meanwhile as `deleted` with the object last known.
 *
 * It ends with a {@linkcode PastLostError} when the server's store was put back to an older copy: versions that were told may come
 * again for other changes then, so whoever compares them must not go on.
 * Upstream: k8s.io/client-go tools/cache/reflector.go, delta_fifo.go @ v0.32
 */
export function informer<T extends KubeObject>(
  client: KubeReader,
  type: ResourceType<T>,
  selection: Selection,
  options: InformerOptions<T>,
): Informer<T> {
  return new Reflector(client, type, selection, options);
}

class Reflector<T extends KubeObject> implements Informer<T> {
  readonly #client: KubeReader;
  readonly #type: ResourceType<T>;
  readonly #selection: Selection;
  readonly #options: InformerOptions<T>;
  #objects = new Map<string, T>();
  #handlers = new Set<(event: InformerEvent<T>) => void>();
  #synced = Promise.withResolvers<void>();
  #isSynced = false;
  /** Where the watch goes on; undefined when the list must be read anew. */
  #version: string | undefined;
  /** The last version that was seen. */
  #newest = "";
  /** The server was away: it may be another one since, or have another past. */
  #wasAway = false;

  constructor(
    client: KubeReader,
    type: ResourceType<T>,
    selection: Selection,
    options: InformerOptions<T>,
  ) {
    this.#client = client;
    this.#type = type;
    this.#selection = selection;
    this.#options = options;
  }

  get synced(): boolean {
    return this.#isSynced;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata?.namespace === namespace);
  }

  subscribe(handler: (event: InformerEvent<T>) => void): () => void {
    // A function of its own for each call, so that one handler can subscribe twice.
    const own = (event: InformerEvent<T>) => handler(event);
    this.#handlers.add(own);
    for (const object of [...this.#objects.values()]) this.#call(own, { type: "added", object });
    return () => {
      this.#handlers.delete(own);
    };
  }

  waitForSync({ signal }: { signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      this.#synced.promise.then(() => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, metrics, random = Math.random } = this.#options;
    const resource = this.#type.resource;
    let attempt = 0;
    let refusedSince: number | undefined;
    while (!signal.aborted) {
      let worked = false;
      let failed = false;
      let refused = false;
      const listed = this.#version === undefined;
      const started = clock.now();
      try {
        if (this.#version === undefined) {
          await this.#list(signal);
          metrics?.lists.inc(1, { resource });
        }
        if (this.#wasAway && !listed) await this.#checkPast(signal);
        this.#wasAway = false;
        const version = this.#version!;
        for await (
          const event of this.#client.watch(this.#type, {
            ...this.#selection,
            resourceVersion: version,
            signal,
          })
        ) {
          this.#take(event);
          worked = true;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof PastLostError) throw error;
        if (isExpired(error)) {
          // A server that starts anew tells it to all watches: those of single objects are many.
          const level = this.#selection.fieldSelector?.includes("metadata.name=") ? "debug" : "info";
          log[level]("Listing again, the watch is too far behind", { resource });
          this.#version = undefined;
          // The server answers, so failures before this are over; only a list that is too old at once is slowed.
          if (!listed) attempt = 0;
        } else if (!hasReason(error, "Timeout") || clock.now() - started < STEADY_MS) {
          failed = true;
          this.#wasAway = true;
          // The same event would come again.
          if (UNREADABLE.some((reason) => hasReason(error, reason))) this.#version = undefined;
          metrics?.failures.inc(1, { resource });
          refused = isForbidden(error);
          // How long the server was away before it refused says nothing about when it will not.
          if (refused && refusedSince === undefined) attempt = 0;
          if (refused) refusedSince ??= clock.elapsed();
          if (refused && clock.elapsed() - refusedSince! >= REFUSAL_LASTS_MS) this.#options.refused?.();
          const fields = { resource, attempt, err: errorText(error) };
          // The client has told it once, for all who use it.
          if (ACCESS.some((reason) => hasReason(error, reason))) {
            log.debug("Cannot list or watch, trying again", fields);
          } else log.warning("Cannot list or watch, trying again", fields);
        }
      }
      if (signal.aborted) return;
      if (!refused) refusedSince = undefined;
      if (worked || clock.now() - started >= STEADY_MS) attempt = 0;
      // The first end that is no failure goes on at once; ends that follow each other quickly are slowed like failures.
      if (!failed && attempt++ === 0) continue;
      try {
        await clock.sleep(backoffMs(failed ? attempt++ : attempt - 2, BACKOFF, random()), { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /**
   * Makes sure that the server still has what was told here. One whose store was put back to an older copy takes a watch from a
   * version that it has not reached, and tells nothing until it gets there.
   */
  async #checkPast(signal: AbortSignal): Promise<void> {
    const { fieldSelector = "" } = this.#selection;
    // Only the version is of interest, which is the same whatever is listed.
    const none = fieldSelector.includes("metadata.name=") ? [] : [`metadata.name=${NO_OBJECT}`];
    const fields = [fieldSelector, ...none].filter((each) => each !== "").join(",");
    const { metadata } = await this.#client.list(this.#type, { ...this.#selection, fieldSelector: fields }, {
      signal,
    });
    this.#mustNotGoBack(metadata.resourceVersion);
  }

  #mustNotGoBack(is = ""): void {
    const was = this.#newest;
    if (!isNumber(was) || !isNumber(is) || BigInt(is) >= BigInt(was)) return;
    throw new PastLostError(
      `The API server went back from version ${was} to ${is}, so its store was put back to an older copy: ` +
        "what was learned of it holds no longer; start this program again",
    );
  }

  async #list(signal: AbortSignal): Promise<void> {
    const map = (object: T) => this.#trim(object);
    const { items, metadata, malformed = 0 } = await this.#client.list(this.#type, this.#selection, {
      signal,
      map,
    });
    this.#mustNotGoBack(metadata.resourceVersion);
    // What was malformed may be one of those that seem gone.
    const gone = new Map(malformed > 0 ? [] : this.#objects);
    for (const object of items) gone.delete(keyOf(object));
    for (const [key, object] of gone) this.#remove(key, object);
    for (const object of items) this.#put(object);
    this.#version = this.#newest = metadata.resourceVersion ?? "";
    if (!this.#isSynced) {
      this.#isSynced = true;
      this.#synced.resolve();
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (type === "DELETED") {
      const key = keyOf(object);
      if (this.#objects.has(key)) this.#remove(key, this.#trim(object));
    } else if (type !== "BOOKMARK") {
      this.#put(this.#trim(object));
    }
    const version = object.metadata?.resourceVersion;
    if (version !== undefined) this.#version = this.#newest = version;
  }

  #put(object: T): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined && old.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
    if (old !== undefined && old.metadata?.uid === object.metadata?.uid) {
      this.#objects.set(key, object);
      this.#tell({ type: "updated", object, old });
      return;
    }
    if (old !== undefined) this.#remove(key, old);
    this.#objects.set(key, object);
    this.#measure();
    this.#tell({ type: "added", object });
  }

  #remove(key: string, object: T): void {
    this.#objects.delete(key);
    this.#measure();
    this.#tell({ type: "deleted", object });
  }

  #trim(object: T): T {
    const { trim } = this.#options;
    const kept = trim === undefined ? object : trim(object);
    if (kept.metadata?.managedFields === undefined) return kept;
    const { managedFields: _, ...metadata } = kept.metadata;
    return { ...kept, metadata };
  }

  #measure(): void {
    this.#options.metrics?.objects.set(this.#objects.size, { resource: this.#type.resource });
  }

  #tell(event: InformerEvent<T>): void {
    this.#options.metrics?.events.inc(1, { resource: this.#type.resource, type: event.type });
    for (const handler of [...this.#handlers]) this.#call(handler, event);
  }

  /** One handler's failure must neither keep the event from the others nor end the watch. */
  #call(handler: (event: InformerEvent<T>) => void, event: InformerEvent<T>): void {
    try {
      handler(event);
    } catch (error) {
      this.#options.log.error("A handler of changes failed", error, {
        resource: this.#type.resource,
        key: keyOf(event.object),
        type: event.type,
      });
    }
  }
}
