import assert from "node:assert/strict";
import { until } from "../../../scripts/trial/program.ts";
import type { Json } from "../api.ts";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectRefusal, PRESENT } from "../expect.ts";

const tokenPath = (ns: string, name = "default") => `/api/v1/namespaces/${ns}/serviceaccounts/${name}/token`;
const REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews";

async function tokenOf(c: CaseContext, ns: string, name = "default", spec: object = {}): Promise<string> {
  const answer = await c.api.post(tokenPath(ns, name), { spec });
  return expectAnswer(answer, 201).status.token;
}

function claimsOf(token: string): Json {
  const payload = token.split(".")[1]!;
  return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" })));
}

export const TOKENS = area("tokens", {
  "a TokenRequest gives a token that says whose it is": async (c) => {
    const ns = await c.podNamespace();
    const before = Math.floor(Date.now() / 1000);
    const answer = expectAnswer(await c.api.post(tokenPath(ns), { spec: { expirationSeconds: 3600 } }), 201, {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name: "default", namespace: ns, creationTimestamp: PRESENT },
      spec: { audiences: [PRESENT], expirationSeconds: 3600, boundObjectRef: null },
      status: { token: /^[\w-]+\.[\w-]+\.[\w-]+$/, expirationTimestamp: /^\d{4}-.*Z$/ },
    });
    const claims = claimsOf(answer.status.token);
    assert.equal(claims.sub, `system:serviceaccount:${ns}:default`);
    assert.equal(claims["kubernetes.io"].namespace, ns);
    assert.equal(claims["kubernetes.io"].serviceaccount.name, "default");
    assert.ok(claims.exp - before >= 3590 && claims.exp - before <= 3700);
    assert.deepEqual(claims.aud, answer.spec.audiences);
  },
  "audiences are the ones asked for": async (c) => {
    const ns = await c.podNamespace();
    const token = await tokenOf(c, ns, "default", { audiences: ["vault", "other"] });
    assert.deepEqual(claimsOf(token).aud, ["vault", "other"]);
    expectAnswer(await c.api.post(REVIEWS, { spec: { token, audiences: ["vault"] } }), 201, {
      status: { authenticated: true, audiences: ["vault"] },
    });
    expectAnswer(await c.api.post(REVIEWS, { spec: { token } }), 201, {
      status: { authenticated: ABSENT, error: PRESENT },
    });
    expectRefusal(await c.as(token).get("/api/v1/namespaces"), 401, {
      reason: "Unauthorized",
      message: "Unauthorized",
    });
  },
  "a token of less than ten minutes, or of ages, is refused": async (c) => {
    const ns = await c.podNamespace();
    expectRefusal(await c.api.post(tokenPath(ns), { spec: { expirationSeconds: 599 } }), 422, {
      reason: "Invalid",
      message:
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
    });
    expectRefusal(await c.api.post(tokenPath(ns), { spec: { expirationSeconds: 2 ** 32 + 1 } }), 422, {
      reason: "Invalid",
      message:
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds',
    });
  },
  "a token bound to a pod ends with the pod": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    const pod = expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201);
    const { uid } = pod.metadata;
    const token = await tokenOf(c, ns, "default", {
      boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid },
    });
    assert.deepEqual(claimsOf(token)["kubernetes.io"].pod, { name: "p", uid });
    expectAnswer(await c.api.post(REVIEWS, { spec: { token } }), 201, {
      status: {
        authenticated: true,
        user: {
          username: `system:serviceaccount:${ns}:default`,
          uid: PRESENT,
          groups: ["system:serviceaccounts", `system:serviceaccounts:${ns}`, "system:authenticated"],
          extra: {
            "authentication.kubernetes.io/pod-name": ["p"],
            "authentication.kubernetes.io/pod-uid": [uid],
          },
        },
      },
    });
    await c.api.delete(`${pods}/p`, { gracePeriodSeconds: 0 });
    // What was found out about a token may be remembered for some seconds.
    await until("the token is good no more", async () => {
      const { body } = await c.api.post(REVIEWS, { spec: { token } });
      return body.status.authenticated === undefined;
    }, { timeoutMs: 60_000 });
  },
  "a token is bound only to what is there and its own": async (c) => {
    const ns = await c.podNamespace();
    const bound = (ref: object) => c.api.post(tokenPath(ns), { spec: { boundObjectRef: ref } });
    expectRefusal(await bound({ apiVersion: "v1", kind: "Pod", name: "nosuch" }), 404, {
      reason: "NotFound",
      message: 'pods "nosuch" not found',
    });
    expectRefusal(await bound({ apiVersion: "v1", kind: "ConfigMap", name: "a" }), 400, {
      reason: "BadRequest",
      message: "cannot bind token to object of type /v1, Kind=ConfigMap",
    });
    expectAnswer(
      await c.api.post(`/api/v1/namespaces/${ns}/serviceaccounts`, { metadata: { name: "other" } }),
      201,
    );
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = {
      serviceAccountName: "other",
      schedulerName: "none",
      containers: [{ name: "c", image: "i:1" }],
    };
    expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201);
    expectRefusal(await bound({ apiVersion: "v1", kind: "Pod", name: "p" }), 400, {
      reason: "BadRequest",
      message:
        `cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.`,
    });
  },
  "a token ends with its service account": async (c) => {
    const ns = await c.podNamespace();
    const accounts = `/api/v1/namespaces/${ns}/serviceaccounts`;
    await c.api.post(accounts, { metadata: { name: "robot" } });
    const token = await tokenOf(c, ns, "robot");
    const robot = c.as(token);
    expectAnswer(await robot.get("/api"), 200);
    await c.api.delete(`${accounts}/robot`);
    await until("the token is good no more", async () => (await robot.get("/api")).status === 401, {
      timeoutMs: 60_000,
    });
    expectRefusal(await robot.get("/api"), 401, { reason: "Unauthorized", message: "Unauthorized" });
    expectRefusal(await c.api.post(tokenPath(ns, "robot"), {}), 404, {
      reason: "NotFound",
      message: 'serviceaccounts "robot" not found',
    });
  },
  "a review of nonsense is answered, not refused": async (c) => {
    expectAnswer(await c.api.post(REVIEWS, { spec: { token: "nonsense" } }), 201, {
      kind: "TokenReview",
      apiVersion: "authentication.k8s.io/v1",
      status: { authenticated: ABSENT, error: PRESENT },
    });
  },
  "SelfSubjectReview says who asks": async (c) => {
    const ns = await c.podNamespace();
    const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    const own = await c.as(await tokenOf(c, ns)).post(path, {});
    expectAnswer(own, 201, {
      kind: "SelfSubjectReview",
      status: { userInfo: { username: `system:serviceaccount:${ns}:default` } },
    });
    expectAnswer(await c.api.post(path, {}), 201, {
      status: { userInfo: { groups: (groups: string[]) => groups.includes("system:masters") } },
    });
  },
});

const SUBJECT = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const SELF = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

export const ACCESS = area("access", {
  "a service account without roles is forbidden, and told what": async (c) => {
    const ns = await c.podNamespace();
    const robot = c.as(await tokenOf(c, ns));
    const user = `system:serviceaccount:${ns}:default`;
    const secrets = `/api/v1/namespaces/${ns}/secrets`;
    const rows: Array<[string, string, string, string, string | undefined]> = [
      ["GET", `${secrets}/s`, "secrets", "get", "s"],
      ["GET", secrets, "secrets", "list", undefined],
      ["GET", `${secrets}?watch=1`, "secrets", "watch", undefined],
      ["POST", secrets, "secrets", "create", undefined],
      ["PUT", `${secrets}/s`, "secrets", "update", "s"],
      ["PATCH", `${secrets}/s`, "secrets", "patch", "s"],
      ["DELETE", `${secrets}/s`, "secrets", "delete", "s"],
      ["DELETE", secrets, "secrets", "deletecollection", undefined],
    ];
    for (const [method, path, kind, verb, name] of rows) {
      const answer = await robot.request(method, path, { ...(method === "GET" ? {} : { body: {} }) });
      expectRefusal(answer, 403, {
        reason: "Forbidden",
        message: `secrets${
          name === undefined ? "" : ` "${name}"`
        } is forbidden: User "${user}" cannot ${verb} resource "${kind}" in API group "" in the namespace "${ns}"`,
        details: { ...(name === undefined ? {} : { name }), kind },
      });
    }
    expectRefusal(await robot.get("/api/v1/nodes"), 403, {
      reason: "Forbidden",
      message:
        `nodes is forbidden: User "${user}" cannot list resource "nodes" in API group "" at the cluster scope`,
      details: { kind: "nodes" },
    });
    expectRefusal(await robot.get(`/apis/apps/v1/namespaces/${ns}/deployments/d/status`), 403, {
      reason: "Forbidden",
      message:
        `deployments.apps "d" is forbidden: User "${user}" cannot get resource "deployments/status" in API group "apps" in the namespace "${ns}"`,
      details: { name: "d", group: "apps", kind: "deployments" },
    });
    expectRefusal(await robot.get("/metrics"), 403, {
      reason: "Forbidden",
      message: `forbidden: User "${user}" cannot get path "/metrics"`,
      details: {},
    });
  },
  "a Role and its binding allow what they say, and no more": async (c) => {
    const ns = await c.podNamespace();
    const robot = c.as(await tokenOf(c, ns));
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${ns}`;
    const rules = [
      { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list"] },
      { apiGroups: [""], resources: ["secrets"], resourceNames: ["mine"], verbs: ["get"] },
    ];
    expectAnswer(await c.api.post(`${rbac}/roles`, { metadata: { name: "reader" }, rules }), 201);
    expectAnswer(
      await c.api.post(`${rbac}/rolebindings`, {
        metadata: { name: "reader" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
        subjects: [{ kind: "ServiceAccount", name: "default", namespace: ns }],
      }),
      201,
    );
    const base = `/api/v1/namespaces/${ns}`;
    await c.api.post(`${base}/secrets`, { metadata: { name: "mine" } });
    const statusOf = async (method: string, path: string) =>
      (await robot.request(method, path, method === "GET" ? {} : { body: {} })).status;
    // The authorizer learns of roles a moment later.
    await until("the role counts", async () => await statusOf("GET", `${base}/configmaps`) !== 403);
    assert.equal(await statusOf("GET", `${base}/configmaps`), 200);
    assert.equal(await statusOf("POST", `${base}/configmaps`), 403);
    assert.equal(await statusOf("GET", `${base}/secrets/mine`), 200);
    assert.equal(await statusOf("GET", `${base}/secrets/other`), 403);
    assert.equal(await statusOf("GET", `${base}/secrets`), 403);
    assert.equal(await statusOf("GET", "/api/v1/namespaces/default/configmaps"), 403);
    expectAnswer(
      await robot.post(SELF, {
        spec: { resourceAttributes: { namespace: ns, verb: "list", resource: "configmaps" } },
      }),
      201,
      { status: { allowed: true } },
    );
  },
  "reviews of access": async (c) => {
    const ns = await c.podNamespace();
    const attributes = { namespace: ns, verb: "get", resource: "pods" };
    expectAnswer(await c.api.post(SELF, { spec: { resourceAttributes: attributes } }), 201, {
      kind: "SelfSubjectAccessReview",
      apiVersion: "authorization.k8s.io/v1",
      status: { allowed: true },
    });
    const ask = (user: string, groups: string[] = []) =>
      c.api.post(SUBJECT, { spec: { user, groups, resourceAttributes: attributes } });
    expectAnswer(await ask("nobody"), 201, { kind: "SubjectAccessReview", status: { allowed: false } });
    expectAnswer(await ask("root", ["system:masters"]), 201, { status: { allowed: true } });
    expectAnswer(
      await c.api.post(SUBJECT, {
        spec: { user: "nobody", nonResourceAttributes: { path: "/metrics", verb: "get" } },
      }),
      201,
      { status: { allowed: false } },
    );
    expectAnswer(
      await c.api.post(`/apis/authorization.k8s.io/v1/namespaces/${ns}/localsubjectaccessreviews`, {
        metadata: { namespace: ns },
        spec: { user: "nobody", resourceAttributes: attributes },
      }),
      201,
      { kind: "LocalSubjectAccessReview", status: { allowed: false } },
    );
    expectAnswer(
      await c.api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", { spec: { namespace: ns } }),
      201,
      {
        kind: "SelfSubjectRulesReview",
        status: { resourceRules: (rules: Json[]) => rules.some((r) => r.verbs.includes("*")) },
      },
    );
  },
  "a review that asks nothing, or two things, is refused": async (c) => {
    expectRefusal(await c.api.post(SELF, { spec: {} }), 422, {
      reason: "Invalid",
      message: /exactly one of nonResourceAttributes or resourceAttributes must be specified/,
    });
    const spec = { user: "", groups: [], resourceAttributes: { verb: "get", resource: "pods" } };
    expectRefusal(await c.api.post(SUBJECT, { spec }), 422, {
      reason: "Invalid",
      message: /at least one of user or group must be specified/,
    });
  },
});
