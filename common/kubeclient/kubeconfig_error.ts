/** A kubeconfig that cannot be used; the message names the file, the field and the next step. */
export class KubeConfigError extends Error {
  override readonly name = "KubeConfigError";
}

/** The one among the causes of an error. */
export function findKubeConfigError(error: unknown): KubeConfigError | undefined {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof KubeConfigError) return e;
  return undefined;
}
