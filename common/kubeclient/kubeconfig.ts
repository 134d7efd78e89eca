import { LineCounter, parseDocument } from "yaml";
import type { KubeClientConfig } from "./connection.ts";
import { KubeConfigError } from "./kubeconfig_error.ts";

/** One cluster of a kubeconfig. Paths are absolute. */
export interface KubeConfigCluster {
  server: string;
  caData?: string;
  caFile?: string;
  proxyUrl?: string;
}

/** One user of a kubeconfig. Paths are absolute. */
export interface KubeConfigUser {
  certData?: string;
  certFile?: string;
  keyData?: string;
  keyFile?: string;
  token?: string;
  tokenFile?: string;
}

/** What the current context of a kubeconfig says, before files are read. */
export interface KubeConfigChoice {
  context: string;
  cluster: KubeConfigCluster;
  user: KubeConfigUser;
  /** The context's namespace. */
  namespace?: string;
}

interface Field {
  /** As shown to people: `clusters[0].cluster.server`. */
  path: string;
  value: unknown;
}

/**
 * Reads a kubeconfig and picks a context.
 * Upstream: k8s.io/client-go tools/clientcmd @ v0.32
 * @param file for messages, and what relative paths are relative to
 * @throws {KubeConfigError}
 */
export function parseKubeConfig(text: string, file: string, contextName?: string): KubeConfigChoice {
  const fail = (what: string): never => {
    throw new KubeConfigError(`Cannot use kubeconfig ${file}: ${what}`);
  };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    fail(`line ${line}, column ${col} is not YAML: ${broken.message}`);
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
    ? {}
    : readUser(entry(root, "users", "user", userName, fail), file, fail);
  const namespace = optionalText(member(context, "namespace"), fail);
  return { context: name!, cluster, user, ...(namespace !== undefined && { namespace }) };
}

type Fail = (what: string) => never;

function readCluster(at: Field, file: string, fail: Fail): KubeConfigCluster {
  const text = (name: string) => optionalText(member(at, name), fail);
  const server = text("server");
  if (server === undefined) fail(`${at.path}.server is missing; set it to https://HOST:PORT`);
  if (!/^https?:$/.test(URL.parse(server!)?.protocol ?? "")) {
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
  return defined({
    server: server!,
    caData: pem(member(at, "certificate-authority-data"), fail),
    caFile: absolute(text("certificate-authority"), file),
    proxyUrl: text("proxy-url"),
  });
}

function readUser(at: Field, file: string, fail: Fail): KubeConfigUser {
  const text = (name: string) => optionalText(member(at, name), fail);
  const instead =
    "create a service account and put its token there: kubectl create token ACCOUNT --duration 8760h";
  const exec = member(at, "exec").value;
  if (exec !== undefined && exec !== null) {
    const command = (exec as { command?: unknown }).command;
    fail(`${at.path}.exec (${String(command)}) is not supported, credential plugins are not run; ${instead}`);
  }
  for (const name of ["auth-provider", "username", "password", "as", "as-uid", "as-groups"]) {
    const { value } = member(at, name);
    if (value !== undefined && value !== null && value !== "") {
      fail(`${at.path}.${name} is not supported; ${instead}`);
    }
  }
  const user = defined({
    certData: pem(member(at, "client-certificate-data"), fail),
    certFile: absolute(text("client-certificate"), file),
    keyData: pem(member(at, "client-key-data"), fail),
    keyFile: absolute(text("client-key"), file),
    token: text("token"),
    tokenFile: absolute(text("tokenFile"), file),
  });
  const hasCert = (user.certData ?? user.certFile) !== undefined;
  const hasKey = (user.keyData ?? user.keyFile) !== undefined;
  if (hasCert !== hasKey) {
    const [given, missing] = hasCert
      ? ["client-certificate", "client-key"]
      : ["client-key", "client-certificate"];
    fail(`${at.path} has a ${given} but no ${missing}; give both, or neither and a token`);
  }
  return user;
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

function asRecord({ path, value }: Field, fail: Fail): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  return fail(`${path} is ${value === null || value === undefined ? "empty" : "not a map of fields"}`);
}

function member({ path, value }: Field, name: string): Field {
  return { path: `${path}.${name}`, value: (value as Record<string, unknown>)[name] };
}

function optionalText({ path, value }: Field, fail: Fail): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return typeof value === "string" ? value : fail(`${path} is not text; put it in quotes`);
}

function pem(at: Field, fail: Fail): string | undefined {
  const text = optionalText(at, fail);
  if (text === undefined) return undefined;
  let decoded: string;
  try {
    decoded = atob(text.replace(/\s/g, ""));
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    return fail(`${at.path} is not base64; encode the PEM file with: base64 -w0 FILE`);
  }
  if (!decoded.includes("-----BEGIN ")) {
    fail(`${at.path} is not base64 of PEM; encode the file with: base64 -w0 FILE`);
  }
  return decoded;
}

/** A path of a kubeconfig; a relative one is relative to the kubeconfig's own folder. */
function absolute(path: string | undefined, file: string): string | undefined {
  if (path === undefined || path.startsWith("/")) return path;
  const slash = file.lastIndexOf("/");
  return slash < 0 ? path : `${file.slice(0, slash + 1)}${path}`;
}

function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** The part of a client's configuration that a kubeconfig decides, once its files are read. */
export type KubeCredentials = Pick<
  KubeClientConfig,
  "server" | "ca" | "cert" | "key" | "token" | "tokenFile" | "proxyUrl"
>;
