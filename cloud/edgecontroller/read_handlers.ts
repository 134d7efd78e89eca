import type { KubeObject } from "../../common/api/meta_v1.ts";
import {
  CONFIG_MAPS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  type ResourceType,
  SECRETS,
  SERVICE_ACCOUNTS,
} from "../../common/kubeclient/mod.ts";
import { authorizeRead, forbidden } from "./authorize.ts";
import type { JsonObject } from "./content.ts";
import { forEdge, type HandlerContext, type Handlers } from "./handler.ts";
import type { RequestBase, RequestOf } from "./request.ts";

type ReadKinds =
  | "configmap-query"
  | "secret-query"
  | "persistentvolumeclaim-query"
  | "persistentvolume-query"
  | "volumeattachment-query"
  | "token-query";

const VOLUME_ATTACHMENTS: ResourceType = {
  group: "storage.k8s.io",
  version: "v1",
  resource: "volumeattachments",
  kind: "VolumeAttachment",
  namespaced: false,
};

async function read<T extends KubeObject>(
  type: ResourceType<T>,
  { namespace, name }: { namespace: string; name: string },
  { kube, signal }: HandlerContext,
): Promise<T> {
  const object = await kube.get(type, type.namespaced ? { namespace, name } : { name }, { signal });
  return forEdge(object, type.group === "" ? type.version : `${type.group}/${type.version}`, type.kind);
}

/** The edge keeps what it is answered, so it counts as delivered. */
async function readKept(
  type: "configmap" | "secret",
  request: RequestBase,
  context: HandlerContext,
): Promise<KubeObject> {
  const object = await read<KubeObject>(type === "secret" ? SECRETS : CONFIG_MAPS, request, context);
  const { nodeName, namespace, name } = request;
  context.edge.answered(nodeName, { type, namespace, name }, object);
  return object;
}

/** Reads an object of the cluster that says itself which node may see it. */
async function readOwned(
  type: ResourceType,
  request: RequestOf<"persistentvolume-query" | "volumeattachment-query">,
  context: HandlerContext,
): Promise<KubeObject> {
  const object = await read(type, request, context);
  const decision = authorizeRead(request.nodeName, request.kind, object as JsonObject, context.index);
  if (!decision.allowed) throw forbidden(request, decision.reason);
  return object;
}

/**
 * What a node may read because its pods refer to it.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/upstream.go @ 16cd854
 */
export const READ_HANDLERS: Handlers<ReadKinds> = {
  "configmap-query": (request, context) => readKept("configmap", request, context),
  "secret-query": (request, context) => readKept("secret", request, context),
  "persistentvolumeclaim-query": (request, context) => read(PERSISTENT_VOLUME_CLAIMS, request, context),
  "persistentvolume-query": (request, context) => readOwned(PERSISTENT_VOLUMES, request, context),
  "volumeattachment-query": (request, context) => readOwned(VOLUME_ATTACHMENTS, request, context),
  "token-query": (request, context) => createToken(request, context),
};

/**
 * The API server names its own audience in the answer where none was asked for. Edges keep the token by what the answer says and
 * look for it by what they ask, so that would keep them from finding it again, which they need to start a pod while offline.
 * Upstream: kubeedge edge/pkg/metamanager/client/serviceaccount.go (KeyFunc) @ 16cd854
 */
async function createToken(
  { namespace, name, tokenRequest }: RequestOf<"token-query">,
  { kube, signal }: HandlerContext,
): Promise<KubeObject> {
  const answer = await kube.createSubresource(
    SERVICE_ACCOUNTS,
    { namespace, name },
    "token",
    tokenRequest,
    { signal },
  );
  const token = forEdge(answer, "authentication.k8s.io/v1", "TokenRequest");
  if (tokenRequest.spec.audiences.length > 0) return token;
  const { audiences: _audiences, ...spec } = token.spec;
  return { ...token, spec } as KubeObject;
}
