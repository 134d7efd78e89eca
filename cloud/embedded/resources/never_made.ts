import type { SchemaData } from "../schema/schema.ts";
import { AGE, NAME } from "./core.ts";
import type { ResourceDefinition } from "./definition.ts";
import { forbidden, invalidObject } from "./field_error.ts";
import { ageOf } from "./printing.ts";

/** A resource that nothing here would act on. */
interface NeverMade
  extends Pick<ResourceDefinition, "group" | "resource" | "singular" | "kind" | "shortNames"> {
  schema: string;
  /** Why none can be made, and what to use. */
  why: string;
}

const NEVER: readonly NeverMade[] = [
  {
    group: "",
    resource: "replicationcontrollers",
    singular: "replicationcontroller",
    kind: "ReplicationController",
    shortNames: ["rc"],
    schema: "core.v1.ReplicationController",
    why: "the embedded control plane runs no replication controllers; use a Deployment",
  },
  {
    group: "networking.k8s.io",
    resource: "ingresses",
    singular: "ingress",
    kind: "Ingress",
    shortNames: ["ing"],
    schema: "networking.v1.Ingress",
    why:
      "the embedded control plane has no ingress controller; use ports of the host for the pods, or a full Kubernetes control plane",
  },
];

/** Their types: nothing is known of what is in them. */
export const NEVER_MADE_SCHEMA: SchemaData = Object.fromEntries(NEVER.map(({ schema }) => [schema, {
  fields: {
    apiVersion: "string",
    kind: "string",
    metadata: "@meta.v1.ObjectMeta",
    spec: "object",
    status: "object",
  },
}]));

/**
 * Resources that can be listed and watched, though there is never an object of them: kubectl looks for them whenever it prunes, and
 * prunes nothing where they are not served.
 * Upstream: k8s.io/kubectl pkg/util/prune/prune.go (defaultNamespacedPruneResources) @ v0.33
 */
export const NEVER_MADE: readonly ResourceDefinition[] = NEVER.map(({ why, ...definition }) => ({
  ...definition,
  version: "v1",
  namespaced: true,
  columns: [NAME, AGE],
  row: (o, now) => [o.metadata.name ?? "", ageOf(o, now)],
  prepareForCreate: ({ metadata }) => {
    const { group, kind } = definition;
    throw invalidObject({ group, kind }, metadata.name ?? "", [forbidden("spec", why)]);
  },
}));
