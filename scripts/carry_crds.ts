/**
 * Makes `cloud/crds/definitions.jsonl` out of `crds/*.yaml`: what cloudcore carries, one definition a line, in the order of their
 * names. As JSON, since the YAML library takes more memory and time than all of the definitions.
 *
 *   deno run --allow-read=crds --allow-write=cloud/crds scripts/carry_crds.ts
 * @module
 */
import { parse } from "yaml";

const CRDS = new URL("../crds/", import.meta.url);
/** Where the lines are kept. */
export const CARRIED = new URL("../cloud/crds/definitions.jsonl", import.meta.url);

/** The lines as they should be. */
export async function carriedText(): Promise<string> {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(CRDS)) if (name.endsWith(".yaml")) files.push(name);
  let text = "";
  for (const file of files.sort()) {
    text += `${JSON.stringify(parse(await Deno.readTextFile(new URL(file, CRDS))))}\n`;
  }
  return text;
}

if (import.meta.main) await Deno.writeTextFile(CARRIED, await carriedText());
