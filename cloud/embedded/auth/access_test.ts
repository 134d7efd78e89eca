import assert from "node:assert/strict";
import { textAt, valueAt } from "../object.ts";
import { type Answer, type ControlPlaneUnderTest, startControlPlane } from "../testing.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const IN_DEFAULT = `${RBAC}/namespaces/default`;

/** Requests of a service account of the namespace `default`. */
async function account(plane: ControlPlaneUnderTest, name: string) {
  await plane.request("POST", "/api/v1/namespaces/default/serviceaccounts", { metadata: { name } });
  const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`;
  const { body } = await plane.request("POST", path, { spec: {} });
  const authorization = `Bearer ${textAt(body, "status", "token")}`;
  return (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => plane.request(method, path, body, { authorization, ...headers });
}

const grant = (
  plane: ControlPlaneUnderTest,
  name: string,
  roleRef: object,
  at = `${IN_DEFAULT}/rolebindings`,
) =>
  plane.request("POST", at, {
    metadata: { name: `${name}-${textAt(roleRef, "name")}` },
    roleRef,
    subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
  });
const message = ({ body }: Answer) => textAt(body, "message");

Deno.test("what nobody was given is forbidden, in the words of the real server", async (t) => {
  await using plane = await startControlPlane();
  const bob = await account(plane, "bob");
  const who = 'User "system:serviceaccount:default:bob" cannot';
  const rows: Array<[method: string, path: string, message: string]> = [
    [
      "GET",
      "/api/v1/pods",
      `pods is forbidden: ${who} list resource "pods" in API group "" at the cluster scope`,
    ],
    [
      "GET",
      "/api/v1/pods?watch=1",
      `pods is forbidden: ${who} watch resource "pods" in API group "" at the cluster scope`,
    ],
    [
      "GET",
      "/api/v1/namespaces/default/pods/x",
      `pods "x" is forbidden: ${who} get resource "pods" in API group "" in the namespace "default"`,
    ],
    [
      "GET",
      "/apis/apps/v1/namespaces/default/deployments/x/scale",
      `deployments.apps "x" is forbidden: ${who} get resource "deployments/scale" in API group "apps" in the namespace "default"`,
    ],
    [
      "GET",
      "/api/v1/namespaces/default",
      `namespaces "default" is forbidden: ${who} get resource "namespaces" in API group "" in the namespace "default"`,
    ],
    [
      "DELETE",
      "/api/v1/namespaces/default/pods",
      `pods is forbidden: ${who} deletecollection resource "pods" in API group "" in the namespace "default"`,
    ],
    [
      "GET",
      "/apis/foo/v1/bars",
      `bars.foo is forbidden: ${who} list resource "bars" in API group "foo" at the cluster scope`,
    ],
    ["GET", "/metrics", `forbidden: ${who} get path "/metrics"`],
    ["GET", "/foo", `forbidden: ${who} get path "/foo"`],
    [
      "GET",
      "/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3Dx",
      `pods "x" is forbidden: ${who} list resource "pods" in API group "" in the namespace "default"`,
    ],
  ];
  for (const [method, path, expected] of rows) {
    await t.step(`${method} ${path}`, async () => {
      const answer = await bob(method, path);
      assert.equal(answer.status, 403);
      assert.equal(message(answer), expected);
    });
  }
  await t.step("what everyone may", async () => {
    for (const path of ["/api", "/apis", "/openapi/v3", "/version", "/healthz"]) {
      assert.equal((await bob("GET", path)).status, 200, path);
    }
  });
  await t.step("without a token", async () => {
    const nobody = (path: string) => plane.request("GET", path, undefined, { authorization: "" });
    for (const path of ["/healthz", "/livez", "/readyz", "/version"]) {
      assert.equal((await nobody(path)).status, 200);
    }
    const answer = await nobody("/api");
    assert.equal(answer.status, 403);
    assert.equal(message(answer), 'forbidden: User "system:anonymous" cannot get path "/api"');
  });
  await t.step("with a wrong token", async () => {
    assert.equal((await plane.request("GET", "/api", undefined, { authorization: "Bearer x" })).status, 401);
  });
});

Deno.test("roles give what they say, where they are bound, until they are taken away", async () => {
  await using plane = await startControlPlane();
  const bob = await account(plane, "bob");
  await plane.request("POST", "/api/v1/namespaces", { metadata: { name: "other" } });
  const read = { verbs: ["get", "list"], apiGroups: [""], resources: ["configmaps"] };
  await plane.request("POST", `${IN_DEFAULT}/roles`, { metadata: { name: "reader" }, rules: [read] });
  await grant(plane, "bob", { kind: "Role", name: "reader" });
  const list = (namespace: string) =>
    bob("GET", `/api/v1/namespaces/${namespace}/configmaps`).then((a) => a.status);
  assert.deepEqual([await list("default"), await list("other")], [200, 403]);
  assert.equal(
    (await bob("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "x" } })).status,
    403,
  );
  await plane.request("PATCH", `${IN_DEFAULT}/roles/reader`, { rules: [{ ...read, verbs: ["get"] }] }, {
    "content-type": "application/merge-patch+json",
  });
  assert.equal(await list("default"), 403);
  await grant(plane, "bob", { kind: "ClusterRole", name: "view" }, `${RBAC}/clusterrolebindings`);
  assert.deepEqual([await list("default"), await list("other")], [200, 200]);
  assert.equal((await bob("GET", "/api/v1/namespaces/default/secrets")).status, 403);
  const review = {
    spec: { resourceAttributes: { verb: "list", resource: "configmaps", namespace: "other" } },
  };
  const asked = () => bob("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review);
  const { allowed, reason } = (await asked()).body.status as { allowed: boolean; reason: string };
  assert.equal(allowed, true);
  assert.equal(
    reason,
    'RBAC: allowed by ClusterRoleBinding "bob-view" of ClusterRole "view" to ServiceAccount "bob/default"',
  );
  await plane.restart();
  assert.equal((await asked()).status, 201);
  await plane.request("DELETE", `${RBAC}/clusterrolebindings/bob-view`);
  assert.deepEqual((await asked()).body.status, { allowed: false });
});

Deno.test("nobody gives rights that they do not have", async () => {
  await using plane = await startControlPlane();
  const bob = await account(plane, "bob");
  const rules = [{
    verbs: ["create", "update", "get", "patch"],
    apiGroups: ["rbac.authorization.k8s.io"],
    resources: ["roles", "rolebindings"],
  }];
  await plane.request("POST", `${IN_DEFAULT}/roles`, { metadata: { name: "clerk" }, rules });
  await grant(plane, "bob", { kind: "Role", name: "clerk" });
  const secrets = [{ verbs: ["get"], apiGroups: [""], resources: ["secrets", "pods"] }];
  const made = await bob("POST", `${IN_DEFAULT}/roles`, { metadata: { name: "spy" }, rules: secrets });
  assert.equal(made.status, 403);
  assert.equal(
    message(made),
    'roles.rbac.authorization.k8s.io "spy" is forbidden: user "system:serviceaccount:default:bob" (groups=["system:serviceaccounts" "system:serviceaccounts:default" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["get"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
  );
  const bind = (name: string, kind = "ClusterRole") =>
    bob("POST", `${IN_DEFAULT}/rolebindings`, {
      metadata: { name: `b-${name}` },
      roleRef: { kind, name },
      subjects: [{ kind: "User", name: "eve" }],
    });
  assert.equal((await bind("cluster-admin")).status, 403);
  assert.equal((await bind("nope", "Role")).status, 404);
  assert.equal((await bind("clerk", "Role")).status, 201);
  const more = [{
    verbs: ["escalate", "bind"],
    apiGroups: ["rbac.authorization.k8s.io"],
    resources: ["roles"],
  }];
  await plane.request("POST", `${IN_DEFAULT}/roles`, { metadata: { name: "boss" }, rules: more });
  await grant(plane, "bob", { kind: "Role", name: "boss" });
  assert.equal(
    (await bob("POST", `${IN_DEFAULT}/roles`, { metadata: { name: "spy" }, rules: secrets })).status,
    201,
  );
  assert.equal(
    (await bind("cluster-admin")).status,
    403,
    "who may bind roles may not bind cluster roles",
  );
});

Deno.test("aggregated roles have the rules of those they gather", async () => {
  await using plane = await startControlPlane();
  const widgets = { verbs: ["get"], apiGroups: ["example.com"], resources: ["widgets"] };
  const labels = { "rbac.authorization.k8s.io/aggregate-to-view": "true" };
  await plane.request("POST", `${RBAC}/clusterroles`, {
    metadata: { name: "widgets", labels },
    rules: [widgets],
  });
  for (const name of ["view", "edit", "admin"]) {
    const { body } = await plane.request("GET", `${RBAC}/clusterroles/${name}`);
    assert.ok(JSON.stringify(body.rules).includes("widgets"), name);
  }
  await plane.request("DELETE", `${RBAC}/clusterroles/widgets`);
  const { body } = await plane.request("GET", `${RBAC}/clusterroles/admin`);
  assert.ok(!JSON.stringify(body.rules).includes("widgets"));
});

Deno.test("reviews answer for others, and say what is wrong with them", async () => {
  await using plane = await startControlPlane();
  const review = (spec: object) =>
    plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec });
  const resourceAttributes = { verb: "get", resource: "pods", namespace: "default" };
  assert.deepEqual((await review({ user: "bob", resourceAttributes })).body.status, { allowed: false });
  const { allowed } = (await review({ groups: ["system:masters"], resourceAttributes })).body.status as {
    allowed: boolean;
  };
  assert.equal(allowed, true);
  const path = { nonResourceAttributes: { verb: "get", path: "/healthz" } };
  assert.equal(
    valueAt(
      (await review({ user: "bob", groups: ["system:authenticated"], ...path })).body,
      "status",
      "allowed",
    ),
    true,
  );
  const empty = await review({});
  assert.equal(empty.status, 422);
  assert.match(
    message(empty),
    /spec.resourceAttributes.*exactly one of.*spec.user: .*at least one of user or group/,
  );
  const local = "/apis/authorization.k8s.io/v1/namespaces/other/localsubjectaccessreviews";
  assert.match(
    message(await plane.request("POST", local, { spec: { user: "bob", resourceAttributes } })),
    /must match metadata.namespace/,
  );
  const rules = await plane.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
    spec: { namespace: "default" },
  });
  assert.deepEqual((valueAt(rules.body, "status", "resourceRules") as unknown[])[0], {
    verbs: ["*"],
    apiGroups: ["*"],
    resources: ["*"],
  });
});

Deno.test("who may act as another acts with the other's rights", async () => {
  await using plane = await startControlPlane();
  const bob = await account(plane, "bob");
  const as = (user: string, group?: string) => ({
    "impersonate-user": user,
    ...(group && { "impersonate-group": group }),
  });
  const pods = "/api/v1/namespaces/default/pods";
  assert.match(
    message(await plane.request("GET", pods, undefined, as("eve"))),
    /pods is forbidden: User "eve" cannot list resource "pods"/,
  );
  assert.equal((await plane.request("GET", pods, undefined, as("eve", "system:masters"))).status, 200);
  assert.equal(
    message(await bob("GET", pods, undefined, as("eve"))),
    'users "eve" is forbidden: User "system:serviceaccount:default:bob" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  assert.equal((await plane.request("GET", pods, undefined, { "impersonate-group": "x" })).status, 400);
});

Deno.test("roles and bindings are checked, and their roleRef stays", async (t) => {
  await using plane = await startControlPlane();
  const rows: Array<[string, string, object, RegExp]> = [
    [
      "rules of a Role",
      `${IN_DEFAULT}/roles`,
      { rules: [{ verbs: ["get"] }, { verbs: [], nonResourceURLs: ["/x"] }] },
      /rules\[0\].apiGroups: Required value: resource rules must supply at least one api group, rules\[0\].resources.*rules\[1\].verbs: Required value.*namespaced rules cannot apply to non-resource URLs/,
    ],
    [
      "kind of a role",
      `${RBAC}/clusterrolebindings`,
      { roleRef: { kind: "Role", name: "x" } },
      /roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"/,
    ],
    ["a subject", `${IN_DEFAULT}/rolebindings`, {
      roleRef: { kind: "Role", name: "x" },
      subjects: [{ kind: "Foo", name: "b" }],
    }, /subjects\[0\].kind: Unsupported value: "Foo": supported values: "ServiceAccount", "User", "Group"/],
  ];
  for (const [name, path, given, expected] of rows) {
    await t.step(name, async () => {
      const answer = await plane.request("POST", path, { metadata: { name: "a:b" }, ...given });
      assert.equal(answer.status, 422);
      assert.match(message(answer), expected);
    });
  }
  await t.step("roleRef", async () => {
    await grant(plane, "bob", { kind: "Role", name: "x" });
    const changed = await plane.request("PATCH", `${IN_DEFAULT}/rolebindings/bob-x`, {
      roleRef: { name: "y" },
    }, {
      "content-type": "application/merge-patch+json",
    });
    assert.match(message(changed), /roleRef: Invalid value: .*: cannot change roleRef/);
  });
});

Deno.test("/metrics tells requests, objects and watches, to who may ask", async () => {
  await using plane = await startControlPlane();
  await plane.request("GET", "/api/v1/namespaces/default/pods");
  await plane.request("GET", "/apis/nothing.example.com/v1/whatever");
  await plane.request("GET", "/whatever/path", undefined, { authorization: "Bearer wrong" });
  await plane.request("GET", "/api/v1/namespaces/default/pods/x/whatever", undefined, {
    authorization: "Bearer wrong",
  });
  const { body } = await plane.request("GET", "/metrics");
  const text = String(body);
  assert.match(
    text,
    /apiserver_request_total\{verb="LIST",group="",version="v1",resource="pods",subresource="",scope="namespace",component="apiserver",code="200"\} 1\n/,
  );
  assert.match(text, /apiserver_request_duration_seconds_bucket\{[^}]*resource="pods"[^}]*le="0.005"\}/);
  assert.match(text, /apiserver_storage_objects\{resource="namespaces"\} 4\n/);
  assert.match(text, /apiserver_current_inflight_requests\{request_kind="readOnly"\} 1\n/);
  assert.doesNotMatch(text, /whatever/);
  const monitor = { "impersonate-user": "m", "impersonate-group": "system:monitoring" };
  assert.equal((await plane.request("GET", "/metrics", undefined, monitor)).status, 200);
});

Deno.test("a right to one object is a right to select it, and to make none", async () => {
  await using plane = await startControlPlane();
  const bob = await account(plane, "bob");
  await plane.request("POST", `${IN_DEFAULT}/roles`, {
    metadata: { name: "one" },
    rules: [{
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: ["one"],
      verbs: ["create", "list", "deletecollection"],
    }],
  });
  await grant(plane, "bob", { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "one" });
  const path = "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Done";
  assert.equal((await bob("GET", path)).status, 200);
  const made = await bob("POST", path, { metadata: { name: "other" } });
  assert.equal(made.status, 403);
  assert.match(message(made), /cannot create resource "configmaps"/);
  assert.equal((await bob("DELETE", path)).status, 403);
});
