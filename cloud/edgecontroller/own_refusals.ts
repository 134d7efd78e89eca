import { findStatusError, StatusError } from "../../common/errors/mod.ts";
import type { KubeReader, KubeWriter } from "../../common/kubeclient/mod.ts";

type Client = Pick<KubeReader, "get"> & KubeWriter;

/** How RBAC says no; what admission forbids, such as a pod over its quota, reads otherwise and is about the object. */
const LACKS_RIGHTS = / is forbidden: User "[^"]*" cannot /;

/**
 * A refusal of cloudcore itself, turned into what it is to an edge: an API that cannot be used for now. An edge takes Forbidden as
 * the last word on what it reported and keeps it no longer, but rights can be given, and an API server that starts refuses
 * everybody for a moment, before it has read its roles. Any other error is returned unchanged.
 */
export function asUnavailable(error: unknown): unknown {
  const status = findStatusError(error);
  const refused = status?.reason === "Unauthorized" ||
    (status?.reason === "Forbidden" && LACKS_RIGHTS.test(status.message));
  if (status === undefined || !refused) return error;
  return new StatusError(
    "ServiceUnavailable",
    `The API server refuses cloudcore: ${status.message}; if this does not pass, give cloudcore's account its rights`,
    { cause: status },
  );
}

/** The client as requests of edges use it: refusals of cloudcore come as ServiceUnavailable. */
export function withoutOwnRefusals(kube: Client): Client {
  const turned = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      throw asUnavailable(error);
    }
  };
  return {
    get: (...given) => turned(kube.get(...given)),
    create: (...given) => turned(kube.create(...given)),
    createSubresource: (...given) => turned(kube.createSubresource(...given)),
    update: (...given) => turned(kube.update(...given)),
    patch: (...given) => turned(kube.patch(...given)),
    delete: (...given) => turned(kube.delete(...given)),
  };
}
