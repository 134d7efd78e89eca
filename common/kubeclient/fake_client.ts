import type { DeleteOptions, KubeObject, ObjectMeta } from "../api/meta_v1.ts";
import { keyOf } from "../api/meta_v1.ts";
import { StatusError } from "../errors/mod.ts";
import { equalJson, jsonPatch, mergePatch } from "./patches.ts";
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from "./selectors.ts";
import type {
  KubeClient,
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

/** A request the fake was asked, as tests look at it. */
export interface FakeCall {
  verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  resource: string;
  namespace?: string;
  name?: string;
  subresource?: string;
  body?: unknown;
}

/** What a {@linkcode FakeKubeClient} takes. */
export interface FakeKubeClientOptions {
  /** Unix milliseconds. @default Date.now */
  now?: () => number;
  /** Called before every request; what it throws is what the request rejects with. */
  intercept?: (call: FakeCall) => void | Promise<void>;
  /** Answers subresources other than `binding` and `eviction`, such as a service account's `token`. */
  createSubresource?: (call: FakeCall & { object: KubeObject }) => KubeObject | undefined;
}

/** An object with the two members the fake treats apart. */
interface Stored extends KubeObject {
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
}

interface Change {
  version: number;
  collection: string;
  /** Before and after; the one that is missing tells created from deleted. */
  old?: Stored;
  object?: Stored;
}

const NAME_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789";

/**
 * A Kubernetes API in memory. For tests only.
 *
 * It has resourceVersions, uids, generations, conflicts, delete preconditions, finalizers, graceful deletion of bound pods,
 * label and field selectors, watches with history and bookmarks, status as a subresource, pods/binding and pods/eviction.
 *
 * It cannot: validate or default anything, check permissions, page lists, run owner garbage collection or propagation
 * (it only puts the finalizer that asks for it), manage fields, or merge lists: `strategic` and `apply` patches are
 * plain merge patches, so a patched list replaces the whole list; `status.conditions` alone is merged by `type`.
 */
export class FakeKubeClient implements KubeClient {
  readonly server = "https://fake.invalid";
  /** Every request so far, in order. */
  readonly calls: FakeCall[] = [];
  readonly #options: FakeKubeClientOptions;
  #version = 0;
  #oldest = 0;
  #changes: Change[] = [];
  #objects = new Map<string, Map<string, Stored>>();
  #wakers = new Set<() => void>();
  #watchEpoch = 0;
  #serial = 0;

  constructor(options: FakeKubeClientOptions = {}) {
    this.#options = options;
  }

  /** Puts an object with its status, as if it had always been there; returns it as stored. */
  seed<T extends KubeObject>(type: ResourceType<T>, object: T): T {
    return this.#create(type, object as Stored, { keepStatus: true });
  }

  /** The object as stored, without a request. */
  peek<T extends KubeObject>(type: ResourceType<T>, key: string): T | undefined {
    return structuredClone(this.#collection(type).get(key)) as T | undefined;
  }

  /** All objects of a resource, without a request. */
  peekAll<T extends KubeObject>(type: ResourceType<T>): T[] {
    return structuredClone([...this.#collection(type).values()]) as KubeObject[] as T[];
  }

  /** Ends every watch that runs, as a server does from time to time. */
  endWatches(): void {
    this.#watchEpoch++;
    this.#wake();
  }

  /** Forgets history, so that a watch from an earlier resourceVersion is refused with Expired. */
  compact(): void {
    this.#changes = [];
    this.#oldest = this.#version;
    this.#wake();
  }

  async get<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T> {
    await this.#asked({ verb: "get", resource: type.resource, ...ref }, options?.signal);
    return structuredClone(this.#find(type, ref)) as KubeObject as T;
  }

  async list<T extends KubeObject>(
    type: ResourceType<T>,
    selection: Selection = {},
    { signal, map = (object) => object }: ListOptions<T> = {},
  ): Promise<KubeList<T>> {
    await this.#asked({ verb: "list", resource: type.resource, ...namespaceOf(selection) }, signal);
    const selected = selector(selection);
    const items = [...this.#collection(type).values()].filter(selected)
      .sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
    return {
      metadata: { resourceVersion: String(this.#version) },
      items: (structuredClone(items) as KubeObject[] as T[]).map(map),
    };
  }

  async *watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { signal, resourceVersion } = options;
    await this.#asked({ verb: "watch", resource: type.resource, ...namespaceOf(options) }, signal);
    const epoch = this.#watchEpoch;
    const collection = collectionOf(type);
    const selected = selector(options);
    const event = (kind: WatchEvent<T>["type"], object: Stored): WatchEvent<T> => ({
      type: kind,
      object: structuredClone(object) as KubeObject as T,
    });
    let at = Number(resourceVersion || "0");
    if (at === 0) {
      at = this.#version;
      for (const object of [...this.#collection(type).values()].filter(selected)) {
        yield event("ADDED", object);
      }
    }
    for (;;) {
      if (at < this.#oldest) {
        throw new StatusError("Expired", `too old resource version: ${at} (${this.#oldest})`);
      }
      const from = at;
      const seen = this.#version;
      for (const change of this.#changes.filter((c) => c.version > from && c.collection === collection)) {
        const was = change.old !== undefined && selected(change.old);
        const is = change.object !== undefined && selected(change.object);
        if (is) yield event(was ? "MODIFIED" : "ADDED", change.object!);
        else if (was) {
          const last = change.object ?? change.old!;
          const metadata = { ...last.metadata, resourceVersion: String(change.version) };
          yield event("DELETED", { ...last, metadata });
        }
      }
      at = seen;
      if (at > from && options.allowWatchBookmarks !== false) {
        const metadata = { resourceVersion: String(at) };
        yield event("BOOKMARK", { apiVersion: apiVersionOf(type), kind: type.kind, metadata });
      }
      if (epoch !== this.#watchEpoch) return;
      if (this.#version <= at) await this.#changed(signal);
    }
  }

  async create<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata ?? {};
    const body = structuredClone(object);
    await this.#asked(
      {
        verb: "create",
        resource: type.resource,
        ...(namespace && { namespace }),
        ...(name && { name }),
        body,
      },
      options.signal,
    );
    return this.#create(type, object as Stored, { keepStatus: type.resource === "nodes" });
  }

  async createSubresource<T extends KubeObject, B extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    subresource: string,
    body: B,
    options?: RequestOptions,
  ): Promise<B> {
    const call: FakeCall = { verb: "create", resource: type.resource, ...ref, subresource, body };
    await this.#asked(call, options?.signal);
    const object = this.#find(type, ref);
    if (subresource === "binding") {
      this.#bind(type, object, body);
      return structuredClone(body);
    }
    if (subresource === "eviction") {
      this.#delete(type, object, (body as { deleteOptions?: DeleteOptions }).deleteOptions ?? {});
      return structuredClone(body);
    }
    const answer = this.#options.createSubresource?.({ ...call, object: structuredClone(object) });
    if (answer === undefined) {
      throw new StatusError("NotFound", `the fake does not serve ${type.resource}/${subresource}`);
    }
    return answer as B;
  }

  async update<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const ref = refOf(object);
    const body = structuredClone(object);
    const { subresource } = options;
    await this.#asked(
      { verb: "update", resource: type.resource, ...ref, ...(subresource && { subresource }), body },
      options.signal,
    );
    return this.#replace(type, this.#find(type, ref), body as KubeObject as Stored, subresource);
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: { type: PatchType; body: unknown },
    options: WriteOptions & { force?: boolean } = {},
  ): Promise<T> {
    const { subresource } = options;
    const body: unknown = typeof patch.body === "string"
      ? JSON.parse(patch.body)
      : structuredClone(patch.body);
    await this.#asked(
      { verb: "patch", resource: type.resource, ...ref, ...(subresource && { subresource }), body },
      options.signal,
    );
    if (patch.type === "apply" && !this.#collection(type).has(keyOf({ metadata: { ...ref } }))) {
      return this.#create(type, mergePatch({ metadata: { ...ref } }, body) as Stored, { keepStatus: false });
    }
    const old = this.#find(type, ref);
    let next: unknown;
    try {
      next = patch.type === "json" ? jsonPatch(old, body) : mergePatch(old, body);
    } catch (cause) {
      const reason = cause instanceof SyntaxError ? "BadRequest" : "Invalid";
      throw new StatusError(reason, `Cannot patch ${type.resource} ${JSON.stringify(ref.name)}`, { cause });
    }
    if (patch.type === "strategic") mergeConditions(old, next as Stored);
    const given = (body as { metadata?: ObjectMeta }).metadata?.resourceVersion;
    const metadata = { ...(next as Stored).metadata, resourceVersion: given ?? old.metadata.resourceVersion };
    return this.#replace(type, old, { ...next as Stored, metadata }, subresource);
  }

  async delete<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    body: DeleteOptions = {},
    options?: RequestOptions,
  ): Promise<void> {
    await this.#asked(
      { verb: "delete", resource: type.resource, ...ref, body: structuredClone(body) },
      options?.signal,
    );
    this.#delete(type, this.#find(type, ref), body);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.endWatches();
    return Promise.resolve();
  }

  async #asked(call: FakeCall, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.calls.push(call);
    await this.#options.intercept?.(call);
    signal?.throwIfAborted();
  }

  #create<T extends KubeObject>(
    type: ResourceType<T>,
    object: Stored,
    { keepStatus }: { keepStatus: boolean },
  ): T {
    const given = structuredClone(object);
    const metadata = given.metadata ?? {};
    if (type.namespaced && !metadata.namespace) {
      throw new StatusError("BadRequest", `Cannot create ${type.kind}: metadata.namespace is missing`);
    }
    let name = metadata.name;
    if (!name && metadata.generateName) name = metadata.generateName + this.#suffix();
    if (!name) {
      throw new StatusError("Invalid", `${type.kind} "" is invalid: metadata.name: Required value`);
    }
    const stored: Stored = {
      ...given,
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: {
        ...metadata,
        name,
        uid: metadata.uid && keepStatus ? metadata.uid : crypto.randomUUID(),
        creationTimestamp: (keepStatus && metadata.creationTimestamp) || this.#timestamp(),
        ...(given.spec !== undefined && { generation: metadata.generation ?? 1 }),
      },
    };
    if (!keepStatus) delete stored.status;
    if (type.resource === "namespaces") {
      stored.spec ??= { finalizers: ["kubernetes"] };
      stored.status ??= { phase: "Active" };
    }
    if (type.resource === "pods") stored.status ??= { phase: "Pending" };
    const key = keyOf(stored);
    if (this.#collection(type).has(key)) {
      throw new StatusError("AlreadyExists", `${type.resource} "${name}" already exists`, {
        details: { kind: type.resource, name },
      });
    }
    return this.#store(type, undefined, stored);
  }

  #replace<T extends KubeObject>(type: ResourceType<T>, old: Stored, next: Stored, subresource?: string): T {
    const version = next.metadata?.resourceVersion;
    const name = old.metadata.name!;
    if (version !== undefined && version !== old.metadata.resourceVersion) {
      throw new StatusError(
        "Conflict",
        `Operation cannot be fulfilled on ${type.resource} "${name}": the object has been modified; ` +
          "please apply your changes to the latest version and try again",
        { details: { kind: type.resource, name } },
      );
    }
    if (next.metadata?.uid !== undefined && next.metadata.uid !== old.metadata.uid) {
      throw new StatusError("Conflict", `Precondition failed: UID in precondition: ${next.metadata.uid}`);
    }
    if (subresource !== undefined && !["status", "ephemeralcontainers", "finalize"].includes(subresource)) {
      throw new StatusError("NotFound", `the fake does not serve ${type.resource}/${subresource}`);
    }
    const { name: _name, namespace, uid, creationTimestamp, deletionTimestamp, generation } = old.metadata;
    const { deletionGracePeriodSeconds } = old.metadata;
    const metadata = defined({
      ...(subresource === "status" ? { ...old.metadata, ...writableByStatus(next.metadata) } : next.metadata),
      name,
      namespace,
      uid,
      creationTimestamp,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      generation,
    });
    const stored: Stored = subresource === "status"
      ? { ...old, metadata, ...("status" in next && { status: next.status }) }
      : { ...next, apiVersion: apiVersionOf(type), kind: type.kind, metadata };
    if (subresource !== "status") {
      if (old.status === undefined) delete stored.status;
      else stored.status = old.status;
      if (generation !== undefined && !equalJson(old.spec, stored.spec)) {
        stored.metadata = { ...metadata, generation: generation + 1 };
      }
    }
    const compared = { ...stored, metadata: { ...stored.metadata, resourceVersion: undefined } };
    if (equalJson(compared, { ...old, metadata: { ...old.metadata, resourceVersion: undefined } })) {
      return structuredClone(old) as KubeObject as T;
    }
    if (this.#isFinished(stored)) {
      this.#remove(type, old);
      return structuredClone(stored) as KubeObject as T;
    }
    return this.#store(type, old, stored);
  }

  #isFinished({ metadata, spec }: Stored): boolean {
    if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false;
    const left = (spec as { finalizers?: string[] } | undefined)?.finalizers ?? [];
    return left.length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0;
  }

  #delete<T extends KubeObject>(type: ResourceType<T>, old: Stored, options: DeleteOptions): void {
    const { uid, resourceVersion } = options.preconditions ?? {};
    const name = old.metadata.name!;
    for (
      const [label, wanted, actual] of [
        ["UID", uid, old.metadata.uid],
        ["ResourceVersion", resourceVersion, old.metadata.resourceVersion],
      ]
    ) {
      if (wanted !== undefined && wanted !== actual) {
        throw new StatusError(
          "Conflict",
          `Operation cannot be fulfilled on ${type.resource} "${name}": Precondition failed: ` +
            `${label} in precondition: ${wanted}, ${label} in object meta: ${actual}`,
          { details: { kind: type.resource, name } },
        );
      }
    }
    const finalizers = new Set(old.metadata.finalizers ?? []);
    if (options.propagationPolicy === "Foreground") finalizers.add("foregroundDeletion");
    if (options.propagationPolicy === "Orphan") finalizers.add("orphan");
    const grace = type.resource === "pods" ? graceSeconds(old, options) : undefined;
    const deletionTimestamp = old.metadata.deletionTimestamp ?? this.#timestamp((grace ?? 0) * 1000);
    const metadata: ObjectMeta = defined({
      ...old.metadata,
      deletionTimestamp,
      ...(grace !== undefined && {
        deletionGracePeriodSeconds: Math.min(grace, old.metadata.deletionGracePeriodSeconds ?? grace),
      }),
      finalizers: finalizers.size > 0 ? [...finalizers] : undefined,
    });
    const stored: Stored = { ...old, metadata };
    if (type.resource === "namespaces") stored.status = { ...old.status as object, phase: "Terminating" };
    if (this.#isFinished(stored)) this.#remove(type, old);
    else if (!equalJson(stored, old)) this.#store(type, old, stored);
  }

  #bind<T extends KubeObject>(type: ResourceType<T>, old: Stored, body: KubeObject): void {
    const nodeName = (body as { target?: { name?: string } }).target?.name;
    const spec = old.spec as { nodeName?: string } | undefined;
    if (spec?.nodeName) {
      throw new StatusError(
        "Conflict",
        `Operation cannot be fulfilled on pods/binding "${old.metadata.name}": pod ${old.metadata.name} is already assigned to node "${spec.nodeName}"`,
      );
    }
    const status = old.status as { conditions?: Array<{ type: string }> } | undefined;
    const others = (status?.conditions ?? []).filter((c) => c.type !== "PodScheduled");
    const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: this.#timestamp() };
    this.#store(type, old, {
      ...old,
      spec: { ...spec, nodeName },
      status: { ...status, conditions: [...others, scheduled] },
    });
  }

  #store<T extends KubeObject>(type: ResourceType<T>, old: Stored | undefined, object: Stored): T {
    const version = ++this.#version;
    const stored = structuredClone(object);
    stored.metadata = { ...stored.metadata, resourceVersion: String(version) };
    this.#collection(type).set(keyOf(stored), stored);
    this.#changes.push({ version, collection: collectionOf(type), object: stored, ...(old && { old }) });
    this.#wake();
    return structuredClone(stored) as KubeObject as T;
  }

  #remove<T extends KubeObject>(type: ResourceType<T>, old: Stored): void {
    this.#collection(type).delete(keyOf(old));
    this.#changes.push({ version: ++this.#version, collection: collectionOf(type), old });
    this.#wake();
  }

  #find<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): Stored {
    const found = this.#collection(type).get(keyOf({ metadata: { ...ref } }));
    if (found !== undefined) return found;
    const kind = type.group === "" ? type.resource : `${type.resource}.${type.group}`;
    throw new StatusError("NotFound", `${kind} "${ref.name}" not found`, {
      details: { kind: type.resource, name: ref.name, ...(type.group !== "" && { group: type.group }) },
    });
  }

  #collection<T extends KubeObject>(type: ResourceType<T>): Map<string, Stored> {
    const name = collectionOf(type);
    let objects = this.#objects.get(name);
    if (objects === undefined) this.#objects.set(name, objects = new Map());
    return objects;
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const end = () => {
        this.#wakers.delete(wake);
        signal.removeEventListener("abort", stop);
      };
      const wake = () => {
        end();
        resolve();
      };
      const stop = () => {
        end();
        reject(signal.reason);
      };
      this.#wakers.add(wake);
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  #timestamp(afterMs = 0): string {
    const now = this.#options.now?.() ?? Date.now();
    return new Date(now + afterMs).toISOString().replace(/\.\d+Z$/, "Z");
  }

  #suffix(): string {
    let rest = ++this.#serial * 7919;
    let text = "";
    for (let i = 0; i < 5; i++) {
      text += NAME_CHARACTERS[rest % NAME_CHARACTERS.length];
      rest = Math.floor(rest / NAME_CHARACTERS.length);
    }
    return text;
  }
}

function apiVersionOf(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

function collectionOf(type: ResourceType): string {
  return `${type.group}/${type.resource}`;
}

function namespaceOf({ namespace }: Selection): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function refOf(object: KubeObject): ObjectRef {
  const { name = "", namespace } = object.metadata ?? {};
  return namespace ? { name, namespace } : { name };
}

function selector({ namespace, labelSelector, fieldSelector }: Selection): (object: Stored) => boolean {
  const labels = parseLabelSelector(labelSelector ?? "");
  const fields = parseFieldSelector(fieldSelector ?? "");
  return (object) =>
    (!namespace || object.metadata.namespace === namespace) &&
    matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object);
}

/** A write of status may also change these parts of the metadata. */
function writableByStatus({ labels, annotations, finalizers }: ObjectMeta = {}): ObjectMeta {
  return defined({ labels, annotations, finalizers });
}

function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** Upstream: k8s.io/kubernetes pkg/registry/core/pod/strategy.go (CheckGracefulDelete) */
function graceSeconds(pod: Stored, options: DeleteOptions): number {
  const spec = pod.spec as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
  const phase = (pod.status as { phase?: string } | undefined)?.phase;
  if (!spec?.nodeName || phase === "Succeeded" || phase === "Failed") return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
}

function mergeConditions(old: Stored, next: Stored): void {
  type WithConditions = { conditions?: Array<{ type?: string }> } | undefined;
  const before = (old.status as WithConditions)?.conditions;
  const status = next.status as WithConditions;
  if (!Array.isArray(before) || !Array.isArray(status?.conditions) || before === status.conditions) return;
  const merged = new Map(before.map((c) => [c.type, c]));
  for (const c of status.conditions) merged.set(c.type, { ...merged.get(c.type), ...c });
  status.conditions = [...merged.values()];
}
