/** Loads the X.509 library on first use: it takes 26 MB, and edges never need it. */
export function loadX509(): Promise<typeof import("./_x509.ts")> {
  return import("./_x509.ts");
}
