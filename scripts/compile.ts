// deno-lint-ignore-file no-console
/**
 * Makes the executables: `dist/{cloudcore,edgecore,keadm}-linux-{amd64,arm64}`, each one file that needs no runtime installed.
 *
 *   deno task compile [--packaging auto|compile|self-extract] [--arch amd64,arm64] [--program edgecore,…] [--out dist]
 *
 * `compile` uses `deno compile`, which needs its base runtime (denort: DENORT_BIN, Deno's cache, or download).
 * `self-extract` puts the pinned runtime and the bundled program behind a small launcher (see `launcher.ts`).
 * `auto`, the default, takes `compile` where the base runtime can be had and `self-extract` elsewhere.
 * @module
 */
import { parseArgs } from "node:util";
import { bundleProgram, type Program, PROGRAMS } from "./bundle.ts";
import { packSelfExtracting } from "./launcher.ts";
import { permissionFlags, permissionSet } from "./permission_flags.ts";
import { type Arch, ARCHES, runtimeFor } from "./runtime.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** What `deno compile --target` calls an architecture. */
const TARGETS: Readonly<Record<Arch, string>> = {
  amd64: "x86_64-unknown-linux-gnu",
  arm64: "aarch64-unknown-linux-gnu",
};

async function run(args: string[]): Promise<{ ok: boolean; output: string }> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  })
    .output();
  return { ok: success, output: new TextDecoder().decode(stderr) };
}

/** One executable by `deno compile`, from the bundled program. */
async function compileNative(
  program: Program,
  arch: Arch,
  staged: string,
  out: string,
): Promise<{ ok: boolean; output: string }> {
  const set = await permissionSet(ROOT, program.name);
  return await run([
    "compile",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--unstable-worker-options",
    `--v8-flags=${program.v8Flags.join(",")}`,
    "--target",
    TARGETS[arch],
    ...permissionFlags(set),
    ...program.workers.flatMap((worker) => ["--include", `${staged}/${worker.replace(/\.ts$/, ".js")}`]),
    "--output",
    out,
    `${staged}/${program.main.replace(/\.ts$/, ".js")}`,
  ]);
}

function list<T extends string>(text: string | undefined, all: readonly T[], what: string): T[] {
  if (text === undefined) return [...all];
  return text.split(",").map((word) => {
    const found = all.find((one) => one === word);
    if (found === undefined) {
      throw new TypeError(`Unknown ${what} ${JSON.stringify(word)}: one of ${all.join(", ")} is expected`);
    }
    return found;
  });
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      packaging: { type: "string", default: "auto" },
      arch: { type: "string" },
      program: { type: "string" },
      out: { type: "string", default: `${ROOT}dist` },
    },
  });
  const [packaging] = list(values.packaging, ["auto", "compile", "self-extract"], "packaging");
  const arches = list(values.arch, ARCHES, "architecture");
  const programs = list(values.program, PROGRAMS.map((p) => p.name), "program");
  await Deno.mkdir(values.out, { recursive: true });
  const staging = await Deno.makeTempDir({ prefix: "kubeedge-compile-" });
  try {
    let native = packaging !== "self-extract";
    for (const program of PROGRAMS.filter((p) => programs.includes(p.name))) {
      const staged = await bundleProgram(ROOT, program, staging);
      for (const arch of arches) {
        const out = `${values.out}/${program.name}-linux-${arch}`;
        if (native) {
          const { ok, output } = await compileNative(program, arch, staged, out);
          if (!ok && packaging === "compile") {
            throw new Error(`Cannot compile ${program.name} for ${arch}: ${output.trim()}`);
          }
          if (!ok) {
            console.error(
              "The base runtime of deno compile is not to be had here: packaging as self-extracting files",
            );
            native = false;
          }
        }
        if (!native) {
          await packSelfExtracting({
            program,
            arch,
            staged,
            runtime: await runtimeFor(arch),
            permissions: permissionFlags(await permissionSet(ROOT, program.name)),
            work: staging,
            archives: `${ROOT}.cache/archives`,
            out,
          });
        }
        const { size } = await Deno.stat(out);
        console.log(`${out}  ${(size / 1e6).toFixed(1)} MB  ${native ? "compile" : "self-extract"}`);
      }
    }
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

if (import.meta.main) await main(Deno.args);
