import { CLUSTER_SCOPE, type ObjectResource, printObjectResource } from "../../common/model/mod.ts";
import type { EdgeDatabase } from "./database.ts";
import type { GonePods } from "./gone_pods.ts";
import type { MetaStore } from "./meta_store.ts";
import { compareObjects, deletes, identityOf, isJsonObject, podChanged } from "./object_meta.ts";
import type { OutboxStore } from "./outbox_store.ts";

/** What became of an object: stored, known in this version, older than the stored one, or not of this node. */
export type Kept = "stored" | "same" | "older" | "foreign";

/** Decides which objects are stored, and stores them. Every method is one transaction and throws DatabaseError. */
export class ObjectKeeper {
  readonly #db: EdgeDatabase;
  readonly #store: MetaStore;
  readonly #outbox: OutboxStore;
  readonly #gone: GonePods;
  readonly #nodeName: string;

  constructor(db: EdgeDatabase, store: MetaStore, outbox: OutboxStore, gone: GonePods, nodeName: string) {
    this.#db = db;
    this.#store = store;
    this.#outbox = outbox;
    this.#gone = gone;
    this.#nodeName = nodeName;
  }

  /** Stores what the cloud sent unless the stored object is newer. */
  keep(resource: ObjectResource, object: unknown): Kept {
    if (resource.type === "pod" && !this.#isOurs(object)) return "foreign";
    return this.#db.transact(() => this.#keep(resource, object));
  }

  /**
   * Stores an object that a request returned, if the edge has that very object in an older version: the reply to a status
   * patch must not bring back a pod that was deleted meanwhile.
   * @returns whether the pod changed in what its worker acts on, which the cloud will then not tell again
   */
  keepReturnedPod(resource: ObjectResource, pod: unknown): boolean {
    const arriving = identityOf(pod);
    return this.#db.transact(() => {
      const stored = this.#store.get(printObjectResource(resource));
      if (stored === undefined || arriving?.uid !== identityOf(stored)?.uid) return false;
      return this.#keep(resource, pod) === "stored" && podChanged(stored, pod);
    });
  }

  /**
   * Stores a pod that was asked for because it runs here and is not stored.
   * @returns false when it is another node's, or was taken away while the answer was on its way
   */
  keepFoundPod(resource: ObjectResource, pod: unknown): boolean {
    const uid = identityOf(pod)?.uid ?? "";
    if (uid === "" || !this.#isOurs(pod)) return false;
    return this.#db.transact(() => !this.#gone.has(uid) && this.#keep(resource, pod) !== "older");
  }

  /** Removes what the cloud says is gone, with all that belongs to it; false when another object of that name is stored. */
  remove(resource: ObjectResource, content: unknown): boolean {
    const key = printObjectResource(resource);
    const uid = identityOf(content)?.uid ?? "";
    return this.#db.transact(() => {
      const stored = identityOf(this.#store.get(key));
      const gone = stored === undefined || deletes(stored, uid);
      if (gone) this.#store.delete(key);
      if (resource.type === "pod") {
        this.#removeBelongings(resource, uid || (gone ? stored?.uid ?? "" : ""), gone);
      }
      return gone;
    });
  }

  #keep(resource: ObjectResource, object: unknown): Kept {
    const key = printObjectResource(resource);
    const arriving = identityOf(object);
    if (arriving !== undefined) {
      const stored = identityOf(this.#store.get(key));
      const freshness = compareObjects(stored, arriving);
      if (freshness !== "newer") return freshness;
      // A name belongs to one pod at a time.
      if (resource.type === "pod" && stored !== undefined && stored.uid !== arriving.uid) {
        this.#gone.add(stored.uid);
      }
    }
    this.#store.put(key, resource.type, object);
    return "stored";
  }

  #removeBelongings({ namespace, name }: ObjectResource, uid: string, gone: boolean): void {
    const patch = printObjectResource({ namespace, type: "podpatch", name });
    // The row that upstream's edgecore left there.
    if (gone) this.#store.delete(patch);
    if (uid === "") return;
    this.#gone.add(uid);
    this.#outbox.forget([patch, printObjectResource({ namespace, type: "pod", name })], uid);
    this.#store.deleteTokensOf(uid);
  }

  #isOurs(pod: unknown): boolean {
    const node = isJsonObject(pod) && isJsonObject(pod.spec) ? pod.spec.nodeName : undefined;
    return typeof node !== "string" || node === "" || node === this.#nodeName;
  }
}

/**
 * Whether an object is the one its path names; a type word whose objects edged acts on must not carry another name than its
 * path, or one object could be stored over another.
 */
export function matchesResource(resource: ObjectResource, object: unknown): boolean {
  const identity = identityOf(object);
  if (identity === undefined) return false;
  const namespace = resource.namespace === CLUSTER_SCOPE ? "" : resource.namespace;
  return identity.name === resource.name &&
    (identity.namespace === namespace || (namespace === "default" && identity.namespace === ""));
}
