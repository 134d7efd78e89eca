import type { Secret } from "../common/api/core_v1.ts";
import { errorText, findStatusError, isForbidden, isNotFound } from "../common/errors/mod.ts";
import { type KubeReader, SECRETS } from "../common/kubeclient/mod.ts";
import { CommandError } from "./output.ts";

/** Where cloudcore keeps the join token. Upstream: kubeedge common/constants/default.go @ 16cd854 */
const TOKEN_SECRET = { namespace: "kubeedge", name: "tokensecret" };
const TOKEN_KEY = "tokendata";

/** Where kubectl's kubeconfig of root is, which keadm has always looked at first. */
export const DEFAULT_KUBE_CONFIG = "/root/.kube/config";

/** Longest token there is room for; a real one has some 300 characters. */
const MAX_TOKEN_CHARS = 16_384;

/** What of the machine the choice of a kubeconfig depends on. */
export interface KubeConfigFacts {
  /** Value of `--kube-config`; undefined when the flag is not given. */
  given: string | undefined;
  /** Value of a variable of the environment. */
  env: (name: "KUBECONFIG" | "HOME") => string | undefined;
  /** Whether there is a file that this user can get at. */
  exists: (path: string) => Promise<boolean>;
}

/**
 * The kubeconfig to use: the one given, else /root/.kube/config, else the first of KUBECONFIG that exists, else this user's.
 * @throws {CommandError} when there is none
 */
export async function chooseKubeConfig({ given, env, exists }: KubeConfigFacts): Promise<string> {
  const listed = (env("KUBECONFIG") ?? "").split(":").filter((path) => path !== "");
  const home = env("HOME");
  const candidates = new Set(
    given === undefined
      ? [DEFAULT_KUBE_CONFIG, ...listed, ...(home ? [`${home}/.kube/config`] : [])]
      : [given],
  );
  for (const path of candidates) if (await exists(path)) return path;
  throw new CommandError(
    `Cannot find a kubeconfig: no file that may be read at ${[...candidates].join(", ")}; ` +
      "name one with --kube-config (with cloudcore's embedded API: /etc/kubeedge/admin.kubeconfig)",
  );
}

/**
 * The token that edge nodes join with. The kubeconfig is named in messages, since it may have been found and not given.
 * Upstream: kubeedge keadm/cmd/keadm/app/cmd/gettoken.go @ 16cd854
 * @throws {CommandError} naming what to do
 */
export async function getToken(client: KubeReader, kubeConfig: string): Promise<string> {
  let secret: Secret;
  try {
    secret = await client.get(SECRETS, TOKEN_SECRET);
  } catch (error) {
    throw new CommandError(`Cannot get the token: ${explain(error, kubeConfig)}`, { cause: error });
  }
  const encoded: unknown = secret.data?.[TOKEN_KEY];
  const token = typeof encoded === "string" ? decode(encoded) : "";
  if (token === "") {
    throw new CommandError(
      `Cannot get the token: secret kubeedge/tokensecret has no usable ${TOKEN_KEY}; ` +
        "delete the secret and restart cloudcore, which makes it anew",
    );
  }
  return token;
}

function explain(error: unknown, kubeConfig: string): string {
  const text = errorText(error);
  // Whatever listens at the address may answer 404.
  if (isNotFound(error) && text.includes(TOKEN_SECRET.name)) {
    return `secret kubeedge/tokensecret does not exist in the cluster of ${kubeConfig}; start cloudcore there, which makes it`;
  }
  if (isForbidden(error)) {
    return `the user of ${kubeConfig} may not read secrets in namespace kubeedge; use a kubeconfig of an administrator`;
  }
  if (findStatusError(error)?.reason === "Unauthorized") {
    return `the API server does not accept the credentials of ${kubeConfig}; renew them, or name another with --kube-config`;
  }
  if (text.startsWith("Cannot reach ")) return text;
  return `${text}; check that the server in ${kubeConfig} is a Kubernetes API server, and that it is well`;
}

/** The text in base64; empty for what is not base64 of printable ASCII, as every token is. */
function decode(encoded: string): string {
  if (encoded.length > MAX_TOKEN_CHARS || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(encoded)) return "";
  const digits = encoded.replace(/\s/g, "");
  if (digits.length % 4 !== 0) return "";
  const text = atob(digits).trim();
  return /^[\x21-\x7e]*$/.test(text) ? text : "";
}
