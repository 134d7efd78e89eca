import { type ApiObject, objectAt, textAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { ResourceDefinition } from "./definition.ts";
import { forbidden, invalidObject } from "./field_error.ts";
import { accessModesText, ageOf } from "./printing.ts";
import { jsonEqual } from "../object.ts";

/** Nothing here binds a claim to a volume, and a pod that waits for one would never run. */
function refuseClaim(claim: ApiObject): void {
  throw invalidObject({ group: "", kind: "PersistentVolumeClaim" }, claim.metadata.name ?? "", [
    forbidden(
      "spec",
      "the embedded control plane has no storage provisioner; use volumes of the pod, such as hostPath or emptyDir, or a full Kubernetes control plane",
    ),
  ]);
}

/** PersistentVolumes and PersistentVolumeClaims. */
export const STORAGE: readonly ResourceDefinition[] = [
  {
    group: "",
    version: "v1",
    resource: "persistentvolumeclaims",
    singular: "persistentvolumeclaim",
    kind: "PersistentVolumeClaim",
    shortNames: ["pvc"],
    namespaced: true,
    schema: "core.v1.PersistentVolumeClaim",
    status: "statusAndMetadata",
    columns: [
      NAME,
      { name: "Status" },
      { name: "Volume" },
      { name: "Capacity" },
      { name: "Access Modes" },
      { name: "StorageClass" },
      { name: "VolumeAttributesClass" },
      AGE,
      { name: "VolumeMode", wide: true },
    ],
    row: (o, now) => {
      const bound = textAt(o, "spec", "volumeName") !== "";
      return [
        o.metadata.name ?? "",
        o.metadata.deletionTimestamp === undefined ? textAt(o, "status", "phase") : "Terminating",
        textAt(o, "spec", "volumeName"),
        bound ? textAt(o, "status", "capacity", "storage") : "",
        bound ? accessModesText(objectAt(o, "status").accessModes) : "",
        textAt(o, "spec", "storageClassName"),
        textAt(o, "spec", "volumeAttributesClassName") || "<unset>",
        ageOf(o, now),
        textAt(o, "spec", "volumeMode") || "<unset>",
      ];
    },
    prepareForCreate: refuseClaim,
    applyDefaults: (o) => {
      o.spec = { ...objectAt(o, "spec"), volumeMode: textAt(o, "spec", "volumeMode") || "Filesystem" };
      if (textAt(o, "status", "phase") === "") o.status = { ...objectAt(o, "status"), phase: "Pending" };
    },
    validateUpdate: (o, old) => {
      const fixed = (spec: object) => ({
        ...spec,
        volumeName: undefined,
        resources: undefined,
        volumeAttributesClassName: undefined,
      });
      return jsonEqual(fixed(objectAt(o, "spec")), fixed(objectAt(old, "spec"))) ? [] : [
        forbidden(
          "spec",
          "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ),
      ];
    },
  },
  {
    group: "",
    version: "v1",
    resource: "persistentvolumes",
    singular: "persistentvolume",
    kind: "PersistentVolume",
    shortNames: ["pv"],
    namespaced: false,
    schema: "core.v1.PersistentVolume",
    status: "statusAndMetadata",
    columns: [
      NAME,
      { name: "Capacity" },
      { name: "Access Modes" },
      { name: "Reclaim Policy" },
      { name: "Status" },
      { name: "Claim" },
      { name: "StorageClass" },
      { name: "VolumeAttributesClass" },
      { name: "Reason" },
      AGE,
      { name: "VolumeMode", wide: true },
    ],
    row: (o, now) => {
      const claim = objectAt(o, "spec", "claimRef");
      return [
        o.metadata.name ?? "",
        textAt(o, "spec", "capacity", "storage"),
        accessModesText(objectAt(o, "spec").accessModes),
        textAt(o, "spec", "persistentVolumeReclaimPolicy"),
        o.metadata.deletionTimestamp === undefined ? textAt(o, "status", "phase") : "Terminating",
        textAt(claim, "name") === "" ? "" : `${textAt(claim, "namespace")}/${textAt(claim, "name")}`,
        textAt(o, "spec", "storageClassName"),
        textAt(o, "spec", "volumeAttributesClassName") || "<unset>",
        textAt(o, "status", "reason"),
        ageOf(o, now),
        textAt(o, "spec", "volumeMode") || "<unset>",
      ];
    },
    applyDefaults: (o) => {
      const spec = objectAt(o, "spec");
      o.spec = {
        ...spec,
        persistentVolumeReclaimPolicy: textAt(spec, "persistentVolumeReclaimPolicy") || "Retain",
        volumeMode: textAt(spec, "volumeMode") || "Filesystem",
      };
      if (textAt(o, "status", "phase") === "") o.status = { ...objectAt(o, "status"), phase: "Pending" };
    },
  },
];
