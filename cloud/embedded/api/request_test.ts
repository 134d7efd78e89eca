import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../../common/errors/mod.ts";
import { ResourceTable } from "../resources/table.ts";
import { Discovery } from "./discovery.ts";
import { aggregatedDiscovery, outputForm } from "./negotiate.ts";
import { OpenApi } from "./openapi.ts";
import { modernWatch, parseResourcePath } from "./request_info.ts";

Deno.test("parseResourcePath() takes the paths of the API apart", () => {
  const rows: Array<[string, Array<string | undefined> | undefined]> = [
    ["/api/v1/pods", ["", "v1", undefined, "pods", undefined, undefined]],
    ["/api/v1/namespaces/a/pods/p/status", ["", "v1", "a", "pods", "p", "status"]],
    ["/api/v1/namespaces/a", ["", "v1", undefined, "namespaces", "a", undefined]],
    ["/api/v1/namespaces/a/finalize", ["", "v1", undefined, "namespaces", "a", "finalize"]],
    ["/api/v1/namespaces/a/pods", ["", "v1", "a", "pods", undefined, undefined]],
    ["/apis/apps/v1/namespaces/a/deployments/d/scale", ["apps", "v1", "a", "deployments", "d", "scale"]],
    ["/apis/apps/v1/deployments", ["apps", "v1", undefined, "deployments", undefined, undefined]],
    ["/api/v1/nodes/a%2Fb", ["", "v1", undefined, "nodes", "a/b", undefined]],
    ["/api/v1", undefined],
    ["/apis/apps/v1", undefined],
    ["/api/v1/pods/%zz", undefined],
    ["/api/v1//pods", undefined],
    ["/api/v1/a/b/c/d/e", undefined],
    ["/other/v1/pods", undefined],
  ];
  for (const [path, expected] of rows) {
    const found = parseResourcePath(path);
    const parts = found &&
      [found.group, found.version, found.namespace, found.resource, found.name, found.subresource];
    assert.deepEqual(parts, expected, path);
  }
  fc.assert(fc.property(fc.webPath(), (path) => void parseResourcePath(path)));
});

Deno.test("modernWatch() reads the old paths of watches", () => {
  const rows: Array<[string, string, string]> = [
    ["/api/v1/watch/pods", "/api/v1/pods", "watch=true"],
    ["/api/v1/watch/namespaces/a/pods", "/api/v1/namespaces/a/pods", "watch=true"],
    [
      "/api/v1/watch/namespaces/a/pods/p",
      "/api/v1/namespaces/a/pods",
      "watch=true&fieldSelector=metadata.name%3Dp",
    ],
    ["/apis/apps/v1/watch/deployments", "/apis/apps/v1/deployments", "watch=true"],
    ["/api/v1/namespaces/a/pods/watch", "/api/v1/namespaces/a/pods/watch", ""],
    ["/api/v1/watch", "/api/v1/watch", ""],
  ];
  for (const [path, modern, search] of rows) {
    const query = new URLSearchParams();
    assert.deepEqual([modernWatch(path, query), query.toString()], [modern, search]);
  }
});

Deno.test("outputForm() takes the first form that it can print", () => {
  const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
  assert.equal(outputForm(null), "object");
  assert.equal(outputForm("*/*"), "object");
  assert.equal(outputForm(`${table},application/json`), "table");
  assert.equal(outputForm("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"), "object");
  assert.equal(outputForm("application/vnd.kubernetes.protobuf, application/json"), "object");
  assert.throws(
    () => outputForm("application/vnd.kubernetes.protobuf"),
    (e) => e instanceof StatusError && e.code === 406,
  );
});

Deno.test("discovery tells the same in both of its forms", () => {
  const discovery = new Discovery(new ResourceTable());
  const plain = new Set<string>();
  for (const { group, version } of discovery.groupVersions()) {
    const { resources } = discovery.resourceList(group, version) as { resources: Array<{ name: string }> };
    for (const { name } of resources) plain.add(`${group}/${name}`);
  }
  const aggregated = new Set<string>();
  for (const which of ["core", "groups"] as const) {
    const { items } = discovery.aggregated(which, "v2") as {
      items: Array<{
        metadata: { name?: string };
        versions: Array<
          { resources: Array<{ resource: string; subresources?: Array<{ subresource: string }> }> }
        >;
      }>;
    };
    for (const { metadata: { name = "" }, versions } of items) {
      for (const { resource, subresources = [] } of versions.flatMap((v) => v.resources)) {
        aggregated.add(`${name}/${resource}`);
        for (const { subresource } of subresources) aggregated.add(`${name}/${resource}/${subresource}`);
      }
    }
  }
  assert.deepEqual([...aggregated].sort(), [...plain].sort());
  assert.ok(plain.has("/pods/binding") && plain.has("apps/deployments/scale"));
  assert.equal(
    aggregatedDiscovery(
      "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
    ),
    "v2",
  );
  assert.equal(aggregatedDiscovery("application/json"), undefined);
});

Deno.test("OpenApi documents refer to nothing that they do not have", async () => {
  const api = new OpenApi(new ResourceTable());
  const { paths } = await api.answer("/openapi/v3", new Headers()).json() as {
    paths: Record<string, unknown>;
  };
  assert.ok(Object.keys(paths).includes("apis/apps/v1"));
  for (const path of Object.keys(paths)) {
    const text = await api.answer(`/openapi/v3/${path}`, new Headers()).text();
    const { components } = JSON.parse(text) as { components: { schemas: Record<string, unknown> } };
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(Object.hasOwn(components.schemas, name!), `${path}: ${name}`);
    }
  }
  assert.throws(() => api.answer("/openapi/v3/apis/nosuch/v1", new Headers()), StatusError);
});
