export type { PodDisruptionBudget } from "kubernetes-types/policy/v1.d.ts";
