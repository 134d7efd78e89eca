import { StatusError } from "../../../common/errors/mod.ts";
import type { Registry } from "../registry.ts";
import { apiVersionOf, type ResourceDefinition } from "../resources/definition.ts";
import type { CacheEntry, CacheEvent } from "../storage/watch_cache.ts";
import { isTrue, readInteger, readListOptions } from "./list_options.ts";
import type { OutputForm } from "./negotiate.ts";
import { takeChunk } from "./pieces.ts";
import { printObject, readIncludeObject, type Selection } from "./read.ts";
import { partialMetadata, printTable } from "./table_output.ts";

/** Bounds of watches. */
export interface WatchLimits {
  /** Most watches at a time. @default 5000 */
  watches?: number;
  /** Most characters that may wait for one watcher before it is cut off. @default 8388608 */
  queuedChars?: number;
}

interface Watcher {
  /** Unix milliseconds at which it ends by itself. */
  endsAt: number;
  bookmark(): void;
  end(): void;
}

/** Where a watch begins. */
interface WatchStart {
  version: number;
  /** What is told as being there. */
  entries: readonly CacheEntry[];
  /** What happened since. */
  events: CacheEvent[];
  /** Whether the end of what is there is told. */
  markEnd: boolean;
}

const encoder = new TextEncoder();
/** About as long as a bookmark is. */
const BOOKMARK_CHARS = 200;
const BOOKMARK_INTERVAL_MS = 60_000;
const MIN_TIMEOUT_SECONDS = 1800;
const MAX_TIMEOUT_SECONDS = 24 * 3600;

/** All watches that are being served. Each is one response whose body goes on until either side ends it. */
export class WatchHub {
  readonly #registry: Registry;
  readonly #limits: Required<WatchLimits>;
  readonly #now: () => number;
  readonly #watchers = new Set<Watcher>();
  #bookmarkedAt = 0;

  constructor(registry: Registry, now: () => number, limits: WatchLimits = {}) {
    this.#registry = registry;
    this.#now = now;
    this.#limits = { watches: limits.watches ?? 5000, queuedChars: limits.queuedChars ?? 8 * 1024 * 1024 };
  }

  /** How many watches there are. */
  get size(): number {
    return this.#watchers.size;
  }

  /** To be called about every second: ends the watches whose time is over, and once a minute tells the others how far they have seen. */
  tick(): void {
    const now = this.#now();
    for (const watcher of [...this.#watchers]) {
      if (watcher.endsAt > now) continue;
      watcher.bookmark();
      watcher.end();
    }
    if (now - this.#bookmarkedAt < BOOKMARK_INTERVAL_MS) return;
    this.#bookmarkedAt = now;
    for (const watcher of this.#watchers) watcher.bookmark();
  }

  /** Ends all watches. */
  end(): void {
    for (const watcher of [...this.#watchers]) watcher.end();
  }

  /** Begins a watch. @throws {StatusError} Expired, BadRequest, TooManyRequests */
  open(
    definition: ResourceDefinition,
    selection: Selection,
    query: URLSearchParams,
    form: OutputForm,
  ): Response {
    if (this.#watchers.size >= this.#limits.watches) {
      throw new StatusError(
        "TooManyRequests",
        `too many watches: ${this.#limits.watches} are served already`,
        {
          details: { retryAfterSeconds: 5 },
        },
      );
    }
    const cache = this.#registry.cache(definition);
    const timeoutSeconds = readTimeout(query.get("timeoutSeconds"));
    let start: WatchStart;
    try {
      start = this.#startOf(definition, selection, query);
    } catch (error) {
      // A watch that cannot begin there is told so as those are that lag behind.
      if (error instanceof StatusError && error.reason === "Expired") return refusedWatch(error);
      throw error;
    }
    const bookmarks = isTrue(query.get("allowWatchBookmarks"));
    let columns = true;
    if (form === "table") readIncludeObject(query);
    const print = (type: string, entry: CacheEntry) => {
      const text = printObject(definition, entry, form, query, this.#now(), { columns });
      columns = false;
      return `{"type":"${type}","object":${text}}\n`;
    };
    const printEvent = (event: CacheEvent) => {
      if (event.type !== "DELETED" && selection.matches(event.entry)) {
        return print(wasSelected(event) ? "MODIFIED" : "ADDED", event.entry);
      }
      return print(
        "DELETED",
        event.type === "DELETED" ? event.entry : withVersion(event.previous!, event.version),
      );
    };
    const wasSelected = ({ previous }: CacheEvent) => previous !== undefined && selection.matches(previous);
    const isSeen = (event: CacheEvent) =>
      wasSelected(event) || (event.type !== "DELETED" && selection.matches(event.entry));
    const printBookmark = (version: number, annotations?: Record<string, string>) =>
      `{"type":"BOOKMARK","object":${this.#printBookmark(definition, String(version), form, annotations)}}\n`;

    // What there is may be much. Everything is printed as it is fetched; what comes later must be fetched in time.
    function* beginning(): Generator<string> {
      for (const entry of start.entries) yield print("ADDED", entry);
      if (start.markEnd) yield printBookmark(start.version, { "k8s.io/initial-events-end": "true" });
      for (const event of start.events) if (isSeen(event)) yield printEvent(event);
    }
    const queue: Array<{ print: () => string; chars: number }> = [];
    let queuedChars = 0;
    let pulled: (() => void) | undefined;
    let ended = false;
    let isCutOff = false;
    const push = (chars: number, print: () => string) => {
      if (ended) return;
      queue.push({ print, chars });
      queuedChars += chars;
      if (queuedChars > this.#limits.queuedChars) {
        // What waits is dropped: the watcher has to begin again from the last it has read.
        isCutOff = true;
        queue.length = 0;
        end();
      }
      pulled?.();
    };
    const first = beginning();
    const next = (): string | undefined => {
      const { done, value } = first.next();
      if (!done) return value;
      const later = queue.shift();
      queuedChars -= later?.chars ?? 0;
      return later?.print();
    };
    let seen = start.events.at(-1)?.version ?? start.version;
    const onEvent = (event: CacheEvent) => {
      if (event.version <= seen) return;
      seen = event.version;
      if (isSeen(event)) push(event.entry.text.length, () => printEvent(event));
    };
    const bookmark = () => {
      if (!bookmarks) return;
      const version = seen = Math.max(seen, this.#registry.version);
      push(BOOKMARK_CHARS, () => printBookmark(version));
    };
    const unsubscribe = cache.subscribe(onEvent, () => end());
    const endsAt = this.#now() + timeoutSeconds * 1000;
    const watcher: Watcher = { endsAt, bookmark: () => bookmark(), end: () => end() };
    const end = () => {
      if (ended) return;
      ended = true;
      unsubscribe();
      this.#watchers.delete(watcher);
      pulled?.();
    };
    this.#watchers.add(watcher);
    const take = () => isCutOff ? "" : takeChunk(next);
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          let chunk = take();
          while (chunk === "" && !ended) {
            await new Promise<void>((resolve) => pulled = resolve);
            pulled = undefined;
            chunk = take();
          }
          if (chunk === "") controller.close();
          else controller.enqueue(encoder.encode(chunk));
        } catch (error) {
          end();
          throw error;
        }
      },
      cancel: () => end(),
    }, { highWaterMark: 0 });
    return new Response(body, { headers: WATCH_HEADERS });
  }

  #startOf(definition: ResourceDefinition, selection: Selection, query: URLSearchParams): WatchStart {
    const cache = this.#registry.cache(definition);
    const newest = this.#registry.version;
    const { version, sendInitialEvents } = readListOptions(query, { watch: true });
    // What comes after a version from the future is told when it comes.
    if (version > newest) return { version, entries: [], events: [], markEnd: false };
    if (sendInitialEvents ?? version === 0) {
      const entries = cache.list(selection.namespace).filter(selection.matches);
      return { version: newest, entries, events: [], markEnd: sendInitialEvents === true };
    }
    const from = version === 0 ? newest : version;
    return { version: from, entries: [], events: cache.since(from), markEnd: false };
  }

  #printBookmark(
    definition: ResourceDefinition,
    resourceVersion: string,
    form: OutputForm,
    annotations?: Record<string, string>,
  ): string {
    const metadata = {
      resourceVersion,
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    };
    if (form === "table") return printTable(definition, [], { resourceVersion }, { now: 0 });
    if (form === "metadata") {
      return JSON.stringify({ ...partialMetadata({ apiVersion: "", kind: "", metadata: {} }), metadata });
    }
    return JSON.stringify({ kind: definition.kind, apiVersion: apiVersionOf(definition), metadata });
  }
}

const WATCH_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-cache, private, no-transform",
} as const;

function refusedWatch(error: StatusError): Response {
  const line = JSON.stringify({ type: "ERROR", object: error.toStatus() });
  return new Response(`${line}\n`, { headers: WATCH_HEADERS });
}

/** An object that is no longer selected, under the version at which that happened. */
function withVersion(entry: CacheEntry, version: number): CacheEntry {
  const object = JSON.parse(entry.text);
  object.metadata.resourceVersion = String(version);
  return { ...entry, version, text: JSON.stringify(object) };
}

function readTimeout(text: string | null): number {
  const asked = readInteger(text);
  if (asked > 0) return Math.min(asked, MAX_TIMEOUT_SECONDS);
  // Spread out, so that all watches that began together do not end together.
  return MIN_TIMEOUT_SECONDS * (1 + Math.random());
}
