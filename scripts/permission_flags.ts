/** A named permission set of deno.json as command-line flags, for the executables. */

/** One entry of `permissions` in deno.json. */
export type PermissionSet = Readonly<Record<string, boolean | readonly string[]>>;

const KINDS = ["read", "write", "net", "env", "run", "sys", "ffi", "import"];

/** The set called `name` in the deno.json at `root`. @throws {TypeError} when it is missing or malformed */
export async function permissionSet(root: string, name: string): Promise<PermissionSet> {
  const { permissions } = JSON.parse(await Deno.readTextFile(`${root}deno.json`)) as {
    permissions?: Record<string, PermissionSet>;
  };
  const set = permissions?.[name];
  if (set === undefined) throw new TypeError(`deno.json has no permission set ${name}`);
  for (const kind of Object.keys(set)) {
    if (!KINDS.includes(kind)) throw new TypeError(`Permission set ${name} has unknown kind ${kind}`);
  }
  return set;
}

/** `--allow-…` for each kind granted; what is not named stays refused, without a prompt. */
export function permissionFlags(set: PermissionSet): string[] {
  const flags = ["--no-prompt"];
  for (const [kind, value] of Object.entries(set)) {
    if (value === true) flags.push(`--allow-${kind}`);
    else if (Array.isArray(value) && value.length > 0) flags.push(`--allow-${kind}=${value.join(",")}`);
  }
  return flags;
}
