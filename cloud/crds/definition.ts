import type { KubeObject } from "../../common/api/meta_v1.ts";
import type { ResourceType } from "../../common/kubeclient/mod.ts";
import carried from "./definitions.jsonl" with { type: "text" };

/** A schema of OpenAPI, as far as it is compared. */
export interface Schema {
  type?: string;
  enum?: unknown[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
}

export interface DefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  subresources?: { status?: unknown; scale?: unknown };
  schema?: { openAPIV3Schema?: Schema };
}

/** A CustomResourceDefinition, as far as it is compared; what else it has is kept. */
export interface Definition extends KubeObject {
  spec: {
    group: string;
    scope: string;
    names: { kind: string; plural: string };
    conversion?: unknown;
    versions: DefinitionVersion[];
  };
  status?: {
    conditions?: Array<{ type: string; status: string; message?: string }>;
    storedVersions?: string[];
  };
}

export const DEFINITIONS: ResourceType<Definition> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

/** The definitions this program carries, each parsed when it is asked for and kept by nobody. */
export function* carriedDefinitions(): Generator<Definition> {
  for (const line of carried.split("\n")) if (line !== "") yield JSON.parse(line) as Definition;
}

/** What a custom resource is needed for, by the name of its definition. */
export const FEATURES: Readonly<Record<string, string>> = {
  "objectsyncs.reliablesyncs.kubeedge.io": "what edges confirmed survives a restart of cloudcore",
  "clusterobjectsyncs.reliablesyncs.kubeedge.io": "what edges confirmed survives a restart of cloudcore",
  "devices.devices.kubeedge.io": "devices at the edge",
  "devicemodels.devices.kubeedge.io": "devices at the edge",
  "devicestatuses.devices.kubeedge.io": "devices at the edge",
  "rules.rules.kubeedge.io": "routes between cloud and edge",
  "ruleendpoints.rules.kubeedge.io": "routes between cloud and edge",
  "nodeupgradejobs.operations.kubeedge.io": "upgrades of edge nodes",
  "imageprepulljobs.operations.kubeedge.io": "pulling images to edge nodes beforehand",
  "configupdatejobs.operations.kubeedge.io": "changing the configuration of edge nodes",
  "nodegroups.apps.kubeedge.io": "groups of edge nodes",
  "edgeapplications.apps.kubeedge.io": "applications over groups of edge nodes",
  "serviceaccountaccesses.policy.kubeedge.io": "authorization of pods at the edge",
};
