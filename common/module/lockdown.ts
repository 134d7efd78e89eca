import { aborted, defineModule, type Module } from "./module.ts";

const KINDS: ReadonlyArray<Deno.PermissionDescriptor["name"]> = [
  "read",
  "write",
  "net",
  "env",
  "run",
  "sys",
  "ffi",
  "import",
];

/**
 * A module that gives up every permission of the process it runs in, for good. To be run last: compartments that run already
 * keep theirs, what is open stays open.
 */
export function lockdown(): Module {
  return defineModule("lockdown", async ({ signal, ready }) => {
    for (const name of KINDS) await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
    ready();
    await aborted(signal);
  });
}
