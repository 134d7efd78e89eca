export type { Lease } from "kubernetes-types/coordination/v1.d.ts";
