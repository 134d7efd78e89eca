export type {
  DeleteOptions,
  LabelSelector,
  ListMeta,
  ObjectMeta,
  OwnerReference,
  Status,
} from "kubernetes-types/meta/v1.d.ts";
import type { ObjectMeta } from "kubernetes-types/meta/v1.d.ts";

/** What every Kubernetes object has. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** `<namespace>/<name>` of an object, or its bare name when it has no namespace: the key of informers and work queues. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = "" } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}
