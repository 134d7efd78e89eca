/** How keadm reaches the Kubernetes API: once, for one question. */
import { errorText } from "../common/errors/mod.ts";
import {
  createKubeClient,
  type Credential,
  credentialsOf,
  type KubeReader,
  loadKubeConfig,
} from "../common/kubeclient/mod.ts";
import { createLogger, systemClock } from "../common/module/mod.ts";
import { CommandError } from "./output.ts";

/** Longest an answer of the API server may take. */
const TIMEOUT_MS = 10_000;

/**
 * A client for the cluster of a kubeconfig. Where a command gives the credential it is run here, where an issuer does it is asked
 * here, and its tokens are kept in the file; before anything is sent to the cluster the right to run and to write is given up.
 * @throws {CommandError} whose message names the file and what is wrong with it
 */
export async function connect(path: string): Promise<KubeReader & AsyncDisposable> {
  try {
    const config = await loadKubeConfig({ path, env: {}, terminal: Deno.stdin.isTerminal() });
    if (config.exec === undefined) await Deno.permissions.revoke({ name: "run" });
    if (config.oidc === undefined) await Deno.permissions.revoke({ name: "write" });
    let given: Credential | undefined;
    if (config.exec !== undefined || config.oidc !== undefined) {
      const source = credentialsOf(config, { clock: systemClock, log: createLogger("keadm") });
      given = await source.current(new AbortController().signal);
      await Deno.permissions.revoke({ name: "run" });
      await Deno.permissions.revoke({ name: "write" });
    }
    const credentials = given === undefined ? {} : {
      credentials: { current: () => Promise.resolve(given) },
    };
    return createKubeClient({ ...config, timeoutMs: TIMEOUT_MS }, credentials);
  } catch (error) {
    throw new CommandError(errorText(error), { cause: error });
  }
}
