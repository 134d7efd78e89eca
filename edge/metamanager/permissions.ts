import { directoryOf } from "../../common/paths/mod.ts";
import type { MetaManagerOptions } from "./metamanager.ts";

/** What metamanager may do: read and write the directory of its database, which also takes a damaged file moved aside. */
export function metaManagerPermissions(
  { databasePath }: Pick<MetaManagerOptions, "databasePath">,
): Deno.PermissionOptionsObject {
  const directory = directoryOf(databasePath);
  return { read: [directory], write: [directory] };
}
