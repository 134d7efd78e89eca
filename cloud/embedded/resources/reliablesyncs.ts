import { AGE, NAME } from "./core.ts";
import type { ResourceDefinition } from "./definition.ts";
import { ageOf } from "./printing.ts";

function objectSync(kind: string, namespaced: boolean): ResourceDefinition {
  return {
    group: "reliablesyncs.kubeedge.io",
    version: "v1alpha1",
    resource: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    kind,
    namespaced,
    schema: `reliablesyncs.v1alpha1.${kind}`,
    replaceable: true,
    status: "status",
    generation: true,
    columns: [NAME, AGE],
    row: (o, now) => [o.metadata.name ?? "", ageOf(o, now)],
  };
}

/** What the edge has confirmed of each object. Upstream: kubeedge build/crds/reliablesyncs @ 16cd854 */
export const RELIABLE_SYNCS: readonly ResourceDefinition[] = [
  objectSync("ClusterObjectSync", false),
  objectSync("ObjectSync", true),
];
