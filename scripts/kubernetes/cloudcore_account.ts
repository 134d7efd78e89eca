/** What cloudcore needs in a cluster: its custom resources, its namespace, and a service account with its rights and no others. */
import { parse } from "yaml";
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
import { CLOUD_HUB_NAMESPACE_RULES, CLOUD_HUB_RULES } from "../../cloud/cloudhub/mod.ts";
import { EDGE_CONTROLLER_RULES } from "../../cloud/edgecontroller/mod.ts";
import { until } from "../trial/program.ts";
import { printKubeconfig } from "./certificates.ts";

const NAMESPACE = "kubeedge";
const NAME = "cloudcore";
const GROUP = "rbac.authorization.k8s.io";
const CRDS = new URL("../../crds/", import.meta.url);
const TOKEN_SECONDS = 86_400;

const rbac = (resource: string, kind: string, namespaced: boolean): ResourceType => ({
  group: GROUP,
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

/** The namespace is made here, so that cloudcore need not be able to make namespaces. */
const CLUSTER_RULES = [
  ...CLOUD_HUB_RULES.filter(({ resources }) => !resources.includes("namespaces")),
  ...EDGE_CONTROLLER_RULES,
];

const subjects = [{ kind: "ServiceAccount", namespace: NAMESPACE, name: NAME }];

/** The objects besides the custom resources, in the order they are made. */
const OBJECTS: ReadonlyArray<readonly [ResourceType, KubeObject]> = [
  [NAMESPACES, { metadata: { name: NAMESPACE } }],
  [SERVICE_ACCOUNTS, { metadata: { namespace: NAMESPACE, name: NAME } }],
  [
    rbac("clusterroles", "ClusterRole", false),
    { metadata: { name: NAME }, ...{ rules: CLUSTER_RULES } },
  ],
  [
    rbac("clusterrolebindings", "ClusterRoleBinding", false),
    {
      metadata: { name: NAME },
      ...{ roleRef: { apiGroup: GROUP, kind: "ClusterRole", name: NAME }, subjects },
    },
  ],
  [
    rbac("roles", "Role", true),
    { metadata: { namespace: NAMESPACE, name: NAME }, ...{ rules: CLOUD_HUB_NAMESPACE_RULES } },
  ],
  [
    rbac("rolebindings", "RoleBinding", true),
    {
      metadata: { namespace: NAMESPACE, name: NAME },
      ...{ roleRef: { apiGroup: GROUP, kind: "Role", name: NAME }, subjects },
    },
  ],
];

/**
 * Makes what is missing and writes a kubeconfig of the service account, good for a day.
 * @param admin the administrator's kubeconfig
 * @param path where the kubeconfig is written
 */
export async function setUpCloudcoreAccount(admin: string, path: string): Promise<void> {
  const access = await loadKubeConfig({ path: admin });
  if (access.ca === undefined) throw new Error(`Cannot use kubeconfig ${admin}: it names no CA`);
  await using kube = createKubeClient(access);
  for (const [type, object] of OBJECTS) await ensure(kube, type, object);
  for await (const { name } of Deno.readDir(CRDS)) {
    if (!name.endsWith(".yaml")) continue;
    const crd = parse(await Deno.readTextFile(new URL(name, CRDS))) as KubeObject;
    await ensure(kube, CUSTOM_RESOURCES, crd);
    await established(kube, crd.metadata!.name!);
  }
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
