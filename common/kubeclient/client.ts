import type { DeleteOptions, KubeObject } from "../api/meta_v1.ts";
import { hasReason, isNotFound, StatusError, statusErrorFrom } from "../errors/mod.ts";
import { type Clock, type Logger, silentLogger, systemClock } from "../module/mod.ts";
import { Connection, type Fetch, type KubeClientConfig, normalizeExpired } from "./connection.ts";
import { AccessReport } from "./access_report.ts";
import { credentialsOf } from "./credential_sources.ts";
import type { CredentialSource } from "./credentials.ts";
import { LineSplitter } from "./lines.ts";
import { objectPath, PATCH_MEDIA_TYPES, printQuery, resourcePath, selectionQuery } from "./paths.ts";
import type {
  KubeClient,
  KubeDiscovery,
  KubeList,
  ListOptions,
  ObjectRef,
  PatchType,
  RequestOptions,
  ResourceType,
  Selection,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./types.ts";

/** What a client is made of besides its configuration. */
export interface KubeClientOptions {
  /** @default systemClock */
  clock?: Clock;
  /** @default silentLogger */
  log?: Logger;
  /** @default the global fetch */
  fetch?: Fetch;
  /** A number in [0, 1), spreads the ends of watches. @default Math.random */
  random?: () => number;
  /** @default what the configuration names */
  credentials?: CredentialSource;
  /** What gives this user the rights it lacks, for messages. @default asking the administrator */
  rightsFrom?: string;
}

/** Upstream: k8s.io/client-go tools/cache/reflector.go (minWatchTimeout) @ v0.32 */
const MIN_WATCH_SECONDS = 300;
/** Pages a list may have before the server is taken for broken. */
const MAX_PAGES = 100_000;

/**
 * A client of one API server. Nothing is opened before the first request.
 * @throws {TypeError} for a server that is no address, or a certificate without its key
 */
export function createKubeClient(
  config: KubeClientConfig,
  options: KubeClientOptions = {},
): KubeClient & KubeDiscovery {
  return new HttpKubeClient(config, options);
}

class HttpKubeClient implements KubeClient, KubeDiscovery {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  /** Resources of which malformed objects were told. */
  readonly #toldMalformed = new Set<string>();

  constructor(config: KubeClientConfig, options: KubeClientOptions) {
    const { clock = systemClock, log = silentLogger, fetch = globalThis.fetch, random = Math.random } =
      options;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    const { credentials = credentialsOf(config, { clock, log, fetch }), rightsFrom } = options;
    this.#connection = new Connection(config, {
      clock,
      log,
      fetch: (url, init) => fetch(url, init),
      credentials,
      report: new AccessReport(config, { log, clock, ...(rightsFrom !== undefined && { rightsFrom }) }),
    });
  }

  get server(): string {
    return this.#connection.server;
  }

  async get<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T> {
    return parseObject(
      type,
      await this.#connection.json({ method: "GET", path: objectPath(type, ref), ...options }),
    );
  }

  async list<T extends KubeObject>(
    type: ResourceType<T>,
    selection: Selection = {},
    { map, ...options }: ListOptions<T> = {},
  ): Promise<KubeList<T>> {
    const path = resourcePath(type, selection.namespace);
    let limit = this.#connection.config.pageSize ?? 200;
    const items: T[] = [];
    let malformed = 0;
    let next: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = printQuery({ ...selectionQuery(selection), limit, continue: next });
      let value: unknown;
      try {
        value = await this.#connection.json({ method: "GET", path: path + query, ...options });
      } catch (error) {
        // A page of large objects; one by one they are read all the same.
        if (limit === 1 || !hasReason(error, "RequestEntityTooLarge")) throw error;
        limit = Math.ceil(limit / 8);
        continue;
      }
      const answer = parseList(type, value);
      for (const item of answer.items) items.push(map === undefined ? item : map(item));
      malformed += answer.malformed;
      if (!answer.metadata.continue) {
        if (malformed > 0) this.#tellMalformed(type.resource, malformed);
        return { metadata: answer.metadata, items, ...(malformed > 0 && { malformed }) };
      }
      next = answer.metadata.continue;
    }
    throw new StatusError("InternalError", `The list of ${type.resource} has over ${MAX_PAGES} pages`);
  }

  #tellMalformed(resource: string, count: number): void {
    if (this.#toldMalformed.has(resource)) return;
    this.#toldMalformed.add(resource);
    this.#log.warning("Left out what the API server lists although it is no object with a name", {
      resource,
      count,
      server: this.server,
    });
  }

  async *watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { watchSilenceMs = 150_000, eventLimitBytes = 8 << 20 } = this.#connection.config;
    const { signal, namespace, resourceVersion, allowWatchBookmarks = true } = options;
    const path = resourcePath(type, namespace) + printQuery({
      ...selectionQuery(options),
      watch: true,
      resourceVersion,
      allowWatchBookmarks: allowWatchBookmarks || undefined,
      timeoutSeconds: Math.floor(MIN_WATCH_SECONDS * (1 + this.#random())),
    });
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    const lines = new LineSplitter(eventLimitBytes);
    let heardAt = this.#clock.now();
    try {
      const response = await this.#connection.stream({ method: "GET", path, signal: stop });
      heardAt = this.#clock.now();
      const watchdog = this.#giveUpSilence(() => heardAt, watchSilenceMs, ended, type.resource);
      try {
        for await (const chunk of response.body ?? []) {
          heardAt = this.#clock.now();
          for (const line of lines.push(chunk)) yield parseEvent(type, line);
        }
      } finally {
        ended.abort();
        await watchdog;
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (ended.signal.aborted && ended.signal.reason instanceof StatusError) throw ended.signal.reason;
      if (error instanceof StatusError) throw error;
      if (error instanceof RangeError) {
        throw new StatusError("RequestEntityTooLarge", `Cannot watch ${type.resource}`, { cause: error });
      }
      throw new StatusError("ServiceUnavailable", `The watch of ${type.resource} at ${this.server} broke`, {
        cause: error,
      });
    } finally {
      ended.abort();
    }
  }

  async servedResources(
    group: string,
    version: string,
    options: RequestOptions = {},
  ): Promise<ReadonlySet<string>> {
    const path = resourcePath({ group, version, resource: "", kind: "", namespaced: false }).slice(0, -1);
    try {
      const { resources } = parseRecord(
        await this.#connection.json({ method: "GET", path, ...options }),
        `the resources of ${group}/${version}`,
      );
      const names = (Array.isArray(resources) ? resources : []).map((each) =>
        (each as { name?: unknown })?.name
      );
      return new Set(names.filter((name): name is string => typeof name === "string"));
    } catch (error) {
      if (isNotFound(error)) return new Set();
      throw error;
    }
  }

  async create<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { fieldManager, signal } = options;
    const path = resourcePath(type, object.metadata?.namespace);
    return parseObject(
      type,
      await this.#write("POST", path, { fieldManager }, withType(type, object), signal),
    );
  }

  async createSubresource<T extends KubeObject, B extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    subresource: string,
    body: B,
    options: RequestOptions = {},
  ): Promise<B> {
    const path = objectPath(type, ref, subresource);
    return parseRecord(
      await this.#write("POST", path, {}, body, options.signal),
      subresource,
    ) as KubeObject as B;
  }

  async update<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { fieldManager, subresource, signal } = options;
    const { name = "", namespace } = object.metadata ?? {};
    const path = objectPath(type, { name, ...(namespace && { namespace }) }, subresource);
    const body = subresource === "scale" ? object : withType(type, object);
    return parseObject(type, await this.#write("PUT", path, { fieldManager }, body, signal));
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: { type: PatchType; body: unknown },
    options: WriteOptions & { force?: boolean } = {},
  ): Promise<T> {
    const { fieldManager, force, subresource, signal } = options;
    const path = objectPath(type, ref, subresource) + printQuery({ fieldManager, force });
    const answer = await this.#connection.json({
      method: "PATCH",
      path,
      contentType: PATCH_MEDIA_TYPES[patch.type],
      body: typeof patch.body === "string" ? patch.body : JSON.stringify(patch.body),
      ...(signal && { signal }),
    });
    return parseObject(type, answer);
  }

  async delete<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    body: DeleteOptions = {},
    options: RequestOptions = {},
  ): Promise<void> {
    const deleteOptions = { ...body, kind: "DeleteOptions", apiVersion: "v1" };
    await this.#write("DELETE", objectPath(type, ref), {}, deleteOptions, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  #write(
    method: "POST" | "PUT" | "DELETE",
    path: string,
    query: Record<string, string | undefined>,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    return this.#connection.json({
      method,
      path: path + printQuery(query),
      contentType: "application/json",
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  }

  /** Aborts a watch that is silent for too long; resolves once it has ended. */
  async #giveUpSilence(
    heardAt: () => number,
    silenceMs: number,
    ended: AbortController,
    resource: string,
  ): Promise<void> {
    const { signal } = ended;
    while (!signal.aborted) {
      const left = heardAt() + silenceMs - this.#clock.now();
      if (left <= 0) {
        ended.abort(
          new StatusError(
            "Timeout",
            `The watch of ${resource} at ${this.server} was silent for ${silenceMs} ms`,
          ),
        );
        return;
      }
      try {
        await this.#clock.sleep(left, { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }
}

function withType<T extends KubeObject>(type: ResourceType<T>, object: T): T {
  const apiVersion = type.group === "" ? type.version : `${type.group}/${type.version}`;
  return { ...object, apiVersion, kind: type.kind };
}

function parseRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new StatusError("InternalError", `Cannot read ${what}: expected a JSON object`);
}

/** An object of the API, as far as every object must have it: its name, and type where a list leaves it out. */
function parseObject<T extends KubeObject>(type: ResourceType<T>, value: unknown): T {
  const object = parseRecord(value, `a ${type.kind}`);
  const metadata = parseRecord(object.metadata, `the metadata of a ${type.kind}`);
  if (typeof metadata.name !== "string" || metadata.name === "") {
    throw new StatusError("InternalError", `Cannot read a ${type.kind}: it has no metadata.name`);
  }
  if (object.kind === undefined) return withType(type, object as KubeObject as T);
  return object as KubeObject as T;
}

/** A page of a list; what is no object with a name is counted and left out, so that the others are there. */
function parseList<T extends KubeObject>(
  type: ResourceType<T>,
  value: unknown,
): KubeList<T> & { malformed: number } {
  const list = parseRecord(value, `a list of ${type.resource}`);
  const metadata = parseRecord(list.metadata, `the metadata of a list of ${type.resource}`);
  const items = list.items ?? [];
  if (!Array.isArray(items)) {
    throw new StatusError("InternalError", `Cannot read a list of ${type.resource}: items is not an array`);
  }
  const named = items.filter(isNamed);
  return {
    metadata,
    items: named.map((item) => parseObject(type, item)),
    malformed: items.length - named.length,
  };
}

function isNamed(item: unknown): boolean {
  const name = (item as KubeObject | null | undefined)?.metadata?.name;
  return typeof name === "string" && name !== "";
}

/** One line of a watch. @throws {StatusError} what an ERROR event says, with Expired for both words of 410 */
function parseEvent<T extends KubeObject>(type: ResourceType<T>, line: string): WatchEvent<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new StatusError("InternalError", `Cannot read an event of ${type.resource}: it is not JSON`, {
      cause,
    });
  }
  const event = parseRecord(value, `an event of ${type.resource}`);
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type: event.type, object: parseObject(type, event.object) };
    case "BOOKMARK": {
      const object = parseRecord(event.object, "a bookmark");
      return {
        type: "BOOKMARK",
        object: { ...object, metadata: parseRecord(object.metadata, "a bookmark") } as KubeObject as T,
      };
    }
    case "ERROR":
      throw normalizeExpired(statusErrorFrom(event.object));
    default:
      throw new StatusError(
        "InternalError",
        `Cannot read an event of ${type.resource}: type ${JSON.stringify(event.type)?.slice(0, 60)}`,
      );
  }
}
