/**
 * Sees to it that the cluster has KubeEdge's custom resources: installs what is missing, brings up to date what is older, leaves
 * alone what it does not know, and says what is missing where it may not.
 *
 * Takes: nothing. Gives: CustomResourceDefinitions to the API server; what is wrong to the log and as Events in `default`.
 * Upstream: kubeedge manifests/charts/cloudcore/crds @ 16cd854, which installs them by Helm and keadm
 * @module
 */
export { customResources, INSTALL_COMMAND } from "./custom_resources.ts";
export type { CustomResourcesComponents } from "./custom_resources.ts";
export { CRD_RULES } from "./rbac.ts";
