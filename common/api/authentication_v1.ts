export type { TokenRequest } from "kubernetes-types/authentication/v1.d.ts";
