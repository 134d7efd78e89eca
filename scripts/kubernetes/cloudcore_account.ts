/** What cloudcore needs in a cluster: its custom resources, its namespace, and a service account with its rights and no others. */
import { parse, parseAllDocuments } from "yaml";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { isAlreadyExists } from "../../common/errors/mod.ts";
import {
  createKubeClient,
  type KubeClient,
  loadKubeConfig,
  NAMESPACES,
  type ResourceType,
  SERVICE_ACCOUNTS,
} from "../../common/kubeclient/mod.ts";
import { until } from "../trial/program.ts";
import { printKubeconfig } from "./certificates.ts";

const NAMESPACE = "kubeedge";
const NAME = "cloudcore";
const CRDS = new URL("../../crds/", import.meta.url);
const MANIFESTS = new URL("../../cloud/install/", import.meta.url);
const TOKEN_SECONDS = 86_400;

const rbac = (resource: string, kind: string, namespaced: boolean): ResourceType => ({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  resource,
  kind,
  namespaced,
});

const CUSTOM_RESOURCES: ResourceType = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

const TYPES: ReadonlyMap<string, ResourceType> = new Map<string, ResourceType>([
  ["Namespace", NAMESPACES],
  ["ServiceAccount", SERVICE_ACCOUNTS],
  ["ClusterRole", rbac("clusterroles", "ClusterRole", false)],
  ["ClusterRoleBinding", rbac("clusterrolebindings", "ClusterRoleBinding", false)],
  ["Role", rbac("roles", "Role", true)],
  ["RoleBinding", rbac("rolebindings", "RoleBinding", true)],
]);

/** What of the manifests and custom resources is made. */
export interface CloudcoreAccountOptions {
  /** Files of `cloud/install`. @default what runs cloudcore for all namespaces */
  manifests?: readonly string[];
  /** Whether the custom resources are installed beforehand. @default true */
  customResources?: boolean;
}

/**
 * Makes what is missing and writes a kubeconfig of the service account, good for a day.
 * @param admin the administrator's kubeconfig
 * @param path where the kubeconfig is written
 */
export async function setUpCloudcoreAccount(
  admin: string,
  path: string,
  {
    manifests = ["1-namespace.yaml", "2-rbac.yaml", "3-all-namespaces.yaml"],
    customResources = true,
  }: CloudcoreAccountOptions = {},
): Promise<void> {
  const access = await loadKubeConfig({ path: admin });
  if (access.ca === undefined) throw new Error(`Cannot use kubeconfig ${admin}: it names no CA`);
  await using kube = createKubeClient(access);
  for (const file of manifests) {
    for (const document of parseAllDocuments(await Deno.readTextFile(new URL(file, MANIFESTS)))) {
      const object = document.toJS() as KubeObject;
      await ensure(kube, TYPES.get(object.kind!)!, object);
    }
  }
  if (customResources) await installCustomResources(kube);
  const answer = await kube.createSubresource(
    SERVICE_ACCOUNTS,
    { namespace: NAMESPACE, name: NAME },
    "token",
    {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      ...{ spec: { audiences: [], expirationSeconds: TOKEN_SECONDS } },
    },
  );
  const { token } = (answer as { status?: { token?: unknown } }).status ?? {};
  if (typeof token !== "string") {
    throw new Error("Cannot use the token of service account cloudcore: there is none");
  }
  const ca = new TextEncoder().encode(access.ca).toBase64();
  await Deno.writeTextFile(path, printKubeconfig(access.server, ca, NAME, { token }), { mode: 0o600 });
}

async function installCustomResources(kube: KubeClient): Promise<void> {
  for await (const { name } of Deno.readDir(CRDS)) {
    if (!name.endsWith(".yaml")) continue;
    const crd = parse(await Deno.readTextFile(new URL(name, CRDS))) as KubeObject;
    await ensure(kube, CUSTOM_RESOURCES, crd);
    await established(kube, crd.metadata!.name!);
  }
}

async function ensure(kube: KubeClient, type: ResourceType, object: KubeObject): Promise<void> {
  try {
    await kube.create(type, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** A custom resource is served a moment after its definition is stored. */
async function established(kube: KubeClient, name: string): Promise<void> {
  await until(`custom resource ${name} is served`, async () => {
    const { status } = await kube.get(CUSTOM_RESOURCES, { name }) as {
      status?: { conditions?: Array<{ type: string; status: string }> };
    };
    return status?.conditions?.some((c) => c.type === "Established" && c.status === "True");
  });
}
