import { type EdgedOptions, settleOptions } from "./options.ts";

/** Files that the facts of the machine are read from. */
export const FACT_FILES = ["/etc/machine-id", "/etc/os-release"];

/** Program that reads what the runtime reserves for programs with every permission: files under `/proc` and `/sys`. */
export const READ_PROGRAM = "grep";

/** Program that tells of a file system what the runtime tells only by way of Node's modules, which cost megabytes to load. */
export const DISK_PROGRAM = "stat";

/**
 * What edged itself may do; the runtime, the volumes and the variables add theirs. Probes and hooks reach pods at any address.
 */
export function edgedPermissions(options: EdgedOptions): Deno.PermissionOptionsObject {
  const { rootDirectory } = settleOptions(options);
  return {
    net: true,
    read: [...FACT_FILES, rootDirectory],
    run: [READ_PROGRAM, DISK_PROGRAM],
    sys: ["networkInterfaces", "osRelease", "statfs", "systemMemoryInfo"],
  };
}
