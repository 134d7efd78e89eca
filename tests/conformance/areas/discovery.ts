import assert from "node:assert/strict";
import type { Json } from "../api.ts";
import { area } from "../case.ts";
import { expectAnswer, expectPart, expectRefusal, PRESENT } from "../expect.ts";

const aggregated = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;

/** Verbs of what can be read and written. */
const ALL = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** What both control planes serve: group version, resource, kind, scope, short names, verbs. */
const SERVED: ReadonlyArray<
  readonly [string, string, string, boolean, readonly string[], readonly string[]]
> = [
  ["v1", "configmaps", "ConfigMap", true, ["cm"], ALL],
  ["v1", "endpoints", "Endpoints", true, ["ep"], ALL],
  ["v1", "events", "Event", true, ["ev"], ALL],
  ["v1", "namespaces", "Namespace", false, ["ns"], ALL.filter((verb) => verb !== "deletecollection")],
  ["v1", "namespaces/finalize", "Namespace", false, [], ["update"]],
  ["v1", "namespaces/status", "Namespace", false, [], ["get", "patch", "update"]],
  ["v1", "nodes", "Node", false, ["no"], ALL],
  ["v1", "nodes/status", "Node", false, [], ["get", "patch", "update"]],
  ["v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, ["pvc"], ALL],
  ["v1", "persistentvolumes", "PersistentVolume", false, ["pv"], ALL],
  ["v1", "pods", "Pod", true, ["po"], ALL],
  ["v1", "pods/binding", "Binding", true, [], ["create"]],
  ["v1", "pods/eviction", "Eviction", true, [], ["create"]],
  ["v1", "pods/status", "Pod", true, [], ["get", "patch", "update"]],
  ["v1", "secrets", "Secret", true, [], ALL],
  ["v1", "serviceaccounts", "ServiceAccount", true, ["sa"], ALL],
  ["v1", "serviceaccounts/token", "TokenRequest", true, [], ["create"]],
  ["v1", "services", "Service", true, ["svc"], ALL],
  ["apps/v1", "controllerrevisions", "ControllerRevision", true, [], ALL],
  ["apps/v1", "daemonsets", "DaemonSet", true, ["ds"], ALL],
  ["apps/v1", "deployments", "Deployment", true, ["deploy"], ALL],
  ["apps/v1", "deployments/scale", "Scale", true, [], ["get", "patch", "update"]],
  ["apps/v1", "deployments/status", "Deployment", true, [], ["get", "patch", "update"]],
  ["apps/v1", "replicasets", "ReplicaSet", true, ["rs"], ALL],
  ["apps/v1", "statefulsets", "StatefulSet", true, ["sts"], ALL],
  ["batch/v1", "jobs", "Job", true, [], ALL],
  ["batch/v1", "cronjobs", "CronJob", true, ["cj"], ALL],
  ["coordination.k8s.io/v1", "leases", "Lease", true, [], ALL],
  ["discovery.k8s.io/v1", "endpointslices", "EndpointSlice", true, [], ALL],
  ["events.k8s.io/v1", "events", "Event", true, ["ev"], ALL],
  ["authentication.k8s.io/v1", "tokenreviews", "TokenReview", false, [], ["create"]],
  ["authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", false, [], ["create"]],
  ["authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", false, [], ["create"]],
  ["authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false, [], ["create"]],
  ["authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false, [], ["create"]],
  ["authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true, [], ["create"]],
  ["rbac.authorization.k8s.io/v1", "roles", "Role", true, [], ALL],
  ["rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", true, [], ALL],
  ["rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", false, [], ALL],
  ["rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", false, [], ALL],
  [
    "apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    false,
    ["crd", "crds"],
    ALL,
  ],
];

const pathOf = (groupVersion: string) => groupVersion === "v1" ? "/api/v1" : `/apis/${groupVersion}`;

export const DISCOVERY = area("discovery", {
  "the versions of the core group": async (c) => {
    expectAnswer(await c.api.get("/api"), 200, {
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: /^127\.0\.0\.1:\d+$/ }],
    });
  },
  "the groups, and each on its own": async (c) => {
    const { groups } = expectAnswer(await c.api.get("/apis"), 200, {
      kind: "APIGroupList",
      apiVersion: "v1",
    });
    const names = groups.map((group: Json) => group.name);
    assert.equal(new Set(names).size, names.length);
    const served = new Set(SERVED.map(([groupVersion]) => groupVersion.split("/")[0]));
    for (const group of groups) {
      // The groups of custom resources come and go with other cases.
      if (!served.has(group.name)) continue;
      expectPart(group, {
        versions: (versions: Json[]) =>
          versions.every((v) => v.groupVersion === `${group.name}/${v.version}`) && versions.length > 0,
        preferredVersion: group.versions[0],
      });
      const { kind, apiVersion, ...own } = expectAnswer(await c.api.get(`/apis/${group.name}`), 200);
      assert.deepEqual([kind, apiVersion, own], ["APIGroup", "v1", group]);
    }
    for (const [groupVersion] of SERVED) {
      if (groupVersion !== "v1") assert.ok(names.includes(groupVersion.split("/")[0]), groupVersion);
    }
  },
  "the resources of a version": async (c) => {
    const lists = new Map<string, Json>();
    for (const [groupVersion, name, kind, namespaced, shortNames, verbs] of SERVED) {
      let list = lists.get(groupVersion);
      if (list === undefined) {
        list = expectAnswer(await c.api.get(pathOf(groupVersion)), 200, {
          kind: "APIResourceList",
          groupVersion,
        });
        lists.set(groupVersion, list);
      }
      const found = list.resources.find((resource: Json) => resource.name === name);
      assert.ok(found, `${groupVersion} ${name} is not served`);
      expectPart(found, { kind, namespaced }, name);
      assert.deepEqual(found.shortNames ?? [], shortNames, name);
      assert.deepEqual([...found.verbs].sort(), verbs, name);
      if (!name.includes("/")) assert.equal(found.singularName, kind.toLowerCase(), name);
    }
  },
  "categories, and the group of a foreign kind": async (c) => {
    const { resources } = expectAnswer(await c.api.get("/apis/apps/v1"), 200);
    const deployments = resources.find((resource: Json) => resource.name === "deployments");
    assert.deepEqual(deployments.categories, ["all"]);
    const scale = resources.find((resource: Json) => resource.name === "deployments/scale");
    assert.deepEqual([scale.group, scale.version, scale.kind], ["autoscaling", "v1", "Scale"]);
  },
  "all of it at once": async (c) => {
    for (const version of ["v2"]) {
      for (const path of ["/api", "/apis"]) {
        const answer = await c.api.get(path, {}, { accept: aggregated(version) });
        assert.equal(
          answer.headers.get("content-type"),
          `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
        );
        const { items } = expectAnswer(answer, 200, {
          kind: "APIGroupDiscoveryList",
          apiVersion: `apidiscovery.k8s.io/${version}`,
        });
        for (const [groupVersion, name, kind, namespaced, , verbs] of SERVED) {
          if ((groupVersion === "v1") !== (path === "/api")) continue;
          const [resource, subresource] = name.split("/");
          const group = groupVersion === "v1" ? undefined : groupVersion.split("/")[0];
          const found = items
            .find((item: Json) =>
              item.metadata?.name === group || (group === undefined && item.metadata?.name === undefined)
            )
            ?.versions.find((v: Json) => v.version === groupVersion.split("/").at(-1))
            ?.resources.find((r: Json) => r.resource === resource);
          assert.ok(found, `${groupVersion} ${name} in ${version}`);
          const part = subresource === undefined
            ? found
            : found.subresources.find((s: Json) => s.subresource === subresource);
          expectPart(part.responseKind, { kind }, name);
          assert.deepEqual([...part.verbs].sort(), verbs, name);
          if (subresource === undefined) {
            assert.equal(found.scope, namespaced ? "Namespaced" : "Cluster", name);
          }
        }
      }
    }
  },
  "plain lists go to those who prefer them": async (c) => {
    expectAnswer(await c.api.get("/apis", {}, { accept: "application/json" }), 200, { kind: "APIGroupList" });
    const odd = "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json";
    expectAnswer(await c.api.get("/apis", {}, { accept: odd }), 200, { kind: "APIGroupList" });
  },
  "the root names the paths": async (c) => {
    const { paths } = expectAnswer(await c.api.get("/"), 200);
    for (
      const path of [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/apps",
        "/apis/apps/v1",
        "/healthz",
        "/openapi/v2",
        "/version",
      ]
    ) {
      assert.ok(paths.includes(path), path);
    }
  },
  "a version that is not served is not found": async (c) => {
    const answer = await c.api.get("/apis/apps/v7");
    assert.equal(answer.status, 404);
    const kind = await c.api.get("/apis/apps/v1/namespaces/default/nosuch");
    expectRefusal(kind, 404, {
      reason: "NotFound",
      message: "the server could not find the requested resource",
    });
  },
});

export const OPENAPI = area("OpenAPI", {
  "version 3 names a document for every group version": async (c) => {
    const { paths } = expectAnswer(await c.api.get("/openapi/v3"), 200);
    for (const [groupVersion] of SERVED) {
      const key = pathOf(groupVersion).slice(1);
      expectPart(paths[key], { serverRelativeURL: new RegExp(`^/openapi/v3/${key}\\?hash=`) }, key);
    }
  },
  "version 3 describes every served resource": async (c) => {
    const { paths } = expectAnswer(await c.api.get("/openapi/v3"), 200);
    for (const groupVersion of new Set(SERVED.map(([v]) => v))) {
      const key = pathOf(groupVersion).slice(1);
      const document = expectAnswer(await c.api.get(paths[key].serverRelativeURL), 200, {
        openapi: /^3\.0/,
        info: { title: PRESENT, version: PRESENT },
      });
      for (const [v, name, kind, namespaced] of SERVED) {
        if (v !== groupVersion || name.includes("/")) continue;
        const path = `/${key}/${namespaced ? "namespaces/{namespace}/" : ""}${name}`;
        assert.ok(document.paths[path], `${path} is not described`);
        const gvks = Object.values<Json>(document.components.schemas).flatMap((schema) =>
          schema["x-kubernetes-group-version-kind"] ?? []
        );
        assert.ok(gvks.some((gvk: Json) => gvk.kind === kind), `${kind} has no schema`);
      }
      for (
        const reference of JSON.stringify(document).matchAll(/"\$ref":\s*"#\/components\/schemas\/([^"]+)"/g)
      ) {
        assert.ok(document.components.schemas[reference[1]!], `${reference[1]} leads nowhere`);
      }
    }
  },
  "version 3 is not sent again to those who have it": async (c) => {
    const first = await c.api.get("/openapi/v3/api/v1");
    const etag = first.headers.get("etag");
    assert.ok(etag);
    const again = await c.api.get("/openapi/v3/api/v1", {}, { "if-none-match": etag });
    assert.equal(again.status, 304);
  },
  "version 2 is one document that names every kind": async (c) => {
    const document = expectAnswer(await c.api.get("/openapi/v2"), 200, { swagger: "2.0" });
    const gvks = new Set(
      Object.values<Json>(document.definitions).flatMap((schema) =>
        (schema["x-kubernetes-group-version-kind"] ?? []).map(({ group, version, kind }: Json) =>
          `${group === "" ? "" : `${group}/`}${version} ${kind}`
        )
      ),
    );
    for (const [groupVersion, name, kind] of SERVED) {
      if (!name.includes("/")) assert.ok(gvks.has(`${groupVersion} ${kind}`), `${groupVersion} ${kind}`);
    }
    for (const [groupVersion, name, , namespaced] of SERVED) {
      if (name.includes("/")) continue;
      const path = `${pathOf(groupVersion)}/${namespaced ? "namespaces/{namespace}/" : ""}${name}`;
      assert.ok(document.paths[path], path);
    }
    for (const reference of JSON.stringify(document).matchAll(/"\$ref":\s*"#\/definitions\/([^"]+)"/g)) {
      assert.ok(document.definitions[reference[1]!], `${reference[1]} leads nowhere`);
    }
  },
  "fields have their types, and lists their keys": async (c) => {
    const { components: { schemas } } = expectAnswer(await c.api.get("/openapi/v3/apis/apps/v1"), 200);
    expectPart(schemas["io.k8s.api.apps.v1.Deployment"], {
      type: "object",
      properties: { spec: PRESENT, status: PRESENT, metadata: PRESENT },
      "x-kubernetes-group-version-kind": [{ group: "apps", version: "v1", kind: "Deployment" }],
    });
    expectPart(schemas["io.k8s.api.apps.v1.DeploymentSpec"].properties.replicas, {
      type: "integer",
      format: "int32",
    });
    expectPart(schemas["io.k8s.api.core.v1.Container"].properties.ports, {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
      "x-kubernetes-patch-merge-key": "containerPort",
      "x-kubernetes-patch-strategy": "merge",
    });
    assert.deepEqual(schemas["io.k8s.api.apps.v1.DeploymentSpec"].required, ["selector", "template"]);
  },
});
