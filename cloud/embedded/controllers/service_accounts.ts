import type { ConfigMap, Namespace, ServiceAccount } from "../../../common/api/core_v1.ts";
import { isAlreadyExists, isNotFound } from "../../../common/errors/mod.ts";
import {
  CONFIG_MAPS,
  type Informer,
  type KubeWriter,
  SERVICE_ACCOUNTS,
} from "../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "./controller.ts";

/** What the service account controller works with. */
export interface ServiceAccountsComponents extends LoopComponents {
  kube: Pick<KubeWriter, "create" | "patch">;
  namespaces: Informer<Namespace>;
  serviceAccounts: Informer<ServiceAccount>;
  /** Those named kube-root-ca.crt at least. */
  configMaps: Informer<ConfigMap>;
}

/** What every namespace is given so that pods can run in it. */
export type NamespaceStep = "createServiceAccount" | "createRootCa" | "updateRootCa";

const ACCOUNT = "default";
/** Name of the ConfigMap with the API server's CA. */
export const ROOT_CA = "kube-root-ca.crt";
const DESCRIPTION =
  "Contains the CA that signs the certificate of the API server; pods check the API server with it.";

/** What a namespace lacks. A namespace that is going gets nothing more. */
export function planNamespaceDefaults(
  namespace: Namespace | undefined,
  account: ServiceAccount | undefined,
  rootCa: ConfigMap | undefined,
  ca: string,
): NamespaceStep[] {
  if (namespace === undefined || namespace.metadata?.deletionTimestamp !== undefined) return [];
  const steps: NamespaceStep[] = [];
  if (account === undefined) steps.push("createServiceAccount");
  if (rootCa === undefined) steps.push("createRootCa");
  else if (rootCa.data?.["ca.crt"] !== ca) steps.push("updateRootCa");
  return steps;
}

/**
 * Gives every namespace its default service account and the CA of the API server.
 * Upstream: k8s.io/kubernetes pkg/controller/serviceaccount/serviceaccounts_controller.go,
 * pkg/controller/certificates/rootcacertpublisher/publisher.go @ v1.32
 * @param ca the CA of the API server, PEM
 */
export function serviceAccountController(components: ServiceAccountsComponents, ca: string): Controller {
  const { kube, namespaces, serviceAccounts, configMaps } = components;
  const execute: Record<NamespaceStep, (namespace: string, signal: AbortSignal) => Promise<unknown>> = {
    createServiceAccount: (namespace, signal) =>
      kube.create(SERVICE_ACCOUNTS, { metadata: { name: ACCOUNT, namespace } }, { signal }),
    createRootCa: (namespace, signal) =>
      kube.create(CONFIG_MAPS, {
        metadata: { name: ROOT_CA, namespace, annotations: { "kubernetes.io/description": DESCRIPTION } },
        data: { "ca.crt": ca },
      }, { signal }),
    updateRootCa: (namespace, signal) =>
      kube.patch(CONFIG_MAPS, { name: ROOT_CA, namespace }, {
        type: "merge",
        body: { data: { "ca.crt": ca } },
      }, { signal }),
  };
  return controller(components, {
    name: "serviceaccount",
    watch: (queue) => [
      namespaces.subscribe(({ object }) => queue.add(object.metadata?.name ?? "")),
      serviceAccounts.subscribe(({ type, object }) => {
        if (type === "deleted" && object.metadata?.name === ACCOUNT) {
          queue.add(object.metadata.namespace ?? "");
        }
      }),
      configMaps.subscribe(({ type, object }) => {
        if (type !== "added" && object.metadata?.name === ROOT_CA) queue.add(object.metadata.namespace ?? "");
      }),
    ],
    reconcile: async (namespace, { signal }) => {
      const steps = planNamespaceDefaults(
        namespaces.get(namespace),
        serviceAccounts.get(`${namespace}/${ACCOUNT}`),
        configMaps.get(`${namespace}/${ROOT_CA}`),
        ca,
      );
      for (const step of steps) {
        try {
          await execute[step](namespace, signal);
        } catch (error) {
          // Made by someone else, or gone with its namespace: the informers tell.
          if (!isAlreadyExists(error) && !isNotFound(error)) throw error;
        }
      }
    },
  });
}
