import { StatusError } from "../../../common/errors/mod.ts";
import type { Change, StoredObject } from "./object_store.ts";

/** An object in memory: its JSON text, and what selectors ask for. */
export interface CacheEntry {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly version: number;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Selectable fields other than name and namespace. */
  readonly fields: Readonly<Record<string, string>> | undefined;
  readonly text: string;
}

/** One change as watchers see it. */
export interface CacheEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly version: number;
  /** The object after the change; for DELETED the last one, with the resourceVersion of the deletion. */
  readonly entry: CacheEntry;
  readonly previous: CacheEntry | undefined;
}

/** Takes changes in order, synchronously. */
export type CacheListener = (event: CacheEvent) => void;

/** Bounds of the history of one resource. */
export interface WatchCacheLimits {
  /** Most events kept. @default 1000 */
  events?: number;
  /** Most characters of JSON kept in the events. @default 2097152 */
  chars?: number;
}

/**
 * All objects of one resource in memory, and the recent changes, so that a watch can begin in the past. Objects are kept as text:
 * it is what reads are answered with, and it takes a fraction of the memory of parsed objects.
 */
export class WatchCache {
  readonly #namespaces = new Map<string, Map<string, CacheEntry>>();
  readonly #listeners = new Map<CacheListener, (() => void) | undefined>();
  readonly #events: CacheEvent[] = [];
  readonly #limits: Required<WatchCacheLimits>;
  #read: (object: StoredObject) => CacheEntry;
  #first = 0;
  #chars = 0;
  #oldest: number;
  #sorted: CacheEntry[] | undefined;
  #size = 0;

  /**
   * @param read extracts labels and fields from a stored object
   * @param version the resourceVersion at which the history begins
   */
  constructor(read: (object: StoredObject) => CacheEntry, version: number, limits: WatchCacheLimits = {}) {
    this.#read = read;
    this.#oldest = version;
    this.#limits = { events: limits.events ?? 1000, chars: limits.chars ?? 2 * 1024 * 1024 };
  }

  /** How many objects there are. */
  get size(): number {
    return this.#size;
  }

  get(namespace: string, name: string): CacheEntry | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  /** Objects of one namespace, or of all, in the order of namespace and name. */
  list(namespace?: string): readonly CacheEntry[] {
    if (namespace !== undefined) {
      return [...this.#namespaces.get(namespace)?.values() ?? []].sort(byKey);
    }
    return this.#sorted ??= [...this.#namespaces.values()].flatMap((names) => [...names.values()]).sort(
      byKey,
    );
  }

  /** Takes an object that was stored before this process started; nobody is told. */
  load(object: StoredObject): void {
    this.#set(this.#read(object));
  }

  /** Takes a change that is stored, and tells the listeners. */
  apply(change: Change): CacheEvent {
    const entry = this.#read(change.object);
    const previous = this.get(entry.namespace, entry.name);
    if (change.kind === "delete") this.#delete(entry);
    else this.#set(entry);
    const event: CacheEvent = {
      type: change.kind === "insert" ? "ADDED" : change.kind === "update" ? "MODIFIED" : "DELETED",
      version: entry.version,
      entry,
      previous,
    };
    this.#remember(event);
    for (const listener of [...this.#listeners.keys()]) listener(event);
    return event;
  }

  /**
   * Events after a resourceVersion.
   * @throws {StatusError} Expired when they are no longer kept
   */
  since(version: number): CacheEvent[] {
    if (version < this.#oldest) {
      throw new StatusError("Expired", `too old resource version: ${version} (${this.#oldest})`);
    }
    let from = this.#events.length;
    while (from > this.#first && this.#events[from - 1]!.version > version) from--;
    return this.#events.slice(from);
  }

  /**
   * Objects as they were at a resourceVersion, of one namespace or of all, in the order of namespace and name.
   * @throws {StatusError} Expired when that is no longer known
   */
  listAt(version: number, namespace?: string): readonly CacheEntry[] {
    const after = this.since(version);
    if (after.length === 0) return this.list(namespace);
    const then = new Map(this.list(namespace).map((entry) => [`${entry.namespace}/${entry.name}`, entry]));
    for (const { entry, previous } of after.reverse()) {
      if (namespace !== undefined && entry.namespace !== namespace) continue;
      const key = `${entry.namespace}/${entry.name}`;
      if (previous === undefined) then.delete(key);
      else then.set(key, previous);
    }
    return [...then.values()].sort(byKey);
  }

  /**
   * Listens to changes; returns the remover.
   * @param onEnd called when watches are to begin again; the listener stays until it is removed
   */
  subscribe(listener: CacheListener, onEnd?: () => void): () => void {
    this.#listeners.set(listener, onEnd);
    return () => this.#listeners.delete(listener);
  }

  /** Has all watches end: what they would be told has another form now. */
  endWatches(): void {
    for (const end of [...this.#listeners.values()]) end?.();
  }

  /** Reads labels and fields of all objects anew, in another way. */
  reread(read: (object: StoredObject) => CacheEntry): void {
    this.#read = read;
    for (const names of this.#namespaces.values()) {
      for (const [name, { namespace, uid, version, text }] of names) {
        names.set(name, read({ resource: "", namespace, name, uid, resourceVersion: version, body: text }));
      }
    }
    this.#sorted = undefined;
  }

  #set(entry: CacheEntry): void {
    let names = this.#namespaces.get(entry.namespace);
    if (names === undefined) this.#namespaces.set(entry.namespace, names = new Map());
    if (!names.has(entry.name)) this.#size++;
    names.set(entry.name, entry);
    this.#sorted = undefined;
  }

  #delete(entry: CacheEntry): void {
    const names = this.#namespaces.get(entry.namespace);
    if (names?.delete(entry.name)) this.#size--;
    if (names?.size === 0) this.#namespaces.delete(entry.namespace);
    this.#sorted = undefined;
  }

  #remember(event: CacheEvent): void {
    this.#events.push(event);
    this.#chars += charsOf(event);
    while (
      this.#events.length - this.#first > this.#limits.events ||
      (this.#chars > this.#limits.chars && this.#events.length - this.#first > 1)
    ) {
      const gone = this.#events[this.#first]!;
      this.#oldest = gone.version;
      this.#chars -= charsOf(gone);
      this.#first++;
    }
    // Forgotten events are cut off in lots, so that forgetting one costs no copy of the rest.
    if (this.#first > 64 && this.#first * 2 > this.#events.length) {
      this.#events.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

function charsOf(event: CacheEvent): number {
  return event.entry.text.length;
}

function byKey(a: CacheEntry, b: CacheEntry): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
