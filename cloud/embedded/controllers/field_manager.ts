import type { KubeClient } from "../../../common/kubeclient/mod.ts";

/** Managers that the real programs write as, so that `metadata.managedFields` reads as it does anywhere. */
export type ControllerManager = "kube-controller-manager" | "kube-scheduler";

/** A client whose writes belong to a manager, unless they say to whom else. It ends with the one it is made of. */
export function asManager(kube: KubeClient, fieldManager: ControllerManager): KubeClient {
  return {
    server: kube.server,
    get: (type, ref, options) => kube.get(type, ref, options),
    list: (type, selection, options) => kube.list(type, selection, options),
    watch: (type, options) => kube.watch(type, options),
    create: (type, object, options) => kube.create(type, object, { fieldManager, ...options }),
    createSubresource: (type, ref, subresource, body, options) =>
      kube.createSubresource(type, ref, subresource, body, options),
    update: (type, object, options) => kube.update(type, object, { fieldManager, ...options }),
    patch: (type, ref, patch, options) => kube.patch(type, ref, patch, { fieldManager, ...options }),
    delete: (type, ref, body, options) => kube.delete(type, ref, body, options),
    [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose](),
  };
}
