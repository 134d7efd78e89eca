import type { ConfigMap, Secret } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { CONFIG_MAPS, SECRETS } from "../../common/kubeclient/mod.ts";
import type {
  Informer,
  InformerEvent,
  InformerOptions,
  ResourceType,
  Selection,
} from "../../common/kubeclient/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import type { Lookup } from "./plan.ts";
import { type Reference, referenceKey } from "./pod_references.ts";
import type { Tasks } from "./tasks.ts";

/** Makes an informer over a selection of a resource. */
export type InformerSource = <T extends KubeObject>(
  type: ResourceType<T>,
  selection: Selection,
  options?: Pick<InformerOptions<T>, "trim" | "refused">,
) => Informer<T>;

interface Watched {
  informer: Informer<ConfigMap> | Informer<Secret>;
  stop: AbortController;
  /** While nobody refers to the object any more, ends the wait for someone who does. */
  lingering?: AbortController;
}

/** What a {@linkcode ObjectWatch} is made of. */
export interface ObjectWatchComponents {
  informers: InformerSource;
  clock: Clock;
  tasks: Tasks;
  /** Called when an object appeared, changed, went, or was found not to exist. */
  changed: (reference: Reference, event?: InformerEvent<KubeObject>) => void;
  /** Called whenever an object may not be read. */
  refused: (reference: Reference) => void;
}

/** How many objects are listed for the first time at once, so that a start does not flood the API server. */
const MAX_STARTING = 32;

/**
 * A watch goes on for so long after the last reference: an application is often removed pod by pod and then its ConfigMaps,
 * and a pod that is made anew should not cost a new watch.
 */
const LINGER_MS = 300_000;

/** After this long an object that cannot be listed no longer keeps others from being listed. */
const STARTING_MS = 5_000;

/**
 * One watch for each ConfigMap and Secret that pods of edge nodes refer to, by name.
 *
 * Not one for all of the cluster, nor for whole namespaces: cloudcore then holds in memory, and needs to be permitted to
 * read, nothing that no edge uses; kubelets watch in the same way. Each watch costs one connection to the API server.
 * Upstream: k8s.io/kubernetes pkg/kubelet/util/manager/watch_based_manager.go
 */
export class ObjectWatch {
  readonly #components: ObjectWatchComponents;
  #watched = new Map<string, Watched>();
  #waiting: Array<() => void> = [];
  #starting = 0;

  constructor(components: ObjectWatchComponents) {
    this.#components = components;
  }

  /** How many objects are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Begins to watch an object. Claims are not watched: they are only read when asked for. */
  add(reference: Reference, signal: AbortSignal): void {
    const key = referenceKey(reference);
    if (reference.type === "persistentvolumeclaim") return;
    const watched = this.#watched.get(key);
    if (watched !== undefined) {
      watched.lingering?.abort();
      delete watched.lingering;
      return;
    }
    const { informers, tasks, changed, refused } = this.#components;
    const selection = { namespace: reference.namespace, fieldSelector: `metadata.name=${reference.name}` };
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, stop.signal]);
    const watch = <T extends KubeObject>(type: ResourceType<T>): Informer<T> => {
      const informer = informers(type, selection, { refused: () => refused(reference) });
      informer.subscribe((event) => changed(reference, event));
      tasks.add(this.#run(reference, informer, ended), ended);
      return informer;
    };
    this.#watched.set(key, {
      informer: reference.type === "secret" ? watch(SECRETS) : watch(CONFIG_MAPS),
      stop,
    });
  }

  /** Nobody refers to the object any more: its watch ends after a while. */
  remove(reference: Reference, signal: AbortSignal): void {
    const key = referenceKey(reference);
    const watched = this.#watched.get(key);
    if (watched === undefined || watched.lingering !== undefined) return;
    const lingering = watched.lingering = new AbortController();
    const { clock, tasks } = this.#components;
    const ended = AbortSignal.any([signal, lingering.signal]);
    const end = clock.sleep(LINGER_MS, { signal: ended }).then(() => {
      watched.stop.abort();
      this.#watched.delete(key);
    });
    tasks.add(end, ended);
  }

  /** Looks at an object that nobody refers to, for a while. */
  glance(reference: Reference, signal: AbortSignal): void {
    if (this.#watched.has(referenceKey(reference))) return;
    this.add(reference, signal);
    this.remove(reference, signal);
  }

  /** What is known of a ConfigMap. */
  configMap(namespace: string, name: string): Lookup<ConfigMap> {
    return this.#lookUp<ConfigMap>({ type: "configmap", namespace, name });
  }

  /** What is known of a Secret. */
  secret(namespace: string, name: string): Lookup<Secret> {
    return this.#lookUp<Secret>({ type: "secret", namespace, name });
  }

  #lookUp<T extends KubeObject>(reference: Reference): Lookup<T> {
    const informer = this.#watched.get(referenceKey(reference))?.informer;
    if (informer === undefined || !informer.synced) return { state: "unknown" };
    const object = informer.get(`${reference.namespace}/${reference.name}`);
    return object === undefined ? { state: "absent" } : { state: "present", object: object as unknown as T };
  }

  async #run(reference: Reference, informer: Informer<KubeObject>, signal: AbortSignal): Promise<void> {
    const release = await this.#turn();
    try {
      if (signal.aborted) return;
      const running = informer.run(signal);
      const begun = new AbortController();
      const either = AbortSignal.any([signal, begun.signal]);
      try {
        await Promise.race([
          running,
          informer.waitForSync({ signal: either }).catch(ignoreAbort(either)),
          this.#components.clock.sleep(STARTING_MS, { signal: either }).catch(ignoreAbort(either)),
        ]);
      } finally {
        begun.abort();
        release();
      }
      if (informer.synced) this.#components.changed(reference);
      else {
        await Promise.race([running, informer.waitForSync({ signal }).catch(ignoreAbort(signal))]);
        if (!signal.aborted) this.#components.changed(reference);
      }
      await running;
    } finally {
      release();
    }
  }

  async #turn(): Promise<() => void> {
    if (this.#starting >= MAX_STARTING) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#starting++;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#starting--;
      else next();
    };
  }
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
