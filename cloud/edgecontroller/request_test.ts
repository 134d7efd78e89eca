import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../common/errors/mod.ts";
import { newMessage } from "../../common/model/mod.ts";
import { parseRequests, routeMessage, type UpstreamRequest } from "./request.ts";

function parse(operation: string, resource: string, content: unknown = null): UpstreamRequest[] {
  const [, , , type = ""] = resource.split("/");
  const traits = routeMessage(type, operation);
  assert.ok(traits, `${operation} ${type} is not routed`);
  return parseRequests(traits, newMessage({ source: "edged", group: "meta", operation, resource }, content));
}

Deno.test("parseRequests() reads requests of every kind", async (t) => {
  const node = { nodeName: "e", namespace: "null", name: "e" };
  const web = { nodeName: "e", namespace: "default", name: "web" };
  const rows: Array<[string, string, string, unknown, UpstreamRequest[]]> = [
    ["a patch as text", "patch", "node/e/null/nodepatch/e", '{"status":{}}', [
      { kind: "node-patch", ...node, patch: { status: {} } },
    ]],
    ["a patch as an object", "patch", "node/e/default/podpatch/web", { status: {} }, [
      { kind: "pod-patch", ...web, patch: { status: {} } },
    ]],
    ["a query", "query", "node/e/default/configmap/web", null, [{ kind: "configmap-query", ...web }]],
    ["a deletion", "delete", "node/e/default/pod/web", "uid-1", [
      { kind: "pod-delete", ...web, deletion: { uid: "uid-1", gracePeriodSeconds: 0 } },
    ]],
    ["an old node status", "update", "node/e/default/nodestatus/e", { UID: "u", Status: { phase: "x" } }, [
      {
        kind: "nodestatus-update",
        ...node,
        namespace: "default",
        status: { phase: "x" },
        extendResources: {},
      },
    ]],
    ["old pod statuses without a name", "update", "node/e/default/podstatus", [
      { UID: "1", Name: "web", Status: {} },
      { UID: "2", Name: "db", Status: {} },
    ], [
      { kind: "podstatus-update", ...web, entry: { uid: "1", name: "web", status: {} } },
      { kind: "podstatus-update", ...web, name: "db", entry: { uid: "2", name: "db", status: {} } },
    ]],
    ["an event's patch", "patch", "node/e/default/event/web", {
      event: { message: "m", involvedObject: { kind: "Pod" }, source: { component: "kubelet" } },
      patchData: '{"count":2}',
    }, [{
      kind: "event-patch",
      ...web,
      event: {
        message: "m",
        involvedObject: { kind: "Pod" },
        metadata: {},
        source: { component: "kubelet", host: "" },
      },
      patch: { count: 2 },
    }]],
  ];
  for (const [name, operation, resource, content, expected] of rows) {
    await t.step(name, () => assert.deepEqual(parse(operation, resource, content), expected));
  }
});

Deno.test("parseRequests() takes of a TokenRequest only what decides", () => {
  const [request] = parse("query", "node/e/default/serviceaccounttoken/sa", {
    metadata: { finalizers: ["x"] },
    spec: {
      audiences: null,
      expirationSeconds: 3607,
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "web", uid: "u", extra: 1 },
      extra: 1,
    },
    status: { token: "x" },
  });
  assert.ok(request?.kind === "token-query");
  assert.deepEqual(request.tokenRequest, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {
      audiences: [],
      expirationSeconds: 3607,
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "web", uid: "u" },
    },
  });
});

Deno.test("parseRequests() refuses hostile names and contents", async (t) => {
  const rows: Array<[string, string, string, unknown]> = [
    ["a path as a name", "query", "node/e/default/secret/../../x", null],
    ["a name with a slash", "query", "node/e/default/secret/a/b", null],
    ["no name", "query", "node/e/default/secret", null],
    ["a namespace with a percent", "query", "node/e/def%2fault/secret/a", null],
    ["a name that is too long", "query", `node/e/default/secret/${"a".repeat(254)}`, null],
    ["a node that is a list", "insert", "node/e/null/node/e", []],
    ["a node whose metadata is text", "insert", "node/e/null/node/e", { metadata: "x" }],
    ["a patch that is a number", "patch", "node/e/null/nodepatch/e", 7],
    ["a patch that is no JSON", "patch", "node/e/null/nodepatch/e", "{"],
    ["a patch that is a list", "patch", "node/e/default/podpatch/a", "[]"],
    ["audiences that are text", "query", "node/e/default/serviceaccounttoken/a", {
      spec: { audiences: "x" },
    }],
    ["a bound object that is text", "query", "node/e/default/serviceaccounttoken/a", {
      spec: { boundObjectRef: "x" },
    }],
    ["an event without an object", "patch", "node/e/default/event/a", { patchData: "{}" }],
    ["a report on a hostile name", "update", "node/e/default/podstatus", { Name: "../x" }],
  ];
  for (const [name, operation, resource, content] of rows) {
    await t.step(name, () => assert.throws(() => parse(operation, resource, content), StatusError));
  }
});

Deno.test("parseRequests() never throws anything but a StatusError", () => {
  const routes = [
    ["insert", "null/node/e"],
    ["patch", "null/nodepatch/e"],
    ["update", "null/nodestatus/e"],
    ["update", "kube-node-lease/lease/e"],
    ["update", "default/podstatus/a"],
    ["delete", "default/pod/a"],
    ["query", "default/serviceaccounttoken/a"],
    ["patch", "default/event/a"],
  ] as const;
  const content = fc.oneof(
    fc.jsonValue(),
    fc.json(),
    fc.record({
      metadata: fc.jsonValue(),
      spec: fc.jsonValue(),
      status: fc.jsonValue(),
      event: fc.jsonValue(),
    }),
  );
  fc.assert(fc.property(fc.constantFrom(...routes), content, ([operation, resource], content) => {
    try {
      parse(operation, `node/e/${resource}`, content);
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
    }
  }));
});

Deno.test("routeMessage() knows nothing that edges do not send", () => {
  for (
    const [type, operation] of [["node", "delete"], ["secret", "update"], ["", ""], ["__proto__", "query"]]
  ) {
    assert.equal(routeMessage(type!, operation!), undefined);
  }
});
