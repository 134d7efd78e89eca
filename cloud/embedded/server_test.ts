import assert from "node:assert/strict";
import { type ControlPlaneUnderTest, startControlPlane } from "./testing.ts";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";

function configMap(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data: { a: "b" } };
}

function pod(name: string, spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: { containers: [{ name: "c", image: "demo:1" }], ...spec },
  };
}

function test(name: string, body: (api: ControlPlaneUnderTest) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      await using api = await startControlPlane();
      await body(api);
    },
  });
}

test("the API asks for credentials, except for its health and version", async (api) => {
  const anonymous = { authorization: "" };
  for (const path of ["/healthz", "/livez", "/readyz", "/version"]) {
    assert.equal((await api.request("GET", path, undefined, anonymous)).status, 200, path);
  }
  for (const path of ["/api", "/apis", "/openapi/v3", CONFIG_MAPS, "/nosuch", "/readyz/ping"]) {
    const { status, body } = await api.request("GET", path, undefined, anonymous);
    assert.deepEqual([status, body.reason], [403, "Forbidden"], path);
    assert.match(String(body.message), /forbidden: User "system:anonymous" cannot (get|list)/);
  }
  for (const authorization of ["Bearer wrong", "Bearer a.b.c", "Basic YTpi", "Bearer " + "x".repeat(9000)]) {
    assert.equal(
      (await api.request("GET", CONFIG_MAPS, undefined, { authorization })).status,
      401,
      authorization.slice(0, 20),
    );
  }
});

test("the files it writes are for their owner only", async (api) => {
  for (const path of [api.endpoint.kubeconfig, `${api.dataDir}/control-plane.db`]) {
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600, path);
  }
});

test("objects, tokens, certificate and versions survive a restart", async (api) => {
  const { body: made } = await api.request("POST", CONFIG_MAPS, configMap("a"));
  const before = api.endpoint;
  await api.restart();
  assert.equal(api.endpoint.adminToken, before.adminToken);
  assert.equal(api.endpoint.caCertificate, before.caCertificate);
  const { body } = await api.request("GET", `${CONFIG_MAPS}/a`);
  assert.deepEqual(body, made);
  const old = await api.request("GET", `${CONFIG_MAPS}?watch=1&resourceVersion=1`);
  assert.equal(old.status, 200);
  assert.partialDeepStrictEqual(old.body, { type: "ERROR", object: { code: 410, reason: "Expired" } });
});

test("create refuses with Kubernetes' words", async (api) => {
  await api.request("POST", CONFIG_MAPS, configMap("a"));
  const rows: Array<[string, string, unknown, number, RegExp]> = [
    ["a second one", CONFIG_MAPS, configMap("a"), 409, /^configmaps "a" already exists$/],
    [
      "a missing namespace",
      "/api/v1/namespaces/x/configmaps",
      configMap("a"),
      404,
      /^namespaces "x" not found$/,
    ],
    [
      "another namespace",
      CONFIG_MAPS,
      { metadata: { name: "b", namespace: "x" } },
      400,
      /does not match the namespace sent/,
    ],
    ["no name", CONFIG_MAPS, { metadata: {} }, 422, /name or generateName is required/],
    ["a bad name", CONFIG_MAPS, { metadata: { name: "../x" } }, 422, /lowercase RFC 1123 subdomain/],
    [
      "another kind",
      CONFIG_MAPS,
      { apiVersion: "v1", kind: "Pod", metadata: { name: "b" } },
      400,
      /^Pod in version "v1" cannot be handled as a ConfigMap/,
    ],
    [
      "a wrong type",
      CONFIG_MAPS,
      { metadata: { name: "b" }, data: { a: 1 } },
      400,
      /cannot unmarshal number into Go struct field ConfigMap.data of type string/,
    ],
    ["no JSON", CONFIG_MAPS, "{", 400, /json parse error/],
    ["null", CONFIG_MAPS, "null", 400, /cannot unmarshal null/],
    ["an array", CONFIG_MAPS, "[]", 400, /cannot unmarshal array/],
    ["deep nesting", CONFIG_MAPS, `{"metadata":${"[".repeat(5000)}${"]".repeat(5000)}}`, 400, /nested/],
    [
      "an unknown resource",
      "/api/v1/namespaces/default/nosuch",
      {},
      404,
      /could not find the requested resource/,
    ],
    [
      "a missing service account",
      PODS,
      pod("p", { serviceAccountName: "nobody" }),
      403,
      /serviceaccount "nobody" not found/,
    ],
    [
      "a pod without containers",
      PODS,
      { metadata: { name: "p" }, spec: {} },
      422,
      /spec.containers: Required value/,
    ],
    [
      "a version",
      CONFIG_MAPS,
      { metadata: { name: "b", resourceVersion: "5" } },
      400,
      /resourceVersion should not be set/,
    ],
  ];
  for (const [name, path, body, code, message] of rows) {
    const answer = await api.request("POST", path, body);
    assert.equal(answer.status, code, name);
    assert.equal(answer.body.kind, "Status", name);
    assert.match(String(answer.body.message), message, name);
  }
  const big = await api.request("POST", CONFIG_MAPS, `{"data":{"a":"${"x".repeat(3 * 1024 * 1024)}"}}`);
  assert.equal(big.status, 413);
  const form = await api.request("POST", CONFIG_MAPS, "a=b", {
    "content-type": "application/x-www-form-urlencoded",
  });
  assert.equal(form.status, 415);
  const accept = await api.request("GET", CONFIG_MAPS, undefined, {
    accept: "application/vnd.kubernetes.protobuf",
  });
  assert.equal(accept.status, 406);
  assert.equal((await api.request("PUT", CONFIG_MAPS, {})).status, 405);
  assert.equal((await api.request("GET", `${PODS}/x/log`)).status, 404);
});

test("fieldValidation refuses, warns or is silent about unknown fields, and never keeps them", async (api) => {
  const body = (name: string) => ({ metadata: { name }, dta: { a: "b" } });
  const strict = await api.request("POST", `${CONFIG_MAPS}?fieldValidation=Strict`, body("s"));
  assert.match(String(strict.body.message), /strict decoding error: unknown field "dta"/);
  const warn = await api.request("POST", CONFIG_MAPS, body("w"));
  assert.equal(warn.headers.get("warning"), '299 - "unknown field \\"dta\\""');
  const ignore = await api.request("POST", `${CONFIG_MAPS}?fieldValidation=Ignore`, body("i"));
  assert.equal(ignore.headers.get("warning"), null);
  assert.equal("dta" in warn.body || "dta" in ignore.body, false);
});

test("update is refused on another version, and counts nothing that does not change", async (api) => {
  const { body: made } = await api.request("POST", CONFIG_MAPS, configMap("a"));
  const same = await api.request("PUT", `${CONFIG_MAPS}/a`, made);
  assert.equal(same.body.metadata.resourceVersion, made.metadata.resourceVersion);
  const next = await api.request("PUT", `${CONFIG_MAPS}/a`, { ...made, data: { a: "c" } });
  assert.equal(next.status, 200);
  const stale = await api.request("PUT", `${CONFIG_MAPS}/a`, { ...made, data: { a: "d" } });
  assert.equal(stale.status, 409);
  assert.match(
    String(stale.body.message),
    /the object has been modified; please apply your changes to the latest version/,
  );
  const other = await api.request("PUT", `${CONFIG_MAPS}/a`, {
    ...configMap("a"),
    metadata: { name: "a", uid: "x" },
  });
  assert.equal(other.status, 409);
  assert.equal((await api.request("PUT", `${CONFIG_MAPS}/b`, configMap("a"))).status, 400);
});

test("a dry run stores nothing", async (api) => {
  assert.equal((await api.request("POST", `${CONFIG_MAPS}?dryRun=All`, configMap("a"))).status, 201);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}/a`)).status, 404);
  await api.request("POST", CONFIG_MAPS, configMap("a"));
  assert.equal((await api.request("DELETE", `${CONFIG_MAPS}/a?dryRun=All`)).status, 200);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}/a`)).status, 200);
});

test("lists come in pages that together are the whole", async (api) => {
  for (let i = 0; i < 7; i++) {
    await api.request("POST", CONFIG_MAPS, configMap(`c${i}`, { even: String(i % 2 === 0) }));
  }
  const names: string[] = [];
  const versions = new Set<string>();
  let token = "";
  do {
    const { body } = await api.request("GET", `${CONFIG_MAPS}?limit=3&continue=${token}`);
    const metadata = body.metadata as { continue?: string; resourceVersion?: string };
    for (const item of body.items as Array<{ metadata: { name: string } }>) names.push(item.metadata.name);
    versions.add(metadata.resourceVersion!);
    token = metadata.continue ?? "";
    // What is written between two pages must not upset them.
    await api.request("POST", CONFIG_MAPS, configMap(`b${names.length}`));
  } while (token !== "");
  assert.deepEqual(names, ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "kube-root-ca.crt"]);
  assert.equal(versions.size, 1);
  const even = await api.request("GET", `${CONFIG_MAPS}?labelSelector=even%3Dtrue`);
  assert.equal((even.body.items as unknown[]).length, 4);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}?continue=rubbish`)).status, 400);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}?labelSelector=a%3Db%3Dc`)).status, 400);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}?resourceVersion=999999`)).status, 504);
});

test("a watch tells what happens from a version on, selected", async (api) => {
  const { body: list } = await api.request("GET", CONFIG_MAPS);
  const from = (list.metadata as { resourceVersion: string }).resourceVersion;
  const path = `${CONFIG_MAPS}?watch=true&labelSelector=on%3Dyes&resourceVersion=${from}`;
  const watching = api.watch(path, (events) => events.some((e) => e.object.metadata.name === "last"));
  await api.request("POST", CONFIG_MAPS, configMap("a", { on: "no" }));
  const label = (on: string) =>
    api.request("PATCH", `${CONFIG_MAPS}/a`, { metadata: { labels: { on } } }, {
      "content-type": "application/merge-patch+json",
    });
  await label("yes");
  await api.request("PATCH", `${CONFIG_MAPS}/a`, { data: { a: "z" } }, {
    "content-type": "application/merge-patch+json",
  });
  await label("no");
  await api.request("POST", CONFIG_MAPS, configMap("b", { on: "yes" }));
  await api.request("DELETE", `${CONFIG_MAPS}/b`);
  await api.request("POST", CONFIG_MAPS, configMap("last", { on: "yes" }));
  const events = await watching;
  assert.deepEqual(events.map((e) => [e.type, e.object.metadata.name]), [
    ["ADDED", "a"],
    ["MODIFIED", "a"],
    ["DELETED", "a"],
    ["ADDED", "b"],
    ["DELETED", "b"],
    ["ADDED", "last"],
  ]);
  const versions = events.map((e) => Number(e.object.metadata.resourceVersion));
  assert.deepEqual(versions, versions.toSorted((a, b) => a - b));
  assert.equal(new Set(versions).size, versions.length);
});

test("a streaming list gives all objects and then says that it has", async (api) => {
  await api.request("POST", CONFIG_MAPS, configMap("a"));
  const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  const events = await api.watch(`${CONFIG_MAPS}?${query}`, (e) => e.at(-1)?.type === "BOOKMARK");
  assert.deepEqual(events.map((e) => e.type), ["ADDED", "ADDED", "BOOKMARK"]);
  assert.equal(events.at(-1)?.object.metadata.annotations?.["k8s.io/initial-events-end"], "true");
  const wrong = await api.request("GET", `${CONFIG_MAPS}?watch=1&sendInitialEvents=true`);
  assert.equal(wrong.status, 422);
});

test("a watch ends when its time is over", async (api) => {
  const events = await api.watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=1`, () => false);
  assert.deepEqual(events.map((e) => e.object.metadata.name), ["kube-root-ca.crt"]);
});

test("tables carry the columns of kubectl get, in lists and watches", async (api) => {
  await api.request("POST", PODS, pod("p"));
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  const { body } = await api.request("GET", PODS, undefined, { accept });
  assert.equal(body.kind, "Table");
  const columns = (body.columnDefinitions as Array<{ name: string; priority: number }>).filter((c) =>
    c.priority === 0
  );
  assert.deepEqual(columns.map((c) => c.name), ["Name", "Ready", "Status", "Restarts", "Age"]);
  const [row] = body.rows as Array<
    { cells: unknown[]; object: { kind: string; metadata: { name: string } } }
  >;
  assert.deepEqual(row!.cells.slice(0, 4), ["p", "0/1", "Pending", "0"]);
  assert.deepEqual([row!.object.kind, row!.object.metadata.name], ["PartialObjectMetadata", "p"]);
  const events = await api.watch(`${PODS}?watch=1`, (e) => e.length === 1, { accept });
  assert.equal(events[0]!.object.kind, "Table");
  const partial = await api.request("GET", PODS, undefined, {
    accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
  });
  assert.equal(partial.body.kind, "PartialObjectMetadataList");
});

test("a pod on a node is deleted in two steps", async (api) => {
  await api.request("POST", PODS, pod("p"));
  const bind = (node: string) =>
    api.request("POST", `${PODS}/p/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "p" },
      target: { kind: "Node", name: node },
    });
  assert.equal((await bind("edge-1")).status, 201);
  assert.equal((await bind("edge-2")).status, 409);
  const { body: bound } = await api.request("GET", `${PODS}/p`);
  const { conditions } = bound.status as { conditions: Array<{ type: string; status: string }> };
  assert.deepEqual([conditions[0]!.type, conditions[0]!.status], ["PodScheduled", "True"]);
  assert.equal((bound.spec as { nodeName: string }).nodeName, "edge-1");
  const marked = await api.request("DELETE", `${PODS}/p`);
  assert.equal(marked.body.metadata.deletionGracePeriodSeconds, 30);
  const { deletionTimestamp } = marked.body.metadata;
  const again = await api.request("DELETE", `${PODS}/p`);
  assert.equal(again.body.metadata.deletionTimestamp, deletionTimestamp);
  const wrong = await api.request("DELETE", `${PODS}/p`, {
    gracePeriodSeconds: 0,
    preconditions: { uid: "x" },
  });
  assert.equal(wrong.status, 409);
  const { uid } = marked.body.metadata;
  await api.request("DELETE", `${PODS}/p`, { gracePeriodSeconds: 0, preconditions: { uid } });
  assert.equal((await api.request("GET", `${PODS}/p`)).status, 404);
});

test("finalizers hold an object until they are gone", async (api) => {
  await api.request("POST", CONFIG_MAPS, { metadata: { name: "a", finalizers: ["example.com/x"] } });
  const marked = await api.request("DELETE", `${CONFIG_MAPS}/a`, { propagationPolicy: "Foreground" });
  assert.deepEqual(marked.body.metadata.finalizers, ["example.com/x", "foregroundDeletion"]);
  const patch = (finalizers: unknown) =>
    api.request("PATCH", `${CONFIG_MAPS}/a`, { metadata: { finalizers } }, {
      "content-type": "application/merge-patch+json",
    });
  assert.equal((await patch(["example.com/x", "example.com/new"])).status, 422);
  assert.equal((await patch(null)).status, 200);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}/a`)).status, 404);
});

test("a namespace is given its service account and the CA, again when they are deleted", async (api) => {
  await api.request("POST", "/api/v1/namespaces", { metadata: { name: "foo" } });
  for (const path of ["serviceaccounts/default", "configmaps/kube-root-ca.crt"]) {
    const [resource, name] = path.split("/");
    const watch = `/api/v1/namespaces/foo/${resource}?watch=1&fieldSelector=metadata.name%3D${name}`;
    const [first] = await api.watch(watch, (events) => events.length > 0);
    await api.request("DELETE", `/api/v1/namespaces/foo/${path}`);
    const from = first!.object.metadata.resourceVersion;
    const [gone, again] = await api.watch(`${watch}&resourceVersion=${from}`, (events) => events.length > 1);
    assert.deepEqual([gone!.type, again!.type], ["DELETED", "ADDED"]);
    assert.notEqual(again!.object.metadata.uid, first!.object.metadata.uid);
  }
  const { body } = await api.request("GET", "/api/v1/namespaces/foo/configmaps/kube-root-ca.crt");
  assert.deepEqual(body.data, { "ca.crt": api.endpoint.caCertificate });
});

test("a namespace is emptied before it goes, and takes nothing new meanwhile", async (api) => {
  await api.request("POST", "/api/v1/namespaces", { metadata: { name: "foo" } });
  const pods = "/api/v1/namespaces/foo/pods";
  await api.request("POST", pods, pod("p", { nodeName: "edge-1" }));
  await api.request("POST", "/api/v1/namespaces/foo/configmaps", configMap("a"));
  const { body } = await api.request("DELETE", "/api/v1/namespaces/foo");
  assert.equal((body.status as { phase: string }).phase, "Terminating");
  const refused = await api.request("POST", "/api/v1/namespaces/foo/configmaps", configMap("b"));
  assert.equal(refused.status, 403);
  assert.match(String(refused.body.message), /because it is being terminated/);
  const from = body.metadata.resourceVersion;
  const gone = api.watch(
    `/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Dfoo&resourceVersion=${from}`,
    (e) => e.at(-1)?.type === "DELETED",
  );
  await api.request("DELETE", `${pods}/p`, { gracePeriodSeconds: 0 });
  await gone;
  assert.equal((await api.request("GET", "/api/v1/namespaces/foo")).status, 404);
  assert.equal((await api.request("GET", "/api/v1/namespaces/foo/configmaps/a")).status, 404);
});

test("the namespaces that everything rests on may not be deleted", async (api) => {
  const { status, body } = await api.request("DELETE", "/api/v1/namespaces/kube-system");
  assert.equal(status, 403);
  assert.match(
    String(body.message),
    /^namespaces "kube-system" is forbidden: this namespace may not be deleted$/,
  );
});

test("status and spec are written apart, and the generation counts changes of the spec", async (api) => {
  const path = "/apis/apps/v1/namespaces/default/deployments";
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } };
  const given = {
    metadata: { name: "d" },
    spec: { selector: { matchLabels: { a: "b" } }, template },
    status: { replicas: 9 },
  };
  const { body: made } = await api.request("POST", path, given);
  assert.deepEqual([made.metadata.generation, made.status], [1, {}]);
  const status = await api.request("PUT", `${path}/d/status`, {
    ...made,
    spec: { ...made.spec as object, replicas: 5 },
    status: { replicas: 1 },
  });
  assert.deepEqual([status.body.metadata.generation, status.body.status], [1, { replicas: 1 }]);
  assert.equal((status.body.spec as { replicas: number }).replicas, 1);
  const scaled = await api.request("PATCH", `${path}/d/scale`, { spec: { replicas: 3 } }, {
    "content-type": "application/merge-patch+json",
  });
  assert.deepEqual([scaled.body.kind, scaled.body.spec], ["Scale", { replicas: 3 }]);
  const { body } = await api.request("GET", `${path}/d`);
  assert.deepEqual([body.metadata.generation, (body.spec as { replicas: number }).replicas, body.status], [
    2,
    3,
    { replicas: 1 },
  ]);
  const selector = await api.request("PUT", `${path}/d`, {
    ...body,
    spec: { ...body.spec as object, selector: { matchLabels: { x: "y" } } },
  });
  assert.equal(selector.status, 422);
});

test("what is applied in a form that is not read is refused, not done wrong", async (api) => {
  const answer = await api.request("PATCH", `${CONFIG_MAPS}/a?fieldManager=me`, configMap("a"), {
    "content-type": "application/apply-patch+cbor",
  });
  assert.deepEqual([answer.status, answer.body.reason], [415, "UnsupportedMediaType"]);
});

test("a token speaks for its service account as long as all it is bound to exists", async (api) => {
  await api.request("POST", PODS, pod("p"));
  const tokens = "/api/v1/namespaces/default/serviceaccounts/default/token";
  const asked = await api.request("POST", tokens, {
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } },
  });
  assert.equal(asked.status, 201);
  const { token } = asked.body.status as { token: string };
  const authorization = `Bearer ${token}`;
  const whoami = () =>
    api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, { authorization });
  const { userInfo } = (await whoami()).body.status as { userInfo: { username: string; groups: string[] } };
  assert.equal(userInfo.username, "system:serviceaccount:default:default");
  assert.ok(userInfo.groups.includes("system:serviceaccounts:default"));
  const denied = await api.request("GET", PODS, undefined, { authorization });
  assert.equal(denied.status, 403);
  assert.match(
    String(denied.body.message),
    /^pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods"/,
  );
  const can = await api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    spec: { resourceAttributes: { verb: "list", resource: "pods", namespace: "default" } },
  }, { authorization });
  assert.equal((can.body.status as { allowed: boolean }).allowed, false);
  const review = await api.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    spec: { token },
  });
  assert.equal((review.body.status as { authenticated: boolean }).authenticated, true);
  const [head, body, signature] = token.split(".");
  const forged = `${head}.${body}.${signature!.replace(/^./, (c) => c === "A" ? "B" : "A")}`;
  assert.equal(
    (await api.request("GET", "/api", undefined, { authorization: `Bearer ${forged}` })).status,
    401,
  );
  await api.request("DELETE", `${PODS}/p`);
  assert.equal((await whoami()).status, 401);
  const short = await api.request("POST", tokens, { spec: { expirationSeconds: 60 } });
  assert.equal(short.status, 422);
  const other = await api.request("POST", tokens, { spec: { audiences: ["elsewhere"] } });
  const elsewhere = (other.body.status as { token: string }).token;
  assert.equal(
    (await api.request("GET", "/api", undefined, { authorization: `Bearer ${elsewhere}` })).status,
    401,
  );
});

test("events are one store under two groups", async (api) => {
  const events = "/apis/events.k8s.io/v1/namespaces/default/events";
  const regarding = { kind: "Pod", namespace: "default", name: "p" };
  await api.request("POST", events, {
    metadata: { name: "e" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    note: "hello",
    type: "Normal",
    reason: "Tested",
    action: "Testing",
    reportingController: "example.com/test",
    reportingInstance: "test-1",
    regarding,
  });
  const core = await api.request(
    "GET",
    "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp",
  );
  const [event] = core.body.items as Array<Record<string, unknown>>;
  assert.equal(core.body.apiVersion, "v1");
  assert.deepEqual([event!.message, event!.involvedObject], ["hello", regarding]);
  const back = await api.request("GET", `${events}/e`);
  assert.deepEqual([back.body.apiVersion, back.body.note], ["events.k8s.io/v1", "hello"]);
});

test("a collection is deleted by selector", async (api) => {
  for (const name of ["a", "b"]) await api.request("POST", CONFIG_MAPS, configMap(name, { name }));
  await api.request("DELETE", `${CONFIG_MAPS}?labelSelector=name%3Da`);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}/a`)).status, 404);
  assert.equal((await api.request("GET", `${CONFIG_MAPS}/b`)).status, 200);
});

test("YAML is read where a client sends it", async (api) => {
  const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yam}\ndata: {a: 'yes'}\n";
  const answer = await api.request("POST", CONFIG_MAPS, yaml, { "content-type": "application/yaml" });
  assert.deepEqual([answer.status, answer.body.data], [201, { a: "yes" }]);
  const bad = await api.request("POST", CONFIG_MAPS, "a: [", { "content-type": "application/yaml" });
  assert.equal(bad.status, 400);
});

Deno.test("a watcher that does not read is cut off; the others go on", async () => {
  await using api = await startControlPlane({ watches: { queuedChars: 1_000_000 } });
  const slow = await api.fetch(`${CONFIG_MAPS}?watch=1`);
  const quick = api.watch(`${CONFIG_MAPS}?watch=1`, (e) => e.at(-1)?.object.metadata.name === "c199");
  for (let i = 0; i < 200; i++) {
    await api.request("POST", CONFIG_MAPS, { metadata: { name: `c${i}` }, data: { a: "x".repeat(100_000) } });
  }
  assert.ok((await quick).length >= 200);
  let chars = 0;
  for await (const chunk of slow.body!) chars += chunk.length;
  assert.ok(chars < 200 * 100_000, `all ${chars} arrived`);
});

Deno.test("a Host that is none is answered as a bad request", async () => {
  await using plane = await startControlPlane();
  const { port, caCertificate } = plane.endpoint;
  using conn = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [caCertificate] });
  await conn.write(
    new TextEncoder().encode("GET /version HTTP/1.1\r\nHost: a b[\r\nConnection: close\r\n\r\n"),
  );
  const answer = await new Response(conn.readable).text();
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /"reason":"BadRequest"/);
});

Deno.test("watches are bounded, and one that its client leaves makes room", async () => {
  await using api = await startControlPlane({ watches: { watches: 1 } });
  const first = await api.fetch(`${CONFIG_MAPS}?watch=1`);
  const second = await api.request("GET", `${CONFIG_MAPS}?watch=1`);
  assert.deepEqual([second.status, second.headers.get("retry-after")], [429, "5"]);
  await first.body!.cancel();
  let status = 429;
  for (let i = 0; i < 200 && status === 429; i++) {
    const again = await api.fetch(`${CONFIG_MAPS}?watch=1`);
    status = again.status;
    await again.body!.cancel();
    // The server learns of the client that left by the next thing it writes to it.
    await api.request("POST", CONFIG_MAPS, configMap(`tick${i}`));
  }
  assert.equal(status, 200);
});
