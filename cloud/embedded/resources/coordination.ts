import { textAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { ResourceDefinition } from "./definition.ts";
import { ageOf } from "./printing.ts";

/** Leases. Heartbeats are renewed every few seconds, so losing the last ones with the power costs nothing. */
export const COORDINATION: readonly ResourceDefinition[] = [{
  group: "coordination.k8s.io",
  version: "v1",
  resource: "leases",
  singular: "lease",
  kind: "Lease",
  namespaced: true,
  schema: "coordination.v1.Lease",
  createsOnUpdate: true,
  needsVersion: true,
  durability: "process",
  columns: [NAME, { name: "Holder" }, AGE],
  row: (o, now) => [o.metadata.name ?? "", textAt(o, "spec", "holderIdentity"), ageOf(o, now)],
}];
