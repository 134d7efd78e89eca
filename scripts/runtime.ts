/** The pinned Deno runtime for each architecture, from its npm package by way of Deno's own npm client. */

export type Arch = "amd64" | "arm64";
export const ARCHES: readonly Arch[] = ["amd64", "arm64"];

/** The version every program is built with. */
export const DENO_VERSION = "2.9.5";

const PACKAGES: Readonly<Record<Arch, string>> = {
  amd64: "@deno/linux-x64-glibc",
  arm64: "@deno/linux-arm64-glibc",
};

/** This machine's architecture. */
export const HOST_ARCH: Arch = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** Path of the runtime for an architecture; downloads it when it is not in Deno's cache. */
export async function runtimeFor(arch: Arch): Promise<string> {
  if (arch === HOST_ARCH && Deno.version.deno === DENO_VERSION) return Deno.execPath();
  const specifier = `npm:${PACKAGES[arch]}@${DENO_VERSION}`;
  await deno(["cache", "--quiet", "--no-config", "--no-lock", specifier]);
  const { npmCache } = JSON.parse(await deno(["info", "--json", "--no-config"])) as { npmCache: string };
  for await (const registry of Deno.readDir(npmCache)) {
    const path = `${npmCache}/${registry.name}/${PACKAGES[arch]}/${DENO_VERSION}/deno`;
    try {
      await Deno.stat(path);
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`Cannot find the runtime for ${arch}: ${specifier} has no file "deno" in ${npmCache}`);
}

async function deno(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno ${args.join(" ")} failed: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}
