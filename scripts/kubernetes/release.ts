/** Which Kubernetes is built here, and the Go module that builds it. */

/** Pinned: the newest minor whose staging modules are all published at one version and that kubectl 1.32 may talk to. */
export const KUBERNETES_VERSION = "v1.33.13";

/** What is built from the module; kubectl only where it is missing. */
export const KUBERNETES_PROGRAMS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
] as const;

export type KubernetesProgram = (typeof KUBERNETES_PROGRAMS)[number];

/** Where the build puts the module and its programs. @param cache the folder of the builds */
export function buildDirectory(cache: string): string {
  return `${cache}/${KUBERNETES_VERSION}`;
}

/** Version of the staging modules of a release: v1.33.13 goes with v0.33.13. @throws {TypeError} for anything but v1.x.y */
export function stagingVersion(version: string): string {
  const match = version.match(/^v1\.(\d+\.\d+)$/);
  if (match === null) throw new TypeError(`Cannot build Kubernetes ${version}: expected v1.MINOR.PATCH`);
  return `v0.${match[1]}`;
}

/**
 * A go.mod that builds the programs of `k8s.io/kubernetes`. That module replaces its staging modules by folders which its
 * published form does not have; a replacement counts in the main module only, so the published ones are named here.
 * @param upstream text of the release's own go.mod
 * @throws {SyntaxError} when it names no staging modules
 */
export function printGoMod(version: string, upstream: string): string {
  const staging = [...upstream.matchAll(/^\s*(?:replace )?(k8s\.io\/[a-z0-9-]+) => \.\/staging\//gm)].map((
    m,
  ) => m[1]!);
  const go = upstream.match(/^go (\d+\.\d+(?:\.\d+)?)$/m)?.[1];
  if (staging.length === 0 || go === undefined) {
    throw new SyntaxError(
      `Cannot read go.mod of Kubernetes ${version}: it names no staging modules or no Go`,
    );
  }
  const settings = [...upstream.matchAll(/^godebug .*$/gm)].map(([line]) => line);
  const modules = stagingVersion(version);
  return [
    "module kubeedge.invalid/kubernetes",
    `go ${go}`,
    ...settings,
    `require k8s.io/kubernetes ${version}`,
    `replace (\n${staging.map((name) => `\t${name} => ${name} ${modules}\n`).join("")})`,
  ].join("\n\n") + "\n";
}

/** Linker flags that let the programs tell their version. Upstream: kubernetes hack/lib/version.sh @ v1.33 */
export function linkerFlags(version: string): string {
  const [, major, minor] = version.match(/^v(\d+)\.(\d+)\./) ?? [];
  const values = {
    gitVersion: version,
    gitMajor: major ?? "",
    gitMinor: minor ?? "",
    gitTreeState: "clean",
    // The published module does not say when it was made, and the same source is to give the same file.
    buildDate: "1970-01-01T00:00:00Z",
  };
  const packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];
  const settings = packages.flatMap((name) =>
    Object.entries(values).map(([key, value]) => `-X ${name}.${key}=${value}`)
  );
  return ["-s", "-w", ...settings].join(" ");
}
