import { errorText, findStatusError, StatusError } from "../../common/errors/mod.ts";
import type { Counter } from "../../common/metrics/mod.ts";
import type { Logger } from "../../common/module/mod.ts";
import { Discovery, REVIEWS } from "./api/discovery.ts";
import { aggregatedDiscovery } from "./api/negotiate.ts";
import { OpenApi } from "./api/openapi.ts";
import { parseResourcePath } from "./api/request_info.ts";
import { handleResource, jsonResponse, type ResourceComponents } from "./api/resource_handler.ts";
import { answerReview, authorize } from "./api/reviews.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import { ANONYMOUS, type User } from "./auth/user.ts";
import { methodNotAllowed, noSuchPath, qualifiedResource } from "./resources/errors.ts";

/** What the API is served with. */
export interface ApiServerComponents extends ResourceComponents {
  authenticator: Authenticator;
  log: Logger;
  requests: Counter;
  /** Whether requests can be answered now. */
  healthy(): boolean;
}

/** Version of the API. */
export const API_VERSION = { major: "1", minor: "32", gitVersion: "v1.32.4+kubeedge" } as const;

const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/livez", "/readyz", "/version"]);

/** The Kubernetes API as a function from requests to responses. */
export class ApiServer {
  readonly #components: ApiServerComponents;
  readonly #openApi: OpenApi;
  #discovery: { of: Discovery; changes: number } | undefined;

  constructor(components: ApiServerComponents) {
    this.#components = components;
    this.#openApi = new OpenApi(components.registry.table);
  }

  /** What the API consists of now. */
  get discovery(): Discovery {
    const { table } = this.#components.registry;
    if (this.#discovery?.changes !== table.changes) {
      this.#discovery = { of: new Discovery(table), changes: table.changes };
    }
    return this.#discovery.of;
  }

  /** Answers a request; never rejects. */
  async handle(request: Request): Promise<Response> {
    const { log, requests } = this.#components;
    let response: Response;
    try {
      response = await this.#answer(request);
    } catch (error) {
      const known = findStatusError(error);
      if (known === undefined) {
        log.error("Cannot answer a request", error, {
          method: request.method,
          path: new URL(request.url).pathname,
        });
      }
      const status = known ??
        new StatusError("InternalError", `Internal error occurred: ${errorText(error)}`, { cause: error });
      response = jsonResponse(JSON.stringify(status.toStatus()), { status: status.code });
      const retry = status.details?.retryAfterSeconds;
      if (retry !== undefined) response.headers.set("retry-after", String(retry));
    }
    requests.inc(1, { verb: request.method, code: String(response.status) });
    return response;
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname.replace(/\/+$/, "") || "/";
    const open = OPEN_PATHS.has(path) || /^\/(livez|readyz)\//.test(path);
    const user = await this.#components.authenticator.authenticate(request.headers);
    if (!open && (user === undefined || user === ANONYMOUS)) {
      throw new StatusError("Unauthorized", "Unauthorized");
    }
    const general = this.#general(request, path);
    if (general !== undefined) {
      if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed();
      return await general;
    }
    const asked = parseResourcePath(path);
    if (asked === undefined || user === undefined) throw noSuchPath();
    const query = url.searchParams;
    const review = REVIEWS.find((r) =>
      r.group === asked.group && r.version === asked.version && r.resource === asked.resource
    );
    if (review !== undefined) {
      if (request.method !== "POST" || asked.name !== undefined) throw methodNotAllowed();
      if (!review.kind.startsWith("SelfSubject")) {
        this.#authorize(user, request, review.group, review.resource);
      }
      const { group, kind } = review;
      const answer = await answerReview(this.#components, { request, query, user, group, kind });
      return jsonResponse(JSON.stringify(answer), { status: 201 });
    }
    const definition = this.#components.registry.table.find(asked.group, asked.version, asked.resource);
    if (definition === undefined) throw noSuchPath();
    this.#authorize(user, request, asked.group, asked.resource, asked.namespace, asked.name);
    return await handleResource(this.#components, { request, definition, path: asked, query });
  }

  #authorize(
    user: User,
    request: Request,
    group: string,
    resource: string,
    namespace?: string,
    name?: string,
  ): void {
    if (authorize(user).allowed) return;
    const qualified = qualifiedResource({ group, resource });
    const verb = verbOf(request.method, name);
    const where = namespace === undefined
      ? "at the cluster scope"
      : `in the namespace ${JSON.stringify(namespace)}`;
    throw new StatusError(
      "Forbidden",
      `${qualified}${name === undefined ? "" : ` ${JSON.stringify(name)}`} is forbidden: User ${
        JSON.stringify(user.username)
      } cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${where}`,
      {
        details: {
          ...(name === undefined ? {} : { name }),
          ...(group === "" ? {} : { group }),
          kind: resource,
        },
      },
    );
  }

  #general(request: Request, path: string): Response | Promise<Response> | undefined {
    const accept = request.headers.get("accept");
    const json = (value: object | undefined) => {
      if (value === undefined) throw noSuchPath();
      return jsonResponse(JSON.stringify(value));
    };
    if (/^\/(healthz|livez|readyz)(\/.*)?$/.test(path)) {
      const ok = this.#components.healthy();
      return new Response(ok ? "ok" : "the control plane is ending", { status: ok ? 200 : 500 });
    }
    if (path === "/version") return json(versionInfo());
    if (path === "/") {
      return json({
        paths: ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"],
      });
    }
    if (path === "/api" || path === "/apis") {
      const version = aggregatedDiscovery(accept);
      if (version === undefined) {
        return json(path === "/api" ? this.discovery.coreVersions() : this.discovery.groupList());
      }
      const response = json(this.discovery.aggregated(path === "/api" ? "core" : "groups", version));
      response.headers.set(
        "content-type",
        `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      );
      return response;
    }
    if (path.startsWith("/openapi/")) return this.#openApi.answer(path, request.headers.get("accept"));
    const parts = path.slice(1).split("/");
    if (parts[0] === "api" && parts.length === 2) return json(this.discovery.resourceList("", parts[1]!));
    if (parts[0] === "apis" && parts.length === 2) return json(this.discovery.group(parts[1]!));
    if (parts[0] === "apis" && parts.length === 3) {
      return json(this.discovery.resourceList(parts[1]!, parts[2]!));
    }
    return undefined;
  }
}

function versionInfo(): object {
  const { os, arch } = Deno.build;
  return {
    ...API_VERSION,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "deno",
    platform: `${os}/${arch === "x86_64" ? "amd64" : "arm64"}`,
  };
}

function verbOf(method: string, name: string | undefined): string {
  switch (method) {
    case "GET":
      return name === undefined ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    default:
      return name === undefined ? "deletecollection" : "delete";
  }
}
