/** Which files make up each program, and how they become plain JavaScript. */

export interface Program {
  name: "cloudcore" | "edgecore" | "keadm";
  /** Path of the entry below the root. */
  main: string;
  /** Programs of its compartments. */
  workers: string[];
  /** How V8 is to trade time for memory. */
  v8Flags: string[];
}

/** A small young generation, and code compiled for size. */
const SMALL = ["--max-semi-space-size=1", "--optimize-for-size"];

export const PROGRAMS: readonly Program[] = [
  {
    name: "cloudcore",
    main: "cloud/main.ts",
    // With hundreds of edges the optimising compilers were seen to save no processor time, and to cost memory.
    v8Flags: [...SMALL, "--no-opt", "--no-maglev"],
    workers: [
      "cloud/compartments/controlplane.ts",
      "cloud/compartments/controllers.ts",
      "cloud/compartments/credentials.ts",
      "cloud/compartments/hub.ts",
    ],
  },
  {
    name: "edgecore",
    main: "edge/main.ts",
    // It waits most of the time: what an optimising compiler would keep is worth more as memory for pods.
    v8Flags: ["--max-semi-space-size=1", "--lite-mode"],
    workers: ["edge/compartments/link.ts", "edge/compartments/store.ts", "edge/compartments/runtime.ts"],
  },
  { name: "keadm", main: "keadm/main.ts", v8Flags: SMALL, workers: [] },
];

/**
 * Bundles a program and its workers, each into one file with everything it imports, keeping their paths.
 * @returns the directory that holds them
 */
export async function bundleProgram(root: string, program: Program, work: string): Promise<string> {
  const out = `${work}/${program.name}`;
  await Deno.mkdir(out, { recursive: true });
  for (const entry of [program.main, ...program.workers]) {
    const target = `${out}/${entry.replace(/\.ts$/, ".js")}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--quiet",
        "--platform",
        "deno",
        "--minify",
        "--output",
        target,
        entry,
      ],
      cwd: root,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`Cannot bundle ${entry}: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return out;
}
