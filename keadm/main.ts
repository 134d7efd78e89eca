/**
 * keadm: the command line that sets up KubeEdge.
 * Takes: arguments, a kubeconfig, the Kubernetes API.
 * Gives: lines on standard output and error, and an exit code.
 * Upstream: kubeedge keadm/cmd/keadm @ 16cd854
 * @module
 */
import { writeErr, writeOut } from "../common/output/mod.ts";
import { packagingOf, versionInfo, versionText } from "../common/version/mod.ts";
import { connect } from "./connect.ts";
import { type KeadmComponents, runKeadm } from "./keadm.ts";

function components(): KeadmComponents {
  return {
    output: {
      out: (line) => writeOut(`${line}\n`),
      err: (line) => void writeErr(`${line}\n`),
    },
    connect,
    exists: async (path) => {
      try {
        return (await Deno.stat(path)).isFile;
      } catch (error) {
        const { NotFound, NotADirectory, PermissionDenied, NotCapable } = Deno.errors;
        if ([NotFound, NotADirectory, PermissionDenied, NotCapable].some((e) => error instanceof e)) {
          return false;
        }
        throw error;
      }
    },
    env: (name) => Deno.env.get(name),
    versionInfo,
    versionText: versionText("keadm", packagingOf(import.meta.url)),
  };
}

if (import.meta.main) {
  Deno.exit(await runKeadm(Deno.args, components()));
}
