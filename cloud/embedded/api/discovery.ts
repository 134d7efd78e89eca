import type { ResourceDefinition } from "../resources/definition.ts";
import type { ResourceTable } from "../resources/table.ts";

/** A resource as discovery tells of it. */
export interface ApiResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
  /** Of the kind, where it is not that of the resource. */
  group?: string;
  version?: string;
  verbs: readonly string[];
  shortNames?: readonly string[];
  categories?: readonly string[];
}

/** Resources that are asked and not stored. */
export const REVIEWS: ReadonlyArray<
  { group: string; version: string; resource: string; kind: string; namespaced?: true }
> = [
  {
    group: "authentication.k8s.io",
    version: "v1",
    resource: "selfsubjectreviews",
    kind: "SelfSubjectReview",
  },
  { group: "authentication.k8s.io", version: "v1", resource: "tokenreviews", kind: "TokenReview" },
  {
    group: "authorization.k8s.io",
    version: "v1",
    resource: "localsubjectaccessreviews",
    kind: "LocalSubjectAccessReview",
    namespaced: true,
  },
  {
    group: "authorization.k8s.io",
    version: "v1",
    resource: "selfsubjectaccessreviews",
    kind: "SelfSubjectAccessReview",
  },
  {
    group: "authorization.k8s.io",
    version: "v1",
    resource: "selfsubjectrulesreviews",
    kind: "SelfSubjectRulesReview",
  },
  {
    group: "authorization.k8s.io",
    version: "v1",
    resource: "subjectaccessreviews",
    kind: "SubjectAccessReview",
  },
];

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const TERMINATING_VERBS = ["delete", "deletecollection", "get", "list", "watch"];

function verbsOf({ custom, group, resource }: ResourceDefinition): readonly string[] {
  if (group === "" && resource === "namespaces") return VERBS.filter((verb) => verb !== "deletecollection");
  if (custom === undefined) return VERBS;
  return custom.terminating ? TERMINATING_VERBS : CUSTOM_VERBS;
}

function subresourcesOf(definition: ResourceDefinition): ApiResource[] {
  const { resource, kind, namespaced } = definition;
  const make = (name: string, verbs: string[], other: Partial<ApiResource> = {}): ApiResource => ({
    name: `${resource}/${name}`,
    singularName: "",
    namespaced,
    kind,
    ...other,
    verbs,
  });
  const found: ApiResource[] = [];
  if (definition.group === "" && resource === "pods") {
    found.push(
      make("binding", ["create"], { kind: "Binding" }),
      make("eviction", ["create"], { kind: "Eviction", group: "policy", version: "v1" }),
    );
  }
  if (definition.group === "" && resource === "namespaces") found.push(make("finalize", ["update"]));
  const verbs = ["get", "patch", "update"];
  const own: ApiResource[] = [];
  if (definition.scale !== undefined) {
    own.push(make("scale", verbs, { kind: "Scale", group: "autoscaling", version: "v1" }));
  }
  if (definition.status !== undefined) own.push(make("status", verbs));
  found.push(...(definition.custom === undefined ? own : own.reverse()));
  if (definition.group === "" && resource === "serviceaccounts") {
    found.push(
      make("token", ["create"], { kind: "TokenRequest", group: "authentication.k8s.io", version: "v1" }),
    );
  }
  return found;
}

interface GroupVersion {
  group: string;
  version: string;
  resources: ApiResource[];
}

/** What the API consists of, told in the two forms clients ask for. Upstream: k8s.io/api apidiscovery/v2, k8s.io/apimachinery meta/v1 */
export class Discovery {
  readonly #versions: GroupVersion[] = [];

  constructor(table: ResourceTable) {
    for (const definition of table.all()) {
      const { resource, singular, namespaced, kind, shortNames, categories } = definition;
      const item: ApiResource = {
        name: resource,
        singularName: singular,
        namespaced,
        kind,
        verbs: verbsOf(definition),
      };
      if (shortNames !== undefined) item.shortNames = shortNames;
      if (categories !== undefined) item.categories = categories;
      this.#version(definition.group, definition.version).resources.push(item, ...subresourcesOf(definition));
    }
    for (const { group, version, resource, kind, namespaced = false } of REVIEWS) {
      this.#version(group, version).resources.push({
        name: resource,
        singularName: kind.toLowerCase(),
        namespaced,
        kind,
        verbs: ["create"],
      });
    }
  }

  #version(group: string, version: string): GroupVersion {
    let found = this.#versions.find((v) => v.group === group && v.version === version);
    if (found === undefined) this.#versions.push(found = { group, version, resources: [] });
    return found;
  }

  /** Groups and versions that are served, the core group as "". */
  groupVersions(): ReadonlyArray<{ group: string; version: string }> {
    return this.#versions;
  }

  /** `/api`. @param serverAddress host and port that clients reach the server by */
  coreVersions(serverAddress: string): object {
    const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress }];
    return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
  }

  /** The paths of all that discovery tells of. */
  paths(): string[] {
    const versions = this.#versions.map(({ group, version }) =>
      group === "" ? `/api/${version}` : `/apis/${group}/${version}`
    );
    const groups = this.#groups().filter(({ group }) => group !== "").map(({ group }) => `/apis/${group}`);
    return ["/api", "/apis", ...groups, ...versions];
  }

  /** `/apis`. */
  groupList(): object {
    const groups = this.#groups().filter((v) => v.group !== "").map((v) => this.#groupOf(v));
    return { kind: "APIGroupList", apiVersion: "v1", groups };
  }

  /** `/apis/<group>`; undefined when there is none. */
  group(name: string): object | undefined {
    const found = this.#versions.find((v) => v.group === name && v.group !== "");
    return found === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...this.#groupOf(found) };
  }

  /** The versions of a group, the preferred one first. */
  #ofGroup(group: string): GroupVersion[] {
    return this.#versions.filter((v) => v.group === group).sort((a, b) =>
      compareVersions(a.version, b.version)
    );
  }

  #groupOf({ group }: GroupVersion): object {
    const versions = this.#ofGroup(group).map(({ version }) => ({
      groupVersion: `${group}/${version}`,
      version,
    }));
    return { name: group, versions, preferredVersion: versions[0] };
  }

  /** Each group once, in the order of their first resources. */
  #groups(): GroupVersion[] {
    const seen = new Set<string>();
    return this.#versions.filter(({ group }) => !seen.has(group) && seen.add(group));
  }

  /** `/api/v1` and `/apis/<group>/<version>`; undefined when there is none. */
  resourceList(group: string, version: string): object | undefined {
    const found = this.#versions.find((v) => v.group === group && v.version === version);
    if (found === undefined) return undefined;
    const groupVersion = group === "" ? version : `${group}/${version}`;
    return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: found.resources };
  }

  /** `/api` and `/apis` in one answer each. */
  aggregated(which: "core" | "groups", version: "v2" | "v2beta1"): object {
    const items = this.#groups().filter((v) => (v.group === "") === (which === "core")).map(({ group }) => ({
      metadata: group === "" ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
      versions: this.#ofGroup(group).map((v) => ({
        version: v.version,
        freshness: "Current",
        resources: aggregate(v),
      })),
    }));
    return {
      kind: "APIGroupDiscoveryList",
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items,
    };
  }
}

/**
 * Orders versions as clients prefer them: stable ones first, then beta, then alpha, the newest of each first, others last by name.
 * Upstream: k8s.io/apimachinery pkg/version/helpers.go (CompareKubeAwareVersionStrings) @ v1.33
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1;
    if (right !== undefined) return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  for (const [i, rank] of left.entries()) if (rank !== right[i]) return right[i]! - rank;
  return 0;
}

/** Stability, major and minor of a version, as numbers that are the greater the more it is preferred. */
function rankOf(version: string): number[] | undefined {
  const match = /^v([1-9]\d{0,8})(?:(alpha|beta)([1-9]\d{0,8})?)?$/.exec(version);
  if (match === null) return undefined;
  const stability = match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0;
  return [stability, Number(match[1]), Number(match[3] ?? 0)];
}

function aggregate({ group, version, resources }: GroupVersion): object[] {
  const kindOf = (r: ApiResource) => ({
    group: r.group ?? group,
    version: r.version ?? version,
    kind: r.kind,
  });
  return resources.filter(({ name }) => !name.includes("/")).map((r) => {
    const subresources = resources.filter(({ name }) => name.startsWith(`${r.name}/`)).map((s) => ({
      subresource: s.name.slice(r.name.length + 1),
      responseKind: kindOf(s),
      verbs: s.verbs,
    }));
    return {
      resource: r.name,
      responseKind: kindOf(r),
      scope: r.namespaced ? "Namespaced" : "Cluster",
      singularResource: r.singularName,
      verbs: r.verbs,
      ...(r.shortNames === undefined ? {} : { shortNames: r.shortNames }),
      ...(r.categories === undefined ? {} : { categories: r.categories }),
      ...(subresources.length === 0 ? {} : { subresources }),
    };
  });
}
