import { errorText, findStatusError, StatusError } from "../../common/errors/mod.ts";
import type { Logger } from "../../common/module/mod.ts";
import { attributesOf } from "./api/access.ts";
import { Discovery, REVIEWS } from "./api/discovery.ts";
import { aggregatedDiscovery } from "./api/negotiate.ts";
import { OpenApi } from "./api/openapi.ts";
import { modernWatch, parseResourcePath, type ResourcePath } from "./api/request_info.ts";
import type { RequestMetrics } from "./api/request_metrics.ts";
import { handleResource, jsonResponse, type ResourceComponents } from "./api/resource_handler.ts";
import { answerReview } from "./api/reviews.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import { guardCreation } from "./auth/creation.ts";
import { guardEscalation } from "./auth/escalation.ts";
import { forbidden } from "./auth/forbidden.ts";
import { impersonated } from "./auth/impersonation.ts";
import type { Authorizer } from "./auth/rbac.ts";
import type { Attributes } from "./auth/rules.ts";
import { methodNotAllowed, noSuchPath } from "./resources/errors.ts";

/** What the API is served with. */
export interface ApiServerComponents extends ResourceComponents {
  authenticator: Authenticator;
  authorizer: Authorizer;
  log: Logger;
  metrics: RequestMetrics;
  /** Everything that is measured, in Prometheus' text. */
  printMetrics(): string;
  /** Whether requests can be answered now. */
  healthy(): boolean;
}

/** Version of the API. */
export const API_VERSION = { major: "1", minor: "32", gitVersion: "v1.32.4+kubeedge" } as const;

/** A request taken apart. */
interface AskedFor {
  /** Without a slash at its end. */
  path: string;
  asked: ResourcePath | undefined;
  attributes: Attributes;
  query: URLSearchParams;
}

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
    const { metrics, now } = this.#components;
    const url = URL.parse(request.url);
    if (url === null) {
      const status = new StatusError("BadRequest", "the Host header is not the name of a host");
      return jsonResponse(JSON.stringify(status.toStatus()), { status: status.code });
    }
    const path = modernWatch(url.pathname.replace(/\/+$/, "") || "/", url.searchParams);
    const asked = parseResourcePath(path);
    const attributes = attributesOf(request, path, asked, url.searchParams);
    const startedAt = now();
    const end = metrics.begin(attributes);
    let response: Response;
    try {
      response = await this.#answer(request, { path, asked, attributes, query: url.searchParams });
    } catch (error) {
      response = this.#refusal(error, request.method, path);
    } finally {
      end();
    }
    const { status } = response;
    metrics.count({
      attributes: this.#counted(attributes, asked, status),
      version: asked?.version ?? "",
      code: status,
      seconds: (now() - startedAt) / 1000,
    });
    return response;
  }

  /** What names nothing that is served is counted as one, so that nobody can make series at will. */
  #counted(attributes: Attributes, asked: ResourcePath | undefined, status: number): Attributes {
    const verb = knownVerb(attributes.verb);
    const served = status < 400;
    if (attributes.kind === "path") return { ...attributes, verb, path: served ? attributes.path : "" };
    const { table } = this.#components.registry;
    const known = asked !== undefined && table.find(asked.group, asked.version, asked.resource) !== undefined;
    if (!known) return { kind: "path", verb, path: "" };
    return { ...attributes, verb, ...(served ? {} : { subresource: undefined }) };
  }

  #refusal(error: unknown, method: string, path: string): Response {
    const known = findStatusError(error);
    if (known === undefined) this.#components.log.error("Cannot answer a request", error, { method, path });
    const status = known ??
      new StatusError("InternalError", `Internal error occurred: ${errorText(error)}`, { cause: error });
    const response = jsonResponse(JSON.stringify(status.toStatus()), { status: status.code });
    const retry = status.details?.retryAfterSeconds;
    if (retry !== undefined) response.headers.set("retry-after", String(retry));
    return response;
  }

  async #answer(request: Request, { path, asked, attributes, query }: AskedFor): Promise<Response> {
    const { authenticator, authorizer, registry } = this.#components;
    const sender = await authenticator.authenticate(request.headers);
    if (sender === undefined) throw new StatusError("Unauthorized", "Unauthorized");
    const user = impersonated(sender, request.headers, authorizer);
    if (!authorizer.authorize(user, attributes).allowed) throw forbidden(user, attributes);
    if (asked === undefined) {
      const general = this.#general(request, path);
      if (general === undefined) throw noSuchPath();
      if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed();
      return await general;
    }
    const review = REVIEWS.find((r) =>
      r.group === asked.group && r.version === asked.version && r.resource === asked.resource
    );
    if (review !== undefined) {
      if (request.method !== "POST" || asked.name !== undefined) throw methodNotAllowed();
      if ((asked.namespace !== undefined) !== (review.namespaced === true)) throw noSuchPath();
      const { group, kind } = review;
      const { namespace } = asked;
      const answer = await answerReview(this.#components, { request, query, user, group, kind, namespace });
      return jsonResponse(JSON.stringify(answer), { status: 201 });
    }
    const found = registry.table.find(asked.group, asked.version, asked.resource);
    if (found === undefined) throw noSuchPath();
    const definition = guardCreation(
      guardEscalation(found, user, authorizer),
      user,
      authorizer,
      attributes,
    );
    return await handleResource(this.#components, { request, definition, path: asked, query });
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
    if (path === "/metrics") {
      return new Response(this.#components.printMetrics(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    }
    if (path === "/") {
      return json({
        paths: [
          ...this.discovery.paths(),
          "/healthz",
          "/livez",
          "/metrics",
          "/openapi/v2",
          "/openapi/v3",
          "/readyz",
          "/version",
        ].sort(),
      });
    }
    if (path === "/api" || path === "/apis") {
      const version = aggregatedDiscovery(accept);
      if (version === undefined) {
        return json(
          path === "/api"
            ? this.discovery.coreVersions(new URL(request.url).host)
            : this.discovery.groupList(),
        );
      }
      const response = json(this.discovery.aggregated(path === "/api" ? "core" : "groups", version));
      response.headers.set(
        "content-type",
        `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      );
      return response;
    }
    if (path.startsWith("/openapi/")) return this.#openApi.answer(path, request.headers);
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

const VERBS = [
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
  "post",
  "put",
];

function knownVerb(verb: string): string {
  return VERBS.includes(verb) ? verb : "other";
}
