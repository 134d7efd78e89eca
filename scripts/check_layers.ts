/**
 * Checks which way imports point: cloud and edge know nothing of each other, common knows neither, a module does not know its
 * siblings, and a module of common is entered through its mod.ts. Prints each violation; exits 1 when there is one.
 *
 *   deno run --allow-read --allow-run scripts/check_layers.ts
 */
import { fileURLToPath, pathToFileURL } from "node:url";

/** One import, both files as paths from the root of the project. */
export interface Import {
  from: string;
  to: string;
}

/** What each side must not import; tests and scripts may import any of them. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  cloud: ["edge", "keadm", "tests", "scripts"],
  edge: ["cloud", "keadm", "tests", "scripts"],
  common: ["cloud", "edge", "keadm", "tests", "scripts"],
  keadm: ["cloud", "edge", "tests", "scripts"],
};

/** What is wrong with an import; undefined when nothing is. */
export function violationOf({ from, to }: Import): string | undefined {
  const [side = "", ...fromRest] = from.split("/");
  const [target = "", ...toRest] = to.split("/");
  const forbidden = FORBIDDEN[side];
  if (forbidden === undefined || isTest(from)) return undefined;
  if (forbidden.includes(target)) return `${side}/ must not import ${target}/`;
  if (isTest(to)) return "only tests may import tests and doubles";
  const fromModule = moduleOf(fromRest);
  const toModule = moduleOf(toRest);
  if (target === "common" && toModule !== undefined) {
    if ((side === "common" && fromModule === toModule) || isEntry(toRest)) return undefined;
    return `common/${toModule} is entered through its mod.ts`;
  }
  if (side !== target || fromModule === undefined || fromModule === toModule) return undefined;
  if (toModule === undefined) return "a module must not import the composition root";
  return `a module must not import its sibling ${target}/${toModule}: take an interface`;
}

/** The module a file belongs to; none for the composition root, which joins modules: files straight in a side, and compartments/. */
function moduleOf(path: string[]): string | undefined {
  return path.length > 1 && path[0] !== "compartments" ? path[0] : undefined;
}

/** Files of a common module that others may import: its mod.ts, its types, and all of the API's types. */
function isEntry([module, ...path]: string[]): boolean {
  const file = path.join("/");
  return module === "api" || file === "mod.ts" || /(^|\/|_)types\.ts$/.test(file);
}

/** Tests, and what only tests may use: doubles, suites that several tests run, what sets them up, and the programs they run. */
function isTest(path: string): boolean {
  if (path.split("/").includes("testdata")) return true;
  const file = path.slice(path.lastIndexOf("/") + 1);
  return /(^|_)(test|testing|bench|suite|harness|support|fakes?)(_|\.)/.test(file);
}

/** The part of `deno info --json` that is used. */
interface Graph {
  modules: Array<{ specifier: string; error?: string; dependencies?: Dependency[] }>;
}

interface Dependency {
  code?: { specifier?: string; error?: string };
  type?: { specifier?: string; error?: string };
}

/** The imports between files below `root`, and what could not be found or read. */
export function importsOf(graph: Graph, root: string): { imports: Import[]; faults: string[] } {
  const base = pathToFileURL(root.endsWith("/") ? root : `${root}/`).href;
  const imports = new Map<string, Import>();
  const faults: string[] = [];
  for (const { specifier, error, dependencies = [] } of graph.modules) {
    if (error !== undefined) faults.push(`Cannot read ${specifier}: ${error}`);
    if (!specifier.startsWith(base)) continue;
    for (const { code, type } of dependencies) {
      for (const end of [code, type]) {
        if (end?.error !== undefined) {
          faults.push(`Cannot follow an import of ${specifier}: ${end.error}`);
        }
        if (!end?.specifier?.startsWith(base)) continue;
        const found = { from: specifier.slice(base.length), to: end.specifier.slice(base.length) };
        imports.set(`${found.from} ${found.to}`, found);
      }
    }
  }
  return { imports: [...imports.values()], faults };
}

/** All TypeScript files of the product, as paths from the root. */
async function sources(root: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${root}/${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await sources(root, path));
    else if (entry.name.endsWith(".ts")) found.push(path);
  }
  return found;
}

async function readGraph(root: string): Promise<Graph> {
  const files = (await Promise.all(Object.keys(FORBIDDEN).map((side) => sources(root, side)))).flat();
  // One made-up module that imports every file: files that nothing imports yet are checked too.
  const all = files.map((file) => `import "${pathToFileURL(`${root}/${file}`).href}";`).join("");
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `data:text/typescript,${encodeURIComponent(all)}`],
    cwd: root,
  }).output();
  if (!success) throw new Error(`Cannot read the imports: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
  const { imports, faults } = importsOf(await readGraph(root), root);
  for (const { from, to } of imports) {
    const violation = violationOf({ from, to });
    if (violation !== undefined) faults.push(`${from} imports ${to}: ${violation}`);
  }
  // deno-lint-ignore no-console
  console.error([...faults, `${imports.length} imports, ${faults.length} wrong`].join("\n"));
  Deno.exit(faults.length > 0 ? 1 : 0);
}
