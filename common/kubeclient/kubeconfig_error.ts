/** A kubeconfig that cannot be used; the message names the file, the field and the next step. */
export class KubeConfigError extends Error {
  override readonly name = "KubeConfigError";
}
