import type { Pod } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import type { KubeReader, KubeWriter } from "../../common/kubeclient/mod.ts";
import type { ObjectName } from "./forward.ts";
import type { AuthorizationIndex } from "./authorize.ts";
import type { RequestKind, RequestOf } from "./request.ts";

/** What requests do to the downstream half. */
export interface EdgeView {
  /** The edge writes the status of an object; dispose when it has what the API answered. */
  writing(node: string, name: ObjectName): Disposable;
  /** The edge is about to be answered with an object and will keep it. */
  answered(node: string, name: ObjectName, object: KubeObject): void;
  /** Tells the edge that a pod it reports about is gone. */
  podGone(node: string, pod: { namespace: string; name: string; uid: string }): Promise<void>;
}

/** What a request is carried out with. */
export interface HandlerContext {
  kube: Pick<KubeReader, "get"> & KubeWriter;
  edge: EdgeView;
  /** What is held until the edge has its answer. */
  held: DisposableStack;
  index: AuthorizationIndex;
  /** The pod a request is about, as the API has it; undefined when there is none. */
  pod: Pod | undefined;
  /** Unix milliseconds. */
  now: number;
  /** This cloudcore's address, for the node's annotation. */
  advertiseAddress: string;
  nodeUpdateFrequencyMs: number;
  /** Aborts at the deadline of the request. */
  signal: AbortSignal;
}

/** Carries out requests of one kind that are permitted, and gives the object to answer with. */
export type Handler<K extends RequestKind> = (
  request: RequestOf<K>,
  context: HandlerContext,
) => Promise<KubeObject | string>;

/** Handlers of some kinds of requests. */
export type Handlers<K extends RequestKind> = { [P in K]: Handler<P> };

/** An object as edges get it: named by apiVersion and kind, without what only API servers use. */
export function forEdge<T extends KubeObject>(object: T, apiVersion: string, kind: string): T {
  const { managedFields: _managedFields, ...metadata } = object.metadata ?? {};
  return { ...object, apiVersion, kind, metadata };
}
