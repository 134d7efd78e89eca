import type { SchemaData } from "./schema.ts";

/**
 * Types of reliablesyncs.kubeedge.io/v1alpha1.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/reliablesyncs/v1alpha1/type.go @ 16cd854
 */
export const OBJECT_SYNC_SCHEMA: SchemaData = {
  "reliablesyncs.v1alpha1.ObjectSync": struct(),
  "reliablesyncs.v1alpha1.ClusterObjectSync": struct(),
  "reliablesyncs.v1alpha1.ObjectSyncSpec": {
    fields: { objectAPIVersion: "string", objectKind: "string", objectName: "string" },
  },
  "reliablesyncs.v1alpha1.ObjectSyncStatus": { fields: { objectResourceVersion: "string" } },
};

function struct(): SchemaData[string] {
  return {
    fields: {
      apiVersion: "string",
      kind: "string",
      metadata: "@meta.v1.ObjectMeta",
      spec: "@reliablesyncs.v1alpha1.ObjectSyncSpec",
      status: "@reliablesyncs.v1alpha1.ObjectSyncStatus",
    },
  };
}
