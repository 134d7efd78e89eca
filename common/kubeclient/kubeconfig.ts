import { LineCounter, parseDocument } from "yaml";
import type { Impersonation, KubeClientConfig } from "./connection.ts";
import type { ExecConfig } from "./exec_credentials.ts";
import { KubeConfigError } from "./kubeconfig_error.ts";
import {
  absolute,
  asRecord,
  defined,
  type Fail,
  type Field,
  member,
  optionalText,
  pem,
} from "./kubeconfig_fields.ts";
import { readAuthProvider, readExec, readImpersonation } from "./kubeconfig_users.ts";
import type { OidcConfig } from "./oidc_credentials.ts";

/** One cluster of a kubeconfig. Paths are absolute. */
export interface KubeConfigCluster {
  server: string;
  caData?: string;
  caFile?: string;
  proxyUrl?: string;
  /** What exec commands that ask for it are told of the cluster. */
  execConfig?: unknown;
  /** Where it is: `clusters[0].cluster`. */
  field: string;
}

/** One user of a kubeconfig. Paths are absolute. */
export interface KubeConfigUser {
  certData?: string;
  certFile?: string;
  keyData?: string;
  keyFile?: string;
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  exec?: ExecConfig;
  oidc?: OidcConfig & { caFile?: string };
  impersonate?: Impersonation;
  /** Where its credential is: `users[0].user.token`. */
  field: string;
}

/** What the current context of a kubeconfig says, before files are read. */
export interface KubeConfigChoice {
  context: string;
  cluster: KubeConfigCluster;
  user: KubeConfigUser;
  /** The context's namespace. */
  namespace?: string;
}

/** How {@linkcode parseKubeConfig} chooses. */
export interface ParseKubeConfigOptions {
  /** @default the file's current-context */
  context?: string;
  /** Whether somebody at a terminal can answer a command that asks. @default false */
  terminal?: boolean;
}

/**
 * Reads a kubeconfig and picks a context.
 * Upstream: k8s.io/client-go tools/clientcmd @ v0.32
 * @param file for messages, and what relative paths are relative to
 * @throws {KubeConfigError}
 */
export function parseKubeConfig(
  text: string,
  file: string,
  { context: contextName, terminal = false }: ParseKubeConfigOptions = {},
): KubeConfigChoice {
  const fail = (what: string): never => {
    throw new KubeConfigError(`Cannot use kubeconfig ${file}: ${what}`);
  };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    fail(
      broken.code === "MULTIPLE_DOCS"
        ? `line ${line} begins a second document; leave only one in it`
        : `line ${line}, column ${col} is not YAML: ${broken.message}`,
    );
  }
  let root: Record<string, unknown> = {};
  try {
    root = asRecord({ path: "the file", value: document.toJS({ maxAliasCount: 100 }) }, fail);
  } catch (cause) {
    if (cause instanceof KubeConfigError) throw cause;
    throw new KubeConfigError(`Cannot use kubeconfig ${file}: its YAML aliases are nested too deeply`, {
      cause,
    });
  }
  if (root.kind !== undefined && root.kind !== "Config") {
    fail(`kind is ${JSON.stringify(root.kind)}, expected Config; is this another kind of file?`);
  }
  const name = contextName ?? optionalText({ path: "current-context", value: root["current-context"] }, fail);
  if (name === undefined) fail("current-context is missing; set it with: kubectl config use-context NAME");
  const context = entry(root, "contexts", "context", name!, fail);
  const clusterName = optionalText(member(context, "cluster"), fail);
  if (clusterName === undefined) fail(`${context.path}.cluster is missing; name one of the clusters there`);
  const cluster = readCluster(entry(root, "clusters", "cluster", clusterName!, fail), file, fail);
  const userName = optionalText(member(context, "user"), fail);
  const user = userName === undefined
    ? { field: `${context.path}.user` }
    : readUser(entry(root, "users", "user", userName, fail), { file, cluster, terminal, fail });
  const namespace = optionalText(member(context, "namespace"), fail);
  return { context: name!, cluster, user, ...(namespace !== undefined && { namespace }) };
}

function readCluster(at: Field, file: string, fail: Fail): KubeConfigCluster {
  const text = (name: string) => optionalText(member(at, name), fail);
  const server = text("server");
  if (server === undefined) fail(`${at.path}.server is missing; set it to https://HOST:PORT`);
  const url = URL.parse(server!);
  // What might be a password is not repeated.
  if (url !== null && url.username + url.password !== "") {
    fail(
      `${at.path}.server has a user or a password in it; write https://HOST:PORT, and the credential under users`,
    );
  }
  if (url === null || !/^https?:$/.test(url.protocol) || url.search + url.hash !== "") {
    fail(`${at.path}.server is ${JSON.stringify(server)}, expected https://HOST:PORT`);
  }
  if (member(at, "insecure-skip-tls-verify").value === true) {
    fail(
      `${at.path}.insecure-skip-tls-verify is not supported, certificates are always checked; ` +
        "remove it and give certificate-authority-data",
    );
  }
  if (text("tls-server-name") !== undefined) {
    fail(`${at.path}.tls-server-name is not supported; use an address that the server's certificate names`);
  }
  const proxyUrl = text("proxy-url");
  if (proxyUrl !== undefined && !/^(https?|socks5h?):$/.test(URL.parse(proxyUrl)?.protocol ?? "")) {
    fail(
      `${at.path}.proxy-url is ${JSON.stringify(proxyUrl)}, expected http://, https:// or socks5://HOST:PORT`,
    );
  }
  return defined({
    field: at.path,
    execConfig: execExtension(member(at, "extensions").value),
    server: server!,
    caData: pem(member(at, "certificate-authority-data"), fail),
    caFile: absolute(text("certificate-authority"), file),
    proxyUrl,
  });
}

/** The extension whose name upstream keeps for exec commands. */
function execExtension(extensions: unknown): unknown {
  if (!Array.isArray(extensions)) return undefined;
  return extensions.find((each) => each?.name === "client.authentication.k8s.io/exec")?.extension;
}

/** Where a user is read, and for which cluster. */
export interface UserContext {
  file: string;
  cluster: KubeConfigCluster;
  terminal: boolean;
  fail: Fail;
}

function readUser(at: Field, context: UserContext): KubeConfigUser {
  const { file, fail } = context;
  const text = (name: string) => optionalText(member(at, name), fail);
  const exec = readExec(member(at, "exec"), context);
  const oidc = readAuthProvider(member(at, "auth-provider"), context);
  const impersonate = readImpersonation(at, fail);
  const user = defined({
    certData: pem(member(at, "client-certificate-data"), fail),
    certFile: absolute(text("client-certificate"), file),
    keyData: pem(member(at, "client-key-data"), fail),
    keyFile: absolute(text("client-key"), file),
    token: text("token"),
    tokenFile: absolute(text("tokenFile"), file),
    username: text("username"),
    password: text("password"),
    exec,
    oidc,
    impersonate,
    field: at.path,
  });
  if (user.token !== undefined && /[^\x21-\x7e]/.test(user.token)) {
    fail(`${at.path}.token has characters that no token has; copy it again, without spaces and line ends`);
  }
  const hasCert = (user.certData ?? user.certFile) !== undefined;
  const hasKey = (user.keyData ?? user.keyFile) !== undefined;
  if (hasCert !== hasKey) {
    const [given, missing] = hasCert
      ? ["client-certificate", "client-key"]
      : ["client-key", "client-certificate"];
    fail(`${at.path} has a ${given} but no ${missing}; give both, or neither and a token`);
  }
  // The order in which they are used, as in client-go.
  const used = [
    ["client-certificate-data", user.certData],
    ["client-certificate", user.certFile],
    ["tokenFile", user.tokenFile],
    ["token", user.token],
    ["username", user.username],
    ["auth-provider", user.oidc],
    ["exec", user.exec],
  ].find(([, value]) => value !== undefined);
  return used === undefined ? user : { ...user, field: `${at.path}.${String(used[0])}` };
}

/** The named entry of one of the three lists. */
function entry(root: Record<string, unknown>, list: string, kind: string, name: string, fail: Fail): Field {
  const entries = root[list] ?? [];
  if (!Array.isArray(entries)) return fail(`${list} is not a list`);
  const names: string[] = [];
  for (const [i, value] of entries.entries()) {
    const at = { path: `${list}[${i}]`, value };
    const record = asRecord(at, fail);
    if (record.name === name) {
      const inner = { path: `${at.path}.${kind}`, value: record[kind] };
      asRecord(inner, fail);
      return inner;
    }
    names.push(String(record.name));
  }
  const known = names.length === 0 ? "there is none" : `there is ${names.slice(0, 20).join(", ")}`;
  return fail(`${list} has no ${kind} named ${JSON.stringify(name)}; ${known}`);
}

/** The part of a client's configuration that a kubeconfig decides, once its files are read. */
export type KubeCredentials = Pick<
  KubeClientConfig,
  | "server"
  | "ca"
  | "cert"
  | "key"
  | "token"
  | "tokenFile"
  | "username"
  | "password"
  | "proxyUrl"
  | "exec"
  | "oidc"
  | "impersonate"
  | "origin"
>;
