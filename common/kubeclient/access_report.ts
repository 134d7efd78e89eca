import { errorText, type StatusError } from "../errors/mod.ts";
import type { Clock, Logger } from "../module/mod.ts";
import type { KubeClientConfig } from "./connection.ts";
import type { Credential } from "./credentials.ts";

/** A request, as far as a right is about it. */
export interface RequestKind {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  path: string;
}

/** What a right is about. */
export interface Right {
  verb: string;
  apiGroup: string;
  /** With its subresource: `pods/status`. */
  resource: string;
  /** Empty for cluster-scoped resources, and for all namespaces. */
  namespace: string;
}

/** What a report uses. */
export interface AccessReportComponents {
  log: Logger;
  clock: Clock;
  /** What gives the rights, for messages. */
  rightsFrom?: string;
}

/** Rights that are remembered as missing; beyond that they are told again. */
const MAX_RIGHTS = 500;

/**
 * Says once what keeps a client from its API server, and once when that is over: the server cannot be reached, it does not take
 * the credential, a right is missing.
 */
export class AccessReport {
  readonly #config: KubeClientConfig;
  readonly #components: AccessReportComponents;
  #unreachableSince: number | undefined;
  #unreachableText = "";
  #isUnauthorized = false;
  #missing = new Set<string>();

  constructor(config: KubeClientConfig, components: AccessReportComponents) {
    this.#config = config;
    this.#components = components;
  }

  /** No connection came about. */
  unreachable(error: StatusError): void {
    const { log, clock } = this.#components;
    this.#unreachableSince ??= clock.now();
    // Another reason is news; the same one is not.
    const text = error.message;
    if (text === this.#unreachableText) return;
    this.#unreachableText = text;
    log.warning("Waiting for the Kubernetes API server", { err: errorText(error) });
  }

  /** The server answered, whatever it said. */
  reached(): void {
    if (this.#unreachableSince === undefined) return;
    const { log, clock } = this.#components;
    const seconds = Math.round((clock.now() - this.#unreachableSince) / 1000);
    this.#unreachableSince = undefined;
    this.#unreachableText = "";
    log.info("The Kubernetes API server answers again", { server: this.#config.server, seconds });
  }

  /** A request was answered with what it asked for. */
  allowed(kind: RequestKind): void {
    if (this.#isUnauthorized) {
      this.#isUnauthorized = false;
      this.#components.log.info("The Kubernetes API server takes the credentials now");
    }
    if (this.#missing.size === 0) return;
    const right = rightOf(kind);
    if (right !== undefined && this.#missing.delete(keyOfRight(right))) {
      this.#components.log.info("A right that was missing is there now", { ...right });
    }
  }

  /** A request was refused. */
  refused(kind: RequestKind, error: StatusError, credential: Credential): void {
    if (error.code === 401) this.#unauthorized(credential);
    if (error.code !== 403) return;
    const user = deniedUser(error.message);
    const right = rightOf(kind);
    if (user === undefined || right === undefined) return;
    const key = keyOfRight(right);
    if (this.#missing.has(key)) return;
    if (this.#missing.size >= MAX_RIGHTS) this.#missing.clear();
    this.#missing.add(key);
    const { log, rightsFrom = "ask the administrator of the cluster for it" } = this.#components;
    log.warning("A right is missing; what needs it is tried again, all else goes on", {
      verb: right.verb,
      resource: right.resource,
      apiGroup: right.apiGroup,
      namespace: right.namespace === "" ? undefined : right.namespace,
      user,
      fix: rightsFrom,
    });
  }

  #unauthorized({ cert, token, username }: Credential): void {
    if (this.#isUnauthorized) return;
    this.#isUnauthorized = true;
    const { log, clock } = this.#components;
    const { origin, server } = this.#config;
    const where = origin === undefined ? undefined : `${origin.user} of ${origin.file}`;
    const tell = (why: string, fix: string) =>
      log.warning("The Kubernetes API server does not take the credentials, trying again", {
        server,
        where,
        why,
        fix,
      });
    const fix = "write one that this cluster takes there; the file is read again when it changes";
    if (cert === undefined) {
      if (token !== undefined) return tell("it is not, or no longer, one of this cluster's", fix);
      const why = username === undefined
        ? "no credential is given"
        : "API servers know no users with passwords";
      return tell(why, "write a token or a client certificate there; the file is read again when it changes");
    }
    // Only here is a certificate looked into, so the code for that is loaded only now.
    import("./certificate_times.ts").then(({ certificateTimes }) => {
      const times = certificateTimes(cert);
      if (times === undefined) return tell("the client certificate cannot be read", fix);
      const { notBefore, notAfter } = times;
      if (notAfter.getTime() < clock.now()) {
        tell(`the client certificate ended on ${notAfter.toISOString()}`, `renew it: ${fix}`);
      } else if (notBefore.getTime() > clock.now()) {
        tell(
          `the client certificate is valid from ${notBefore.toISOString()}`,
          "set the clocks of this machine and of the API server right, or write another certificate there",
        );
      } else tell("the client certificate is from a CA that this cluster does not trust", fix);
    });
  }
}

/** The user that RBAC, or another authorizer, named; undefined when the request was refused for another reason. */
function deniedUser(message: string): string | undefined {
  return /\bUser "([^"]{1,300})" cannot \S+ resource /.exec(message)?.[1];
}

/** The right that a request needs; undefined when it is about no resource. */
export function rightOf({ method, path }: RequestKind): Right | undefined {
  const url = URL.parse(path, "http://server");
  if (url === null) return undefined;
  const root =
    /^(?:\/.*)?\/(?:api\/[^/]+|apis\/([^/]+)\/[^/]+)\/(?:namespaces\/([^/]+)\/(?=[^/]))?([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/
      .exec(url.pathname);
  if (root === null) return undefined;
  const [, apiGroup = "", namespace = "", resource = "", name, subresource] = root.map((part) =>
    part === undefined ? undefined : decodeURIComponent(part)
  );
  const watches = url.searchParams.get("watch") === "true";
  const verb = method === "GET"
    ? watches ? "watch" : name === undefined ? "list" : "get"
    : ({ POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" } as const)[method];
  return {
    verb,
    apiGroup,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace,
  };
}

function keyOfRight({ verb, apiGroup, resource, namespace }: Right): string {
  return `${verb} ${apiGroup} ${resource} ${namespace}`;
}
