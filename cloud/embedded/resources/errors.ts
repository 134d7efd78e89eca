import { StatusError } from "../../../common/errors/mod.ts";
import type { ResourceDefinition } from "./definition.ts";

type Named = Pick<ResourceDefinition, "group" | "resource">;

/** `deployments.apps`, or `pods` in the core group: how messages name a resource. */
export function qualifiedResource({ group, resource }: Named): string {
  return group === "" ? resource : `${resource}.${group}`;
}

function detailsOf(definition: Named, name: string): NonNullable<StatusError["details"]> {
  return {
    name,
    ...(definition.group === "" ? {} : { group: definition.group }),
    kind: definition.resource,
  };
}

/** There is no such object. */
export function notFound(definition: Named, name: string): StatusError {
  return new StatusError("NotFound", `${qualifiedResource(definition)} ${JSON.stringify(name)} not found`, {
    details: detailsOf(definition, name),
  });
}

/** There is such an object already. */
export function alreadyExists(definition: Named, name: string): StatusError {
  return new StatusError(
    "AlreadyExists",
    `${qualifiedResource(definition)} ${JSON.stringify(name)} already exists`,
    {
      details: detailsOf(definition, name),
    },
  );
}

/** The object is not the one the write was decided on. */
export function conflict(definition: Named, name: string, why: string): StatusError {
  return new StatusError(
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedResource(definition)} ${JSON.stringify(name)}: ${why}`,
    { details: detailsOf(definition, name) },
  );
}

/** The write is refused whoever asks. */
export function forbiddenWrite(
  definition: Named,
  name: string,
  why: string,
  causes?: NonNullable<NonNullable<StatusError["details"]>["causes"]>,
): StatusError {
  return new StatusError(
    "Forbidden",
    `${qualifiedResource(definition)} ${JSON.stringify(name)} is forbidden: ${why}`,
    {
      details: { ...detailsOf(definition, name), ...(causes === undefined ? {} : { causes }) },
    },
  );
}

/** The address names nothing. */
export function noSuchPath(): StatusError {
  return new StatusError("NotFound", "the server could not find the requested resource", { details: {} });
}

/** The resource has no such verb. */
export function methodNotAllowed(): StatusError {
  return new StatusError(
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    { details: {} },
  );
}
