/** The parts of a kubeconfig's user that are more than one value. */
import type { Impersonation } from "./connection.ts";
import type { ExecConfig } from "./exec_credentials.ts";
import type { KubeConfigUser, UserContext } from "./kubeconfig.ts";
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

const EXEC_VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] as const;
const MAX_ITEMS = 1000;

/** @see https://kubernetes.io/docs/reference/config-api/client-authentication.v1/ for the protocol */
export function readExec(at: Field, { file, cluster, terminal, fail }: UserContext): ExecConfig | undefined {
  if (at.value === undefined || at.value === null) return undefined;
  asRecord(at, fail);
  const text = (name: string) => optionalText(member(at, name), fail);
  const version = text("apiVersion");
  const apiVersion = EXEC_VERSIONS.find((known) => known === version);
  if (apiVersion === undefined) {
    return fail(
      `${at.path}.apiVersion is ${JSON.stringify(version)}, expected ${EXEC_VERSIONS[0]}; update the command`,
    );
  }
  const command = text("command");
  if (command === undefined) {
    return fail(`${at.path}.command is missing; name the program that gives credentials`);
  }
  const mode = text("interactiveMode") ?? (apiVersion === EXEC_VERSIONS[1] ? "IfAvailable" : undefined);
  if (mode === "Always" && !terminal) {
    return fail(
      `${at.path}.interactiveMode is Always and there is no terminal here; use a command that needs none, or a token`,
    );
  }
  if (mode !== "Never" && mode !== "IfAvailable" && mode !== "Always") {
    return fail(
      `${at.path}.interactiveMode is ${JSON.stringify(mode)}, expected Never, IfAvailable or Always`,
    );
  }
  const env: Record<string, string> = {};
  for (const item of list(member(at, "env"), fail)) {
    asRecord(item, fail);
    const name = optionalText(member(item, "name"), fail);
    if (name === undefined || /[=\0]/.test(name)) {
      return fail(`${item.path}.name is not the name of a variable`);
    }
    env[name] = optionalText(member(item, "value"), fail) ?? "";
  }
  return defined({
    field: `${at.path} of ${file}`,
    apiVersion,
    command: command.includes("/") ? absolute(command, file)! : command,
    args: list(member(at, "args"), fail).map((item) => optionalText(item, fail) ?? ""),
    env,
    interactive: terminal && mode !== "Never",
    installHint: text("installHint"),
    cluster: member(at, "provideClusterInfo").value === true
      ? defined({
        server: cluster.server,
        "proxy-url": cluster.proxyUrl,
        config: cluster.execConfig,
      })
      : undefined,
  });
}

/** The only provider that Kubernetes still has is oidc. */
export function readAuthProvider(at: Field, { file, fail }: UserContext): KubeConfigUser["oidc"] {
  if (at.value === undefined || at.value === null) return undefined;
  asRecord(at, fail);
  const name = optionalText(member(at, "name"), fail);
  if (name !== "oidc") {
    return fail(
      `${at.path}.name is ${JSON.stringify(name)}, expected oidc; use an exec command for other providers`,
    );
  }
  const config = member(at, "config");
  asRecord(config, fail);
  const text = (key: string) => optionalText(member(config, key), fail);
  const issuer = text("idp-issuer-url");
  if (issuer === undefined || URL.parse(issuer)?.protocol !== "https:") {
    return fail(`${config.path}.idp-issuer-url is ${JSON.stringify(issuer)}, expected https://ISSUER`);
  }
  const clientId = text("client-id");
  if (clientId === undefined) return fail(`${config.path}.client-id is missing`);
  const [idToken, refreshToken] = [text("id-token"), text("refresh-token")];
  if (idToken === undefined && refreshToken === undefined) {
    return fail(`${config.path} has neither an id-token nor a refresh-token; log in first`);
  }
  return defined({
    field: `${config.path} of ${file}`,
    issuer,
    clientId,
    clientSecret: text("client-secret"),
    idToken,
    refreshToken,
    ca: pem(member(config, "idp-certificate-authority-data"), fail),
    caFile: absolute(text("idp-certificate-authority"), file),
  });
}

/** Whom to act for. */
export function readImpersonation(at: Field, fail: Fail): Impersonation | undefined {
  const text = (name: string) => optionalText(member(at, name), fail);
  const user = text("as");
  const uid = text("as-uid");
  const groups = list(member(at, "as-groups"), fail).map((item) => optionalText(item, fail) ?? "");
  const extra: Record<string, string[]> = {};
  const given = member(at, "as-user-extra");
  if (given.value !== undefined && given.value !== null) {
    for (const key of Object.keys(asRecord(given, fail))) {
      extra[key] = list(member(given, key), fail).map((item) => optionalText(item, fail) ?? "");
    }
  }
  if (user === undefined) {
    if (uid !== undefined || groups.length > 0 || Object.keys(extra).length > 0) {
      fail(
        `${at.path}.as is missing, and as-uid, as-groups or as-user-extra are set; name the user to act for`,
      );
    }
    return undefined;
  }
  return defined({
    user,
    uid,
    groups: groups.length > 0 ? groups : undefined,
    extra: Object.keys(extra).length > 0 ? extra : undefined,
  });
}

function list({ path, value }: Field, fail: Fail): Field[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return fail(`${path} is not a list`);
  if (value.length > MAX_ITEMS) return fail(`${path} has over ${MAX_ITEMS} items`);
  return value.map((item, i) => ({ path: `${path}[${i}]`, value: item }));
}
