import type { ExecConfig } from "./exec_credentials.ts";
import type {
  KubeConfigChoice,
  KubeConfigUser,
  KubeCredentials,
  ParseKubeConfigOptions,
} from "./kubeconfig.ts";
import { faultOfPair } from "./key_pair.ts";
import { KubeConfigError } from "./kubeconfig_error.ts";
import type { OidcConfig } from "./oidc_credentials.ts";

/** Where {@linkcode loadKubeConfig} looks. */
export interface LoadKubeConfigOptions extends ParseKubeConfigOptions {
  /** A kubeconfig file; when given, nothing else is looked at. */
  path?: string;
  /** @default the process's KUBECONFIG, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT and HOME */
  env?: Readonly<Record<string, string | undefined>>;
  /** @default "/var/run/secrets/kubernetes.io/serviceaccount" */
  serviceAccountDir?: string;
}

/** A client configuration and where it came from. */
export interface LoadedKubeConfig extends KubeCredentials {
  /** The kubeconfig file, or "in-cluster". */
  source: string;
  /** Default namespace of the context or the service account. */
  namespace?: string;
}

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
/** A kubeconfig or PEM file larger than this is something else. */
const FILE_LIMIT_BYTES = 1 << 20;
const NAMES = ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HOME"];

/**
 * Finds how to reach the Kubernetes API: the given file, else the file in KUBECONFIG, else the pod's service account, else
 * `~/.kube/config`. Of several files in KUBECONFIG the first that exists is used.
 * Upstream: k8s.io/client-go tools/clientcmd/loader.go, rest/config.go (InClusterConfig) @ v0.32
 * @throws {KubeConfigError} naming the file, the field and the next step
 */
export async function loadKubeConfig(options: LoadKubeConfigOptions = {}): Promise<LoadedKubeConfig> {
  if (options.path) return await fromFile(options.path, options);
  const env = options.env ?? Object.fromEntries(NAMES.map((name) => [name, Deno.env.get(name)]));
  const listed = (env.KUBECONFIG ?? "").split(":").filter((path) => path !== "");
  if (listed.length > 0) return await fromList(listed, options);
  if (env.KUBERNETES_SERVICE_HOST) {
    return await inCluster(env, options.serviceAccountDir ?? SERVICE_ACCOUNT_DIR);
  }
  if (env.HOME) {
    const path = `${env.HOME}/.kube/config`;
    if (await exists(path)) return await fromFile(path, options);
  }
  throw new KubeConfigError(
    "Cannot find a Kubernetes cluster: no kubeconfig is named, KUBECONFIG is not set, this is not a pod and ~/.kube/config " +
      "does not exist; name a kubeconfig in kubeAPIConfig.kubeConfig, or enable kubeAPIConfig.embedded",
  );
}

/** The first file of KUBECONFIG that exists. */
async function fromList(
  listed: readonly string[],
  options: ParseKubeConfigOptions,
): Promise<LoadedKubeConfig> {
  const present: string[] = [];
  for (const path of listed) if (await exists(path)) present.push(path);
  const [path = listed[0]!] = present;
  try {
    return await fromFile(path, options);
  } catch (cause) {
    if (!(cause instanceof KubeConfigError)) throw cause;
    const hint = present.length < 2
      ? "KUBECONFIG names it"
      : "of the files in KUBECONFIG the first is read; join them: kubectl config view --raw --flatten > FILE";
    throw new KubeConfigError(`${cause.message} (${hint})`, { cause: cause.cause });
  }
}

async function fromFile(path: string, options: ParseKubeConfigOptions): Promise<LoadedKubeConfig> {
  const text = await readBounded(path, `Cannot read kubeconfig ${path}`);
  // The YAML library takes megabytes that users of the client alone need not have.
  const { parseKubeConfig } = await import("./kubeconfig.ts");
  const choice: KubeConfigChoice = parseKubeConfig(text, path, options);
  const { cluster, user, namespace } = choice;
  const file = (field: string, named: string | undefined) =>
    named === undefined
      ? undefined
      : readBounded(named, `Cannot use kubeconfig ${path}: cannot read ${field} ${named}`);
  const { oidc } = user;
  const [ca, cert, key, issuerCa] = await Promise.all([
    cluster.caData ?? file(`${cluster.field}.certificate-authority`, cluster.caFile),
    user.certData ?? file(user.field, user.certFile),
    user.keyData ?? file(user.field.replace("client-certificate", "client-key"), user.keyFile),
    oidc?.ca ?? file(`${user.field}.config.idp-certificate-authority`, oidc?.caFile),
  ]);
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw new KubeConfigError(
      `Cannot use kubeconfig ${path}: ${cluster.field}.certificate-authority ${cluster.caFile} has no certificate in PEM`,
    );
  }
  const fault = cert === undefined || key === undefined ? undefined : await faultOfPair(cert, key);
  if (fault !== undefined) {
    const names = `client-certificate${user.certFile === undefined ? "-data" : ""} and client-key${
      user.keyFile === undefined ? "-data" : ""
    }`;
    throw new KubeConfigError(
      `Cannot use kubeconfig ${path}: ${
        user.field.replace(/\.client-certificate.*/, "")
      }, ${names}: ${fault}`,
    );
  }
  const files = [path, cluster.caFile, user.certFile, user.keyFile, user.tokenFile, oidc?.caFile];
  return {
    source: path,
    server: cluster.server,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    // As in client-go, a token file wins over a token.
    ...(user.tokenFile !== undefined
      ? { tokenFile: user.tokenFile }
      : user.token !== undefined && { token: user.token }),
    ...(user.username !== undefined && { username: user.username, password: user.password ?? "" }),
    ...(user.exec !== undefined && { exec: withClusterCa(user.exec, ca) }),
    ...(oidc !== undefined && { oidc: withCa(oidc, issuerCa) }),
    ...(user.impersonate !== undefined && { impersonate: user.impersonate }),
    ...(cluster.proxyUrl !== undefined && { proxyUrl: cluster.proxyUrl }),
    ...(namespace !== undefined && { namespace }),
    origin: {
      file: path,
      context: choice.context,
      server: `${cluster.field}.server`,
      ca: `${cluster.field}.certificate-authority${
        cluster.caFile === undefined || cluster.caData ? "-data" : ""
      }${ca === undefined ? ", which is missing," : ""}`,
      user: user.field,
      files: files.filter((name): name is string => name !== undefined),
    },
  };
}

/** A command that is told of the cluster is told its CA, wherever that is written. */
function withClusterCa(exec: ExecConfig, ca: string | undefined): ExecConfig {
  if (exec.cluster === undefined || ca === undefined) return exec;
  const data = new TextEncoder().encode(ca).toBase64();
  return { ...exec, cluster: { ...exec.cluster, "certificate-authority-data": data } };
}

function withCa(
  { caFile: _caFile, ...oidc }: NonNullable<KubeConfigUser["oidc"]>,
  ca: string | undefined,
): OidcConfig {
  return { ...oidc, ...(ca !== undefined && { ca }) };
}

async function inCluster(
  env: Readonly<Record<string, string | undefined>>,
  dir: string,
): Promise<LoadedKubeConfig> {
  const host = env.KUBERNETES_SERVICE_HOST!;
  const port = env.KUBERNETES_SERVICE_PORT || "443";
  const why = "Cannot use the pod's service account: cannot read";
  const tokenFile = `${dir}/token`;
  await readBounded(tokenFile, `${why} ${tokenFile}`);
  const ca = await readBounded(`${dir}/ca.crt`, `${why} ${dir}/ca.crt`);
  const namespaceFile = `${dir}/namespace`;
  const namespace = await exists(namespaceFile)
    ? (await readBounded(namespaceFile, `${why} ${namespaceFile}`)).trim()
    : "";
  return {
    source: "in-cluster",
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca,
    tokenFile,
    ...(namespace !== "" && { namespace }),
    origin: {
      file: "the pod's service account",
      server: "KUBERNETES_SERVICE_HOST",
      ca: `${dir}/ca.crt`,
      user: tokenFile,
      files: [tokenFile],
    },
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    // The file is there but cannot be looked at: reading it gives the message.
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory) {
      return true;
    }
    throw error;
  }
}

async function readBounded(path: string, why: string): Promise<string> {
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new KubeConfigError(`${why}: it is not a file; name the file itself`);
    if (size > FILE_LIMIT_BYTES) throw new KubeConfigError(`${why}: it is over ${FILE_LIMIT_BYTES} bytes`);
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof KubeConfigError) throw cause;
    const next = cause instanceof Deno.errors.NotFound
      ? "it does not exist; check the path"
      : cause instanceof Deno.errors.PermissionDenied
      ? "no permission; make it readable for this user"
      : "reading failed";
    throw new KubeConfigError(`${why}: ${next}`, { cause });
  }
}
