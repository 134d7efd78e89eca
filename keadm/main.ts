/**
 * keadm: the command line that sets up KubeEdge.
 * Takes: arguments, a kubeconfig, the Kubernetes API.
 * Gives: lines on standard output and error, and an exit code.
 * Upstream: kubeedge keadm/cmd/keadm @ 16cd854
 * @module
 */
import { errorText } from "../common/errors/mod.ts";
import { createKubeClient, loadKubeConfig } from "../common/kubeclient/mod.ts";
import { writeErr, writeOut } from "../common/output/mod.ts";
import { packagingOf, versionInfo, versionText } from "../common/version/mod.ts";
import { type KeadmComponents, runKeadm } from "./keadm.ts";
import { CommandError } from "./output.ts";

/** Longest an answer of the API server may take. */
const TIMEOUT_MS = 10_000;

function components(): KeadmComponents {
  return {
    output: {
      out: (line) => writeOut(`${line}\n`),
      err: (line) => void writeErr(`${line}\n`),
    },
    connect: async (path) => {
      try {
        return createKubeClient({ ...await loadKubeConfig({ path, env: {} }), timeoutMs: TIMEOUT_MS });
      } catch (error) {
        throw new CommandError(errorText(error), { cause: error });
      }
    },
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
    kubeConfigEnv: () => Deno.env.get("KUBECONFIG"),
    versionInfo,
    versionText: versionText("keadm", packagingOf(import.meta.url)),
  };
}

if (import.meta.main) {
  Deno.exit(await runKeadm(Deno.args, components()));
}
