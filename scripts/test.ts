// deno-lint-ignore-file no-console
/**
 * Runs all tests: sets up what they need as far as this machine allows, builds the executables, runs unit, integration and
 * end-to-end tests, and ends with one line that counts them.
 *
 *   sh scripts/test.sh
 * @module
 */
import { makeDemoImages } from "./demo_image.ts";
import { ensureEngine } from "./engine.ts";
import { ensureBinaries } from "./kubernetes/binaries.ts";
import { hasKubectl } from "./trial/kubernetes.ts";
import { runToEnd } from "./trial/program.ts";
import { dirname } from "node:path";

const ROOT = new URL("../", import.meta.url).pathname;

/** Debian packages that tests use, with a program of each that shows it is installed. */
const PACKAGES: ReadonlyArray<readonly [string, string]> = [
  ["qemu-user-static", "/usr/bin/qemu-aarch64-static"],
  ["libc6-arm64-cross", "/usr/aarch64-linux-gnu/lib/libc.so.6"],
  ["libgcc-s1-arm64-cross", "/usr/aarch64-linux-gnu/lib/libgcc_s.so.1"],
  ["openssl", "/usr/bin/openssl"],
];

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
}

/** Runs a command with its output shown. */
async function show(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<boolean> {
  console.log(`$ ${command} ${args.join(" ")}`);
  const { success } = await new Deno.Command(command, { args, env, cwd: ROOT, stdin: "null" }).spawn().status;
  return success;
}

async function installPackages(): Promise<void> {
  const missing: string[] = [];
  for (const [name, path] of PACKAGES) if (!await exists(path)) missing.push(name);
  if (missing.length === 0) return;
  const debian = await exists("/usr/bin/apt-get");
  if (Deno.uid() !== 0 || !debian) {
    console.log(
      `Not installed: ${missing.join(" ")}. Tests that need them are skipped; as root: apt-get install ${
        missing.join(" ")
      }`,
    );
    return;
  }
  await runToEnd("apt-get", ["update", "-qq"]);
  const { code, stderr } = await runToEnd("apt-get", [
    "install",
    "-y",
    "-qq",
    "--no-install-recommends",
    ...missing,
  ], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  if (code !== 0) throw new Error(`Cannot install ${missing.join(" ")}: ${stderr.trim()}`);
}

/** Builds or finds the programs of a real control plane; its kubectl is for those who have none. */
async function provideKubernetes(): Promise<void> {
  const { kubectl } = await ensureBinaries((line) => console.log(line));
  if (!await hasKubectl()) Deno.env.set("PATH", `${Deno.env.get("PATH") ?? ""}:${dirname(kubectl)}`);
}

/** Files of end-to-end tests at once, each with a site of its own: they wait most of the time. */
const WHOLE_JOBS = "3";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Reads the counts of a JUnit report, skipped tests by name. */
export function readReport(xml: string): Counts & { skippedNames: string[] } {
  const suites = xml.match(/<testsuites\b[^>]*>/)?.[0];
  if (suites === undefined) throw new SyntaxError("Cannot read the test report: it has no <testsuites>");
  const number = (name: string) => Number(suites.match(new RegExp(`\\b${name}="(\\d+)"`))?.[1] ?? 0);
  const cases = [...xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)];
  const skippedNames = cases.filter(([, , body]) => body?.includes("<skipped")).map(([, name]) => name!);
  const failed = number("failures") + number("errors");
  return {
    passed: cases.length - failed - skippedNames.length,
    failed,
    skipped: skippedNames.length,
    skippedNames,
  };
}

/** Runs `deno test` over paths; a run that ends without a report counts as one failure. */
async function runTests(
  title: string,
  paths: string[],
  flags: string[],
  env: Record<string, string> = {},
): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const ok = await show(Deno.execPath(), [
      "test",
      "--allow-all",
      "--quiet",
      `--junit-path=${report}`,
      ...flags,
      ...paths,
    ], env);
    const text = await Deno.readTextFile(report);
    if (text === "") return { passed: 0, failed: 1, skipped: 0 };
    const { skippedNames, ...counts } = readReport(text);
    for (const name of skippedNames) console.log(`skipped: ${title}: ${name}`);
    if (!ok && counts.failed === 0) counts.failed = 1;
    return counts;
  } finally {
    await Deno.remove(report);
  }
}

async function main(): Promise<void> {
  await installPackages();
  try {
    await ensureEngine();
    await makeDemoImages();
  } catch (error) {
    console.log(`Tests that need containers are skipped: ${error instanceof Error ? error.message : error}`);
  }
  try {
    await provideKubernetes();
  } catch (error) {
    console.log(
      `Tests that need a real Kubernetes are skipped: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (!await show(Deno.execPath(), ["task", "--quiet", "compile"])) Deno.exit(1);
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const add = (counts: Counts) => {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  };
  for (const task of ["check:fmt", "check:lint", "check:types", "check:layers"]) {
    add({ passed: 0, failed: await show(Deno.execPath(), ["task", "--quiet", task]) ? 0 : 1, skipped: 0 });
  }
  add(
    await runTests("unit", ["common", "cloud", "edge", "keadm", "scripts", "crds"], ["--parallel"], {
      DENO_JOBS: "4",
    }),
  );
  add(
    await runTests("integration", ["tests/integration", "tests/wire"], ["--parallel"], {
      DENO_JOBS: WHOLE_JOBS,
    }),
  );
  add(await runTests("conformance", ["tests/conformance"], []));
  const whole = ["tests/e2e", "tests/real_cluster", "tests/faults"];
  add(await runTests("end to end", whole, ["--parallel"], { DENO_JOBS: WHOLE_JOBS }));
  const { NEEDS } = await import("../tests/support/needs.ts");
  const { KUBERNETES } = await import("../tests/support/real_cluster.ts");
  for (const need of [...NEEDS, KUBERNETES]) {
    if (!need.met) console.log(`This machine lacks ${need.what}: ${need.fix}`);
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  Deno.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
}

if (import.meta.main) await main();
