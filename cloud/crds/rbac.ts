import { FEATURES } from "./definition.ts";

/** What installing the custom resources needs; only their own definitions can be read or changed. A `create` cannot be limited to names. */
export const CRD_RULES = [
  { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: ["create"] },
  {
    apiGroups: ["apiextensions.k8s.io"],
    resources: ["customresourcedefinitions"],
    verbs: ["get", "update"],
    resourceNames: Object.keys(FEATURES).sort(),
  },
] as const;
