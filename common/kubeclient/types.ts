import type { DeleteOptions, KubeObject, ListMeta } from "../api/meta_v1.ts";

/** A resource of the Kubernetes API, enough to build its paths. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  group: string;
  version: string;
  /** Lower-case plural, as in the path. */
  resource: string;
  kind: string;
  namespaced: boolean;
  /** Ties the type of the objects to the resource; never set. */
  readonly _object?: T;
}

/** A list as the API returns it. */
export interface KubeList<T> {
  metadata: ListMeta;
  items: T[];
  /** What was listed and left out, since it is no object with a name. @default 0 */
  malformed?: number;
}

/** Which objects of a resource. */
export interface Selection {
  /** All namespaces when absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** Where in the history of a resource to begin. */
export interface WatchOptions extends Selection {
  resourceVersion: string;
  /** @default true */
  allowWatchBookmarks?: boolean;
  signal: AbortSignal;
}

/** One change seen by a watch. */
export interface WatchEvent<T> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  object: T;
}

/** Names one object. */
export interface ObjectRef {
  name: string;
  /** Required for namespaced resources. */
  namespace?: string;
}

/** Options every request takes. */
export interface RequestOptions {
  signal?: AbortSignal;
}

/** Options of lists. */
export interface ListOptions<T> extends RequestOptions {
  /** Makes what is kept of an object, page by page, so that a long list never is in memory as a whole. */
  map?: (object: T) => T;
}

/** The media types of patches. */
export type PatchType = "json" | "merge" | "strategic" | "apply";

/** Options of writes. */
export interface WriteOptions extends RequestOptions {
  /** "status", "scale", "token", "eviction", … */
  subresource?: string;
  fieldManager?: string;
}

/** Reading from the API. Every method rejects with a StatusError for what the server refused, and for an unreachable server. */
export interface KubeReader {
  get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options?: RequestOptions): Promise<T>;
  /** The whole list, read in pages. */
  list<T extends KubeObject>(
    type: ResourceType<T>,
    selection?: Selection,
    options?: ListOptions<T>,
  ): Promise<KubeList<T>>;
  /** Ends when the server ends it; rejects with reason Expired when the resourceVersion is too old. */
  watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
}

/** Writing to the API. */
export interface KubeWriter {
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Creates a subresource of a named object, such as a token or an eviction. */
  createSubresource<T extends KubeObject, B extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    subresource: string,
    body: B,
    options?: RequestOptions,
  ): Promise<B>;
  update<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** `patch` is an object, an array (json), or text sent unchanged. */
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: { type: PatchType; body: unknown },
    options?: WriteOptions & { force?: boolean },
  ): Promise<T>;
  delete<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    body?: DeleteOptions,
    options?: RequestOptions,
  ): Promise<void>;
}

/** What the API server serves, which every user may ask. */
export interface KubeDiscovery {
  /** Names of the resources of a group and version; none when it is not served. */
  servedResources(group: string, version: string, options?: RequestOptions): Promise<ReadonlySet<string>>;
}

/** A client of one Kubernetes API server as one user. */
export interface KubeClient extends KubeReader, KubeWriter, AsyncDisposable {
  /** Base address, without a trailing slash. */
  readonly server: string;
}

/** A change of the informer's copy. `old` is what was held before. */
export type InformerEvent<T> =
  | { type: "added"; object: T }
  | { type: "updated"; object: T; old: T }
  | { type: "deleted"; object: T };

/** Reads from a copy of a resource that is kept up to date. Objects are shared: never change them. */
export interface Lister<T> {
  /** `<namespace>/<name>`, or the name of a cluster-scoped object. */
  get(key: string): T | undefined;
  list(namespace?: string): T[];
}

/** Lists and watches a resource, keeps the copy, tells handlers what changed. */
export interface Informer<T> extends Lister<T> {
  /** Whether the first list is complete. */
  readonly synced: boolean;
  /** Handlers are called in order, synchronously, objects known already first as `added`. Returns the remover. */
  subscribe(handler: (event: InformerEvent<T>) => void): () => void;
  /** Resolves once the first list is complete. @throws the signal's reason */
  waitForSync(options: { signal: AbortSignal }): Promise<void>;
  /** Works until the signal aborts; survives every failure of the server. */
  run(signal: AbortSignal): Promise<void>;
}
