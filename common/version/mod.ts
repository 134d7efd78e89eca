/**
 * Which versions this program is of, and says it is of.
 * Gives: constants and the texts that `--version` prints.
 * Upstream: kubeedge pkg/version @ 16cd854
 * @module
 */

/** This product's own version. */
export const VERSION = "0.1.0";

/** The KubeEdge release whose protocol, configuration and objects are spoken. */
export const UPSTREAM_VERSION = "v1.23.1";

/** The Kubernetes release that KubeEdge release is built on. */
export const KUBERNETES_VERSION = "v1.32.10";

/** `status.nodeInfo.kubeletVersion` of an edge node, in upstream's form, which tools tell edge nodes by. */
export const KUBELET_VERSION = `${KUBERNETES_VERSION}-kubeedge-${UPSTREAM_VERSION}`;

/** Upstream's version with this product's as semver build metadata: it compares equal to upstream's. */
export const GIT_VERSION = `${UPSTREAM_VERSION}+deno.${VERSION}`;

/** How a program was packed: `source` under `deno run`, `compiled` by `deno compile`, `self-extract` by our own packer. */
export type Packaging = "source" | "compiled" | "self-extract";

/** How the program whose main module this is was packed; our own packer bundles TypeScript into JavaScript. */
export function packagingOf(mainUrl: string, standalone: boolean = Deno.build.standalone): Packaging {
  if (standalone) return "compiled";
  return mainUrl.endsWith(".ts") ? "source" : "self-extract";
}

/** What `--version` prints, one line: `edgecore 0.1.0 (KubeEdge v1.23.1, …)`. */
export function versionText(program: string, packaging: Packaging): string {
  const { os, arch } = Deno.build;
  return `${program} ${VERSION} (KubeEdge ${UPSTREAM_VERSION}, Kubernetes ${KUBERNETES_VERSION}, ` +
    `Deno ${Deno.version.deno}, ${os}/${goArch(arch)}, ${packaging})`;
}

/** The fields of upstream's `version.Info`, in its order. */
export interface VersionInfo {
  major: string;
  minor: string;
  gitVersion: string;
  gitCommit: string;
  gitTreeState: string;
  buildDate: string;
  goVersion: string;
  compiler: string;
  platform: string;
}

/**
 * What `keadm version` tells. There is no Go in this program: `goVersion` and `compiler` name the runtime that takes its place.
 * What a build does not know is "unknown".
 */
export function versionInfo(): VersionInfo {
  const [major = "", minor = ""] = UPSTREAM_VERSION.slice(1).split(".");
  return {
    major,
    minor,
    gitVersion: GIT_VERSION,
    gitCommit: "unknown",
    gitTreeState: "unknown",
    buildDate: "unknown",
    goVersion: `deno${Deno.version.deno}`,
    compiler: `v8-${Deno.version.v8}`,
    platform: `${Deno.build.os}/${goArch(Deno.build.arch)}`,
  };
}

/** An architecture as Go, and so Kubernetes, calls it. */
export function goArch(arch: typeof Deno.build.arch): string {
  return { x86_64: "amd64", aarch64: "arm64", riscv64gc: "riscv64" }[arch];
}
