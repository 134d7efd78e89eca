import { errorText } from "../../common/errors/mod.ts";
import type { Logger } from "../../common/module/mod.ts";

/** Name under which the new text is written first. */
const NEW = ".new";
const MAX_FILE_BYTES = 1 << 20;

/** A join token as it is made: hexadecimal and base64url parts. Nothing in it means anything in YAML or JSON. */
const TOKEN = /^[\w-]+(\.[\w-]+){3}$/;

/** Files that {@linkcode forgetToken} touches. */
export function tokenFiles(configFile: string): string[] {
  return [configFile, configFile + NEW];
}

/**
 * The text of a configuration with the token taken out, everything else as it was; undefined when the token is not in it.
 */
export function withoutToken(text: string, token: string): string | undefined {
  if (!TOKEN.test(token)) return undefined;
  // A long text in double quotes may be broken over lines, each ending in a backslash.
  const broken = [...token].map((c) => c === "." ? "\\." : c).join("(?:\\\\\\r?\\n[ \\t]*)?");
  const found = new RegExp(`(["']?)(?:\\\\\\r?\\n[ \\t]*)?${broken}(?:\\\\\\r?\\n[ \\t]*)?\\1`, "g");
  const blank = text.replaceAll(found, '""');
  return blank === text ? undefined : blank;
}

/**
 * Takes the join token out of the configuration file once it has served: who reads the file later could join as any node.
 * The file becomes readable by its owner only. When that cannot be done it is said, and the edge goes on.
 * Upstream: kubeedge edge/cmd/edgecore/app/server.go @ 16cd854 (which rewrites the file, without its comments)
 */
export async function forgetToken(configFile: string, token: string, log: Logger): Promise<void> {
  try {
    const { size, uid, gid } = await Deno.stat(configFile);
    if (size > MAX_FILE_BYTES) throw new RangeError(`It is ${size} bytes long`);
    const text = await Deno.readTextFile(configFile);
    const blank = withoutToken(text, token.trim());
    if (blank === undefined) throw new TypeError("It is not found there");
    await replace(configFile, blank, { uid, gid });
    log.info("Took the join token out of the configuration: this node has its certificate", {
      file: configFile,
    });
  } catch (error) {
    log.warning("Cannot take the join token out of the configuration; blank modules.edgeHub.token by hand", {
      file: configFile,
      error: errorText(error),
    });
  }
}

async function replace(path: string, text: string, owner: Owner): Promise<void> {
  try {
    await write(path + NEW, text, owner);
    await Deno.rename(path + NEW, path);
  } catch (error) {
    await Deno.remove(path + NEW).catch((unremoved) => {
      if (!(unremoved instanceof Deno.errors.NotFound)) throw error;
    });
    throw error;
  }
}

interface Owner {
  uid: number | null;
  gid: number | null;
}

async function write(
  path: string,
  text: string,
  owner: Owner,
): Promise<void> {
  using file = await Deno.open(path, { create: true, truncate: true, write: true, mode: 0o600 });
  await Deno.chmod(path, 0o600);
  await Deno.chown(path, owner.uid, owner.gid);
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  await file.sync();
}
