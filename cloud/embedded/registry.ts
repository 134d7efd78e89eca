import { StatusError } from "../../common/errors/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import { differInTimesOnly, trackWrite } from "./apply/field_manager.ts";
import { type ApiObject, jsonEqual, timeText } from "./object.ts";
import { type DeleteOptions, planDeletion } from "./deletion.ts";
import {
  apiVersionOf,
  keyOfResource,
  type ResourceDefinition,
  type Surroundings,
} from "./resources/definition.ts";
import { alreadyExists, conflict, forbiddenWrite, notFound } from "./resources/errors.ts";
import { type FieldError, invalidObject } from "./resources/field_error.ts";
import { validateMetadata, validateMetadataUpdate } from "./resources/metadata.ts";
import type { ResourceTable } from "./resources/table.ts";
import type { Change, ObjectStore, StoredObject } from "./storage/object_store.ts";
import { type CacheEntry, WatchCache, type WatchCacheLimits } from "./storage/watch_cache.ts";

/** What the registry works with. */
export interface RegistryComponents {
  store: ObjectStore;
  table: ResourceTable;
  clock: Clock;
}

/** Names one object; `namespace` is "" for cluster-scoped resources. */
export interface ObjectName {
  namespace: string;
  name: string;
}

/** What a write may be told. */
export interface WriteOptions {
  /** Decide everything, store nothing. */
  dryRun?: boolean;
  /** What of the object is written; everything but the status when absent. */
  subresource?: "status" | "finalize" | "binding";
  /** Whether a uid that differs is a fault of the object and not a precondition that does not hold, as in a patch. */
  patched?: true;
  /** Who writes, as `metadata.managedFields` is to name them; that stays as it is given when absent. */
  manager?: string;
}

/** What became of a deletion: the last state of the object, and whether it is gone. */
export interface DeleteResult {
  object: ApiObject;
  removed: boolean;
}

const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const MAX_GENERATED_PREFIX = 58;

/**
 * The objects of the control plane as the API knows them: defaults, admission, validation, versions, finalizers. Every write is decided
 * and stored in one turn of the event loop, so that nothing can come between.
 */
export class Registry {
  readonly table: ResourceTable;
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #caches = new Map<string, WatchCache>();
  readonly #around: Surroundings;
  readonly #limits: WatchCacheLimits;
  readonly #followers = new Set<(definition: ResourceDefinition) => void>();
  readonly #damaged: Array<{ object: StoredObject; error: unknown }> = [];

  constructor({ store, table, clock }: RegistryComponents, limits: WatchCacheLimits = {}) {
    this.table = table;
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    for (const definition of table.stored()) {
      this.#caches.set(
        keyOfResource(definition),
        new WatchCache((object) => readEntry(object, definition), store.version, limits),
      );
    }
    for (const object of store.load()) this.#load(object);
    this.#around = {
      get now() {
        return clock.now();
      },
      read: (resource, namespace, name) => {
        const entry = this.#caches.get(resource)?.get(namespace, name);
        return entry === undefined ? undefined : JSON.parse(entry.text);
      },
      entries: (resource) => this.#caches.get(resource)?.list() ?? [],
    };
  }

  /** Objects that cannot be read; they are neither served nor changed. */
  get damaged(): ReadonlyArray<{ object: StoredObject; error: unknown }> {
    return this.#damaged;
  }

  /** Serves a resource under these definitions instead of those it had, with the objects that are stored of it. */
  attach(definitions: readonly ResourceDefinition[]): void {
    const primary = definitions.find(({ storedAs }) => storedAs?.primary);
    if (primary === undefined) throw new TypeError("Cannot attach a resource: no definition is primary");
    const key = primary.storedAs!.key;
    const before = this.table.custom(key)[0];
    this.table.setCustom(key, definitions);
    const cache = this.#caches.get(key);
    if (cache === undefined) {
      const made = new WatchCache((object) => readEntry(object, primary), this.#store.version, this.#limits);
      this.#caches.set(key, made);
      for (const object of this.#store.load(key)) this.#load(object);
      for (const listener of this.#followers) listener(primary);
      return;
    }
    // Whoever watches is to begin again with what the objects are now.
    cache.endWatches();
    if (before?.readFields !== undefined || primary.readFields !== undefined) {
      cache.reread((object) => readEntry(object, primary));
    }
  }

  /** Serves a resource no more, or as it was before anything was attached in its place. */
  detach(key: string): void {
    const built = this.table.setCustom(key, []);
    this.#caches.get(key)?.endWatches();
    if (built === undefined) this.#caches.delete(key);
    else this.#caches.get(key)?.reread((object) => readEntry(object, built));
  }

  /** Tells of every resource that is attached from now on and was not there before; returns the remover. */
  follow(listener: (definition: ResourceDefinition) => void): () => void {
    this.#followers.add(listener);
    return () => this.#followers.delete(listener);
  }

  #load(object: StoredObject): void {
    try {
      this.#caches.get(object.resource)?.load(object);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#damaged.push({ object, error });
    }
  }

  /** The newest resourceVersion. */
  get version(): number {
    return this.#store.version;
  }

  /** The objects of a resource in memory, as stored. */
  cache(definition: ResourceDefinition): WatchCache {
    const cache = this.#caches.get(definition.storedAs?.key ?? keyOfResource(definition));
    if (cache === undefined) throw new TypeError(`Cannot find the cache of ${definition.resource}`);
    return cache;
  }

  /** An object as stored. @throws {StatusError} NotFound */
  entry(definition: ResourceDefinition, { namespace, name }: ObjectName): CacheEntry {
    const entry = this.cache(definition).get(namespace, name);
    if (entry === undefined) throw notFound(definition, name);
    return entry;
  }

  /** An object in the resource's own version; the caller owns it. @throws {StatusError} NotFound */
  get(definition: ResourceDefinition, ref: ObjectName): ApiObject {
    return objectOf(definition, this.entry(definition, ref).text);
  }

  /** Stores a new object and returns it as stored. @throws {StatusError} */
  create(
    definition: ResourceDefinition,
    namespace: string,
    given: ApiObject,
    options: WriteOptions = {},
  ): ApiObject {
    const object = structuredClone(given);
    const meta = object.metadata;
    if ((meta.namespace ?? "") !== namespace && (meta.namespace ?? "") !== "") {
      throw new StatusError(
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
      );
    }
    if (definition.namespaced) meta.namespace = namespace;
    else delete meta.namespace;
    if ((meta.resourceVersion ?? "") !== "") {
      throw new StatusError("BadRequest", "resourceVersion should not be set on objects to be created");
    }
    if ((meta.name ?? "") === "" && (meta.generateName ?? "") !== "") {
      meta.name = this.#generateName(definition, object);
    }
    this.#checkNamespace(definition, namespace, meta.name ?? "");
    meta.uid = crypto.randomUUID();
    meta.creationTimestamp = timeText(this.#clock.now());
    if (definition.generation) meta.generation = 1;
    else delete meta.generation;
    for (
      const key of ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] as const
    ) {
      delete meta[key];
    }
    if (definition.status !== undefined && !definition.keepsStatusOnCreate) delete object.status;
    definition.applyDefaults?.(object);
    this.#track(definition, undefined, object, options);
    definition.prepareForCreate?.(object, this.#around);
    refuse(definition, object, [
      ...validateMetadata(object, definition),
      ...definition.validateWrite?.({ object, old: undefined }) ?? definition.validate?.(object) ?? [],
    ]);
    if (this.cache(definition).get(namespace, meta.name ?? "") !== undefined) {
      throw alreadyExists(definition, meta.name ?? "");
    }
    if (options.dryRun) return object;
    return this.#commit(
      definition,
      (version) => ({ kind: "insert", object: stored(definition, object, version) }),
    );
  }

  /**
   * Changes an object and returns it as stored.
   * @param transform makes the wanted object out of a copy of the present one
   * @throws {StatusError}
   */
  update(
    definition: ResourceDefinition,
    ref: ObjectName,
    transform: (current: ApiObject) => ApiObject,
    options: WriteOptions = {},
  ): ApiObject {
    const entry = this.entry(definition, ref);
    const old = objectOf(definition, entry.text);
    // Parsing again takes a fraction of the time of a clone.
    const wanted = transform(objectOf(definition, entry.text));
    const object = this.#prepareUpdate(definition, old, wanted, options);
    if (isDone(object)) {
      if (options.dryRun) return object;
      return this.#commit(definition, (version) => ({
        kind: "delete",
        object: stored(definition, object, version),
        expectedVersion: entry.version,
      }));
    }
    if (sameButTimes(object, old)) return old;
    if (options.dryRun) return object;
    return this.#replace(definition, entry, object);
  }

  /** Deletes an object, or marks it for deletion. @throws {StatusError} */
  delete(definition: ResourceDefinition, ref: ObjectName, options: DeleteOptions = {}): DeleteResult {
    const entry = this.entry(definition, ref);
    const old = objectOf(definition, entry.text);
    const plan = planDeletion(definition, old, options, this.#clock.now());
    const { object } = plan;
    if (plan.kind === "keep" || options.dryRun) return { object, removed: plan.kind === "remove" };
    if (plan.kind === "mark") return { object: this.#replace(definition, entry, object), removed: false };
    const removed = this.#commit(definition, (version) => ({
      kind: "delete",
      object: stored(definition, object, version),
      expectedVersion: entry.version,
    }));
    return { object: removed, removed: true };
  }

  #prepareUpdate(
    definition: ResourceDefinition,
    old: ApiObject,
    wanted: ApiObject,
    options: WriteOptions,
  ): ApiObject {
    const { subresource } = options;
    const name = old.metadata.name ?? "";
    const meta = wanted.metadata;
    const [asked, present] = [meta.resourceVersion ?? "", old.metadata.resourceVersion ?? ""];
    if (definition.needsVersion && asked === "") {
      throw invalidObject({ group: definition.group, kind: definition.resource }, name, [versionMissing()]);
    }
    if (!options.patched && (meta.uid ?? "") !== "" && meta.uid !== old.metadata.uid) {
      throw conflict(
        definition,
        name,
        `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    }
    if (asked !== "" && asked !== "0" && asked !== present) {
      throw conflict(
        definition,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
      );
    }
    let object: ApiObject = { ...wanted, apiVersion: old.apiVersion, kind: old.kind };
    if (subresource === "status") {
      const metadata = definition.status === "statusAndMetadata"
        ? { ...meta, ownerReferences: old.metadata.ownerReferences }
        : { ...old.metadata, managedFields: meta.managedFields };
      object = { ...old, metadata, status: wanted.status };
    } else if (definition.status !== undefined && subresource !== "binding") object.status = old.status;
    const kept = { ...object.metadata };
    if ((kept.uid ?? "") === "") kept.uid = old.metadata.uid;
    for (const key of ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const) {
      Object.assign(kept, { [key]: old.metadata[key] });
    }
    Object.assign(kept, {
      resourceVersion: present,
      generation: old.metadata.generation,
      selfLink: undefined,
    });
    object.metadata = withoutUndefined(kept);
    definition.applyDefaults?.(object);
    this.#track(definition, old, object, options);
    if (subresource === undefined) definition.prepareForUpdate?.(object, old, this.#around);
    if (subresource !== "status" && subresource !== "binding" && isNewGeneration(definition, object, old)) {
      object.metadata.generation = (old.metadata.generation ?? 0) + 1;
    }
    withoutUndefined(object);
    const errors: FieldError[] = [
      ...validateMetadata(object, definition),
      ...validateMetadataUpdate(object, old),
    ];
    if (definition.validateWrite !== undefined) {
      errors.push(...definition.validateWrite({ object, old, subresource }));
    } else {
      // What stays as it is may be from before it was judged as it is now, and must not keep a status or a finalizer from changing.
      const judged = definition.validate !== undefined && !sameContent(object, old);
      errors.push(
        ...judged ? definition.validate?.(object) ?? [] : [],
        ...subresource === "binding" ? [] : definition.validateUpdate?.(object, old) ?? [],
      );
    }
    refuse(definition, object, errors);
    return withoutUndefined(object);
  }

  /** Notes whose fields are whose; before admission and the server itself set any, which belong to nobody. */
  #track(
    definition: ResourceDefinition,
    old: ApiObject | undefined,
    object: ApiObject,
    { manager, subresource }: WriteOptions,
  ): void {
    if (manager === undefined) return;
    trackWrite(old, object, { definition, manager, subresource: subresource ?? "", now: this.#clock.now() });
  }

  #replace(definition: ResourceDefinition, entry: CacheEntry, object: ApiObject): ApiObject {
    return this.#commit(definition, (version) => ({
      kind: "update",
      object: stored(definition, object, version),
      expectedVersion: entry.version,
    }));
  }

  #commit(definition: ResourceDefinition, make: (version: number) => Change): ApiObject {
    const change = this.#store.commit(make, definition.durability);
    this.cache(definition).apply(change);
    return objectOf(definition, change.object.body);
  }

  #checkNamespace(definition: ResourceDefinition, namespace: string, name: string): void {
    if (!definition.namespaced) return;
    const found = this.#around.read("namespaces", "", namespace);
    if (found === undefined) throw notFound({ group: "", resource: "namespaces" }, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    throw forbiddenWrite(
      definition,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [{
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      }],
    );
  }

  #generateName(definition: ResourceDefinition, object: ApiObject): string {
    const prefix = (object.metadata.generateName ?? "").slice(0, MAX_GENERATED_PREFIX);
    const cache = this.cache(definition);
    for (let attempt = 0; attempt < 8; attempt++) {
      const bytes = crypto.getRandomValues(new Uint8Array(5));
      const name = prefix + Array.from(bytes, (b) => NAME_ALPHABET[b % NAME_ALPHABET.length]).join("");
      if (cache.get(object.metadata.namespace ?? "", name) === undefined) return name;
    }
    throw alreadyExists(definition, prefix);
  }
}

/** Whether nothing holds back an object that is marked for deletion. */
function isDone({ metadata, spec }: ApiObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.deletionGracePeriodSeconds ?? 0) > 0) {
    return false;
  }
  const held =
    typeof spec === "object" && spec !== null && "finalizers" in spec && Array.isArray(spec.finalizers)
      ? spec.finalizers.length
      : 0;
  return (metadata.finalizers ?? []).length === 0 && held === 0;
}

/** Whether nothing would change, or nothing but when fields became what they are. */
function sameButTimes(object: ApiObject, old: ApiObject): boolean {
  const timeless = ({ metadata, ...rest }: ApiObject) => ({
    ...rest,
    metadata: { ...metadata, managedFields: undefined },
  });
  return jsonEqual(timeless(object), timeless(old)) &&
    differInTimesOnly(object.metadata.managedFields, old.metadata.managedFields);
}

/** Whether two objects differ in nothing but metadata and status. */
function sameContent(
  { metadata: _metadata, status: _status, ...content }: ApiObject,
  { metadata: _oldMetadata, status: _oldStatus, ...old }: ApiObject,
): boolean {
  return jsonEqual(content, old);
}

/** Whether a change is one that `metadata.generation` counts. */
function isNewGeneration({ generation }: ResourceDefinition, object: ApiObject, old: ApiObject): boolean {
  if (generation !== "content") return generation === true && !jsonEqual(object.spec, old.spec);
  const content = ({ metadata: _, ...rest }: ApiObject) => rest;
  return !jsonEqual(content(object), content(old));
}

function versionMissing(): FieldError {
  return {
    reason: "FieldValueInvalid",
    field: "metadata.resourceVersion",
    message: "Invalid value: 0x0: must be specified for an update",
  };
}

function refuse(definition: ResourceDefinition, object: ApiObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject(definition, object.metadata.name ?? "", errors.slice(0, 100));
}

function withoutUndefined<T extends object>(object: T): T {
  for (const key of Object.keys(object) as Array<keyof T>) if (object[key] === undefined) delete object[key];
  return object;
}

/** An object in the resource's version out of its stored text. */
export function objectOf(definition: ResourceDefinition, text: string): ApiObject {
  const object: ApiObject = JSON.parse(text);
  return definition.storedAs?.fromStored(object) ?? object;
}

/** Largest object that is stored. Upstream: etcd server/embed/config.go (DefaultMaxRequestBytes) @ v3.5 */
const MAX_OBJECT_BYTES = 1.5 * 1024 * 1024;

/**
 * Many small patches can make what no single request may be. Escapes count as what they stand for, since etcd holds no JSON of
 * what Kubernetes stores in it. kube-apiserver answers 500, after which clients try again.
 */
function checkSize(definition: ResourceDefinition, name: string, body: string): void {
  if (body.length <= MAX_OBJECT_BYTES) return;
  const bytes = body.replace(/\\(?:u[0-9a-f]{4}|.)/g, "?").length;
  if (bytes <= MAX_OBJECT_BYTES) return;
  throw new StatusError(
    "RequestEntityTooLarge",
    `Cannot store ${definition.resource} ${JSON.stringify(name)}: request is too large: ` +
      `it takes ${bytes} bytes, the limit is ${MAX_OBJECT_BYTES}`,
  );
}

function stored(definition: ResourceDefinition, object: ApiObject, version: number): StoredObject {
  const kept = definition.storedAs?.toStored(object) ?? object;
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = kept;
  const body = JSON.stringify({
    apiVersion: definition.storedAs === undefined ? apiVersionOf(definition) : kept.apiVersion,
    kind: kept.kind === "" ? definition.kind : kept.kind,
    metadata: { ...metadata, resourceVersion: String(version) },
    ...rest,
  });
  checkSize(definition, metadata.name ?? "", body);
  return {
    resource: definition.storedAs?.key ?? keyOfResource(definition),
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: version,
    body,
  };
}

function readEntry(object: StoredObject, definition: ResourceDefinition): CacheEntry {
  const parsed: ApiObject = JSON.parse(object.body);
  return {
    namespace: object.namespace,
    name: object.name,
    uid: object.uid,
    version: object.resourceVersion,
    labels: parsed.metadata.labels,
    fields: definition.readFields?.(parsed),
    text: object.body,
  };
}
