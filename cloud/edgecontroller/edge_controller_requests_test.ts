import assert from "node:assert/strict";
import type { TokenRequest } from "../../common/api/authentication_v1.ts";
import type { ConfigMap, Secret } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { NODES, PODS, SERVICE_ACCOUNTS } from "../../common/kubeclient/mod.ts";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { errorFromContent, type Message } from "../../common/model/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { aborted, createLogger, Mailbox, silentLogger } from "../../common/module/mod.ts";
import { connected, contentOf, EDGE_LABELS, errorOf, node, pod } from "./_testing.ts";
import { Rig } from "./fake_hub.ts";
import { edgeController, type InformerSource } from "./mod.ts";

Deno.test("edgeController() names the incarnation in every patch of a pod, and reads no pod that it knows", async () => {
  await using rig = new Rig();
  await connected(rig);
  await rig.ask("patch", "node/edge-1/default/podpatch/web", '{"status":{"phase":"Running"}}');
  const calls = rig.kube.calls.filter(({ resource, name }) => resource === "pods" && name === "web");
  assert.deepEqual(calls, [{
    verb: "patch",
    resource: "pods",
    namespace: "default",
    name: "web",
    subresource: "status",
    body: { metadata: { uid: "uid-web" }, status: { phase: "Running" } },
  }]);
});

Deno.test("edgeController() leaves a pod alone that was made anew, and says OK", async () => {
  await using rig = new Rig();
  await connected(rig);
  for (const content of ["uid-old", { preconditions: { uid: "uid-old" } }]) {
    assert.equal((await rig.ask("delete", "node/edge-1/default/pod/web", content)).content, "OK");
  }
  assert.equal((await rig.ask("delete", "node/edge-1/default/pod/gone", "uid-gone")).content, "OK");
  assert.ok(rig.kube.peek(PODS, "default/web"));
});

Deno.test("edgeController() answers a patch of a pod that is gone or another with what is wrong", async () => {
  await using rig = new Rig();
  await connected(rig);
  const gone = await rig.ask("patch", "node/edge-1/default/podpatch/gone", '{"status":{}}');
  assert.deepEqual([errorOf(gone).reason, errorOf(gone).code], ["NotFound", 404]);
  const old = '{"metadata":{"uid":"uid-old"},"status":{"phase":"Failed"}}';
  assert.equal(errorOf(await rig.ask("patch", "node/edge-1/default/podpatch/web", old)).reason, "Conflict");
  assert.equal(rig.kube.peek(PODS, "default/web")?.status?.phase, "Pending");
});

Deno.test("edgeController() tells an edge that still reports about a pod that the pod is gone", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  for (const [name, uid] of [["gone", "uid-gone"], ["web", "uid-old"]]) {
    const patch = JSON.stringify({ metadata: { uid }, status: { phase: "Running" } });
    await rig.ask("patch", `node/edge-1/default/podpatch/${name}`, patch);
    const push = await rig.pushed("delete", `node/edge-1/default/pod/${name}`, from);
    assert.deepEqual(push.content, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "default", name, uid },
    });
  }
  await rig.ask("patch", "node/edge-1/default/podpatch/other", '{"status":{"phase":"Running"}}');
  assert.equal(rig.pushes(from).length, 2);
});

Deno.test("edgeController() registers a node with its address and what a node may say of itself", async () => {
  await using rig = new Rig();
  await rig.module.ready;
  await rig.connect("edge-9");
  const sent = {
    metadata: {
      name: "edge-9",
      labels: { ...EDGE_LABELS, "kubernetes.io/os": "linux" },
      annotations: { cloudcore: "203.0.113.9", a: "1" },
      finalizers: ["stay"],
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "x" }],
    },
    spec: { taints: [{ key: "k", effect: "NoSchedule" }], configSource: {} },
    status: { phase: "Running" },
  };
  const reply = await rig.ask("insert", "node/edge-9/null/node/edge-9", sent);
  assert.equal(contentOf<{ Err: unknown }>(reply).Err, null);
  const stored = rig.kube.peek(NODES, "edge-9")!;
  assert.deepEqual(stored.metadata?.annotations, { cloudcore: "192.0.2.1", a: "1" });
  assert.deepEqual(stored.metadata?.labels, sent.metadata.labels);
  assert.equal(stored.metadata?.finalizers, undefined);
  assert.equal(stored.metadata?.ownerReferences, undefined);
  assert.deepEqual(stored.spec, { taints: sent.spec.taints });
  await rig.pushed("update", "node/edge-9/null/node/edge-9");
  const again = await rig.ask("insert", "node/edge-9/null/node/edge-9", sent);
  assert.deepEqual([errorOf(again).reason, errorOf(again).code], ["AlreadyExists", 409]);
});

Deno.test("edgeController() pushes the Node of a new node even though replies brought it already", async () => {
  await using rig = new Rig();
  await rig.module.ready;
  await rig.connect("edge-9");
  const registered = rig.give("insert", "node/edge-9/null/node/edge-9", node("edge-9"));
  await rig.ask("patch", "node/edge-9/null/nodepatch/edge-9", '{"status":{"phase":"Running"}}');
  await registered;
  await rig.pushed("update", "node/edge-9/null/node/edge-9");
});

Deno.test("edgeController() refuses what is not the node's, in the form it waits for, once in the log", async (t) => {
  const lines: string[] = [];
  await using rig = new Rig({ log: createLogger("test", { write: (line) => lines.push(line) }) });
  await connected(rig);
  await rig.connect("edge-2");
  const rows: Array<[string, string, string, unknown, "wrapper" | "bare" | "text"]> = [
    ["another's pod", "patch", "default/podpatch/web", '{"status":{}}', "wrapper"],
    ["another's Secret", "query", "default/secret/secret", null, "text"],
    ["another's Lease", "update", "kube-node-lease/lease/edge-1", {}, "wrapper"],
    ["another's Node", "patch", "null/nodepatch/edge-1", "{}", "wrapper"],
    ["a token", "query", "default/serviceaccounttoken/default", {
      spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "web", uid: "uid-web" } },
    }, "text"],
    ["a deletion", "delete", "default/pod/web", "uid-web", "bare"],
    ["signing", "insert", "default/certificatesigningrequest/x", {}, "wrapper"],
    ["reading a signature", "query", "default/certificatesigningrequest/x", null, "text"],
  ];
  for (const [name, operation, resource, content, form] of rows) {
    await t.step(name, async () => {
      const reply = await rig.ask(operation, `node/edge-2/${resource}`, content);
      assert.equal(reply.route.operation, form === "text" ? "error" : "response");
      if (form === "text") assert.match(contentOf<string>(reply), /may not do/);
      else {
        assert.equal("Object" in (reply.content as object), form === "wrapper");
        assert.deepEqual([errorOf(reply).reason, errorOf(reply).code], ["Forbidden", 403]);
      }
      await rig.ask(operation, `node/edge-2/${resource}`, content);
    });
  }
  assert.equal(lines.filter((line) => line.includes("may not do")).length, rows.length);
  assert.equal(rig.kube.peek(PODS, "default/web")?.metadata?.deletionTimestamp, undefined);
  assert.equal((await rig.ask("query", "node/edge-1/default/secret/secret")).route.operation, "response");
});

Deno.test("edgeController() answers what it does not know instead of letting the edge wait", async () => {
  await using rig = new Rig();
  await connected(rig);
  for (
    const resource of ["node/edge-1/default/teapot/x", "node/edge-1/", "node/edge-1/default/secret/../x"]
  ) {
    const reply = await rig.ask("query", resource);
    assert.equal(reply.route.operation, "error");
    assert.match(contentOf<string>(reply), /^Cannot /);
    assert.equal(reply.route.resource, resource);
  }
});

Deno.test("edgeController() does not let a node fill the log", async () => {
  const lines: string[] = [];
  await using rig = new Rig({
    log: createLogger("test", { write: (line) => lines.push(line) }),
    kube: {
      intercept: ({ verb, resource }) => {
        if (verb === "get" && resource === "configmaps") {
          throw new StatusError("ServiceUnavailable", "Starting");
        }
      },
    },
  });
  await connected(rig);
  for (let i = 0; i < 10; i++) {
    await rig.ask("query", `node/edge-1/default/teapot/${i}`);
    await rig.ask("query", "node/edge-1/default/configmap/config");
  }
  assert.equal(lines.length, 2);
  await rig.clock.advance(60_000);
  await rig.ask("query", "node/edge-1/default/configmap/config");
  assert.equal(lines.length, 3);
});

Deno.test("edgeController() answers objects whose parts have the wrong type, and lives on", async () => {
  await using rig = new Rig();
  await connected(rig);
  const annotations = { "kubernetes.io/config.mirror": "x" };
  for (
    const spec of [{ volumes: 5 }, { volumes: [null] }, { containers: [{ env: {} }] }]
  ) {
    const pod = { metadata: { annotations }, spec: { nodeName: "edge-1", ...spec } };
    const reply = await rig.ask("insert", "node/edge-1/default/pod/static", pod);
    assert.deepEqual([errorOf(reply).reason, errorOf(reply).code], ["BadRequest", 400]);
  }
  const labels = await rig.ask("insert", "node/edge-1/null/node/edge-1", { metadata: { labels: [1] } });
  assert.equal(errorOf(labels).reason, "BadRequest");
  const lease = { metadata: { ownerReferences: 5 } };
  const reply = await rig.ask("insert", "node/edge-1/kube-node-lease/lease/edge-1", lease);
  assert.equal(typeof errorOf(reply).reason, "string");
});

Deno.test("edgeController() tells an absence as an object only where the pod goes on without", async () => {
  await using rig = new Rig();
  const optional = { name: "may-be", optional: true };
  const required = { name: "must-be" };
  rig.kube.seed(
    PODS,
    pod("both", "edge-1", {
      containers: [{ name: "c", envFrom: [{ configMapRef: optional }, { configMapRef: required }] }],
      volumes: [],
    }),
  );
  await connected(rig);
  const there = await rig.ask("query", "node/edge-1/default/configmap/may-be");
  assert.deepEqual([there.route.operation, errorOf(there).reason], ["response", "NotFound"]);
  const missing = await rig.ask("query", "node/edge-1/default/configmap/must-be");
  assert.deepEqual([missing.route.operation, missing.content], ["error", 'configmaps "must-be" not found']);
  assert.equal(errorFromContent(missing.content).reason, "NotFound");
});

Deno.test("edgeController() names no audience in a token for which none was asked, so that edges find it again", async (t) => {
  await using rig = new Rig({
    kube: {
      createSubresource: ({ body }) => {
        const request = body as TokenRequest;
        const { spec } = request;
        const audiences = spec.audiences.length > 0 ? spec.audiences : ["https://kubernetes.default.svc"];
        const status = { token: "jwt", expirationTimestamp: "2026-01-01T00:00:00Z" };
        return { ...request, spec: { ...spec, audiences }, status };
      },
    },
  });
  rig.kube.seed(SERVICE_ACCOUNTS, { metadata: { namespace: "default", name: "default" } });
  await connected(rig);
  const projected = { sources: [{ serviceAccountToken: { path: "t", audience: "vault" } }] };
  rig.kube.seed(PODS, pod("audience", "edge-1", { volumes: [{ name: "t", projected }] }));
  await rig.pushed("insert", "node/edge-1/default/pod/audience");
  for (const [asked, answered] of [[null, undefined], [["vault"], ["vault"]]]) {
    await t.step(`${asked}`, async () => {
      const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "audience", uid: "uid-audience" };
      const reply = await rig.ask("query", "node/edge-1/default/serviceaccounttoken/default", {
        metadata: { creationTimestamp: null },
        spec: { audiences: asked, expirationSeconds: 3607, boundObjectRef },
        status: { token: "", expirationTimestamp: null },
      });
      assert.equal(contentOf<TokenRequest>(reply).status?.token, "jwt");
      assert.deepEqual(contentOf<TokenRequest>(reply).spec.audiences, answered);
      assert.deepEqual(contentOf<TokenRequest>(reply).spec.boundObjectRef, boundObjectRef);
    });
  }
});

Deno.test("edgeController() answers with what the API server refuses or cannot do", async () => {
  let fail: StatusError | undefined;
  await using rig = new Rig({
    kube: {
      intercept: ({ verb, resource }) => {
        if (fail !== undefined && verb === "get" && resource === "configmaps") throw fail;
      },
    },
  });
  await connected(rig);
  fail = new StatusError("ServiceUnavailable", "The server is starting");
  const reply = await rig.ask("query", "node/edge-1/default/configmap/config");
  // An object would be stored by the edge as the ConfigMap.
  assert.deepEqual([reply.route.operation, reply.content], ["error", "The server is starting"]);
  fail = undefined;
  const next = await rig.ask("query", "node/edge-1/default/configmap/config");
  assert.deepEqual(contentOf<ConfigMap>(next).data, { a: "1" });
});

Deno.test("edgeController() tells what the API forbids apart from what a node may not do", async () => {
  const lines: string[] = [];
  let why = "unable to create new content in namespace default because it is being terminated";
  await using rig = new Rig({
    log: createLogger("test", { write: (line) => lines.push(line) }),
    kube: {
      intercept: ({ verb, resource }) => {
        if (verb === "get" && resource === "configmaps") {
          throw new StatusError("Forbidden", `configmaps "config" is forbidden: ${why}`);
        }
      },
    },
  });
  await connected(rig);
  await rig.ask("query", "node/edge-1/default/configmap/config");
  assert.deepEqual(lines, []);
  why = "exceeded quota";
  for (let i = 0; i < 3; i++) await rig.ask("query", "node/edge-1/default/configmap/config");
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /"The API forbids what an edge asks for".*exceeded quota/);
});

Deno.test("edgeController() gives up on an API server that does not answer, and renews leases meanwhile", async () => {
  const { promise: never, resolve } = Promise.withResolvers<void>();
  await using rig = new Rig({
    requestTimeoutMs: 1000,
    kube: {
      intercept: async ({ verb, resource }) => {
        if (verb === "get" && resource === "secrets") await never;
      },
    },
  });
  await connected(rig);
  const asked = await Promise.all(
    Array.from({ length: 20 }, () => rig.give("query", "node/edge-1/default/secret/secret")),
  );
  const lease = { spec: { holderIdentity: "edge-1" } };
  const reply = await rig.ask("insert", "node/edge-1/kube-node-lease/lease/edge-1", lease);
  assert.equal(contentOf<{ Err: unknown }>(reply).Err, null);
  await rig.clock.advance(1000);
  resolve();
  const refused = await rig.until(({ header }) => header.parentMsgId === asked[0]!.header.msgId);
  assert.equal(refused.route.operation, "error");
  assert.match(contentOf<string>(refused), /did not answer within 1000 ms/);
  const later = await rig.until(({ header }) => header.parentMsgId === asked.at(-1)!.header.msgId);
  assert.equal(contentOf<Secret>(later).kind, "Secret");
});

Deno.test("edgeController() refuses more than it can take from one node, and serves the others", async () => {
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  await using rig = new Rig({
    queuePerNode: { heartbeat: 5, status: 5, bulk: 5 },
    kube: {
      intercept: async ({ verb, resource, name }) => {
        if (verb === "get" && resource === "configmaps" && name === "config") await gate;
      },
    },
  });
  await connected(rig);
  const asked = await Promise.all(
    Array.from({ length: 10 }, () => rig.give("query", "node/edge-1/default/configmap/config")),
  );
  const last = await rig.until(({ header }) => header.parentMsgId === asked.at(-1)!.header.msgId);
  assert.match(contentOf<string>(last), /asks faster than it is answered/);
  assert.match(contentOf<string>(await rig.ask("query", "node/edge-2/default/secret/x")), /may not do/);
  resolve();
  const first = await rig.until(({ header }) => header.parentMsgId === asked[0]!.header.msgId);
  assert.equal(contentOf<ConfigMap>(first).kind, "ConfigMap");
});

Deno.test("edgeController() keeps few large messages of one node waiting", async () => {
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  await using rig = new Rig({
    queueCharsPerNode: 10_000,
    kube: { intercept: async ({ verb }) => verb === "patch" ? await gate : undefined },
  });
  await connected(rig);
  const patch = { status: { message: "m".repeat(6000) } };
  const resource = "node/edge-1/default/podpatch/web";
  const asked = await Promise.all(Array.from({ length: 3 }, () => rig.give("patch", resource, patch)));
  const last = await rig.until(({ header }) => header.parentMsgId === asked.at(-1)!.header.msgId);
  assert.match(String(errorOf(last).message), /asks faster than it is answered/);
  resolve();
  for (const { header } of asked.slice(0, 2)) {
    const reply = await rig.until(({ header: { parentMsgId } }) => parentMsgId === header.msgId);
    assert.equal(contentOf<{ Err: unknown }>(reply).Err, null);
  }
});

Deno.test("edgeController() stores events of a node under its name, not without end, and answers none", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const event = {
    metadata: { name: "e", namespace: "default", finalizers: ["stay"] },
    involvedObject: { kind: "Pod", namespace: "default", name: "web", uid: "uid-web" },
    reason: "Started",
    message: "m".repeat(5000),
    source: { component: "kubelet", host: "edge-2" },
  };
  for (let i = 0; i < 150; i++) await rig.give("insert", `node/edge-1/default/event/e${i}`, event);
  await rig.settle();
  const created = rig.kube.calls.filter(({ verb, resource }) => verb === "create" && resource === "events");
  assert.equal(created.length, 100);
  const body = created[0]!.body as Record<string, Record<string, unknown>>;
  assert.deepEqual(body.metadata, { namespace: "default", name: "e0" });
  assert.equal(body.source?.host, "edge-1");
  assert.equal(String(body.message).length, 1024);
  assert.equal(rig.sent.length, from);
});

Deno.test("edgeController() serves edges before v1.12", async (t) => {
  await using rig = new Rig();
  const from = await connected(rig);
  await t.step("nodestatus insert", async () => {
    const reply = await rig.ask("insert", "node/edge-1/default/nodestatus/edge-1", node("edge-1"));
    assert.deepEqual([reply.content, reply.route.resource], ["OK", "node/edge-1/default/node/edge-1"]);
  });
  await t.step("nodestatus update", async () => {
    const reply = await rig.ask("update", "node/edge-1/default/nodestatus/edge-1", {
      UID: "uid-edge-1",
      Status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2020-01-01T00:00:00Z" }] },
      ExtendResources: { "nvidia.com/gpu": [{ name: "g0" }], cloudcore: [] },
    });
    assert.deepEqual([reply.content, reply.route.resource], ["OK", "node/edge-1/default/node/edge-1"]);
    const stored = rig.kube.peek(NODES, "edge-1");
    assert.equal(stored?.status?.conditions?.[0]?.lastHeartbeatTime, "2026-01-01T00:00:00Z");
    assert.deepEqual(stored?.metadata?.annotations, {
      "nvidia.com/gpu": '[{"name":"g0"}]',
      "huawei.com/gpu-status": '[{"id":"g0","healthy":true}]',
    });
  });
  await t.step("podstatus update", async () => {
    const reply = await rig.ask("update", "node/edge-1/default/podstatus", [{
      UID: "uid-web",
      Name: "web",
      Status: { phase: "Running" },
    }]);
    assert.equal(reply.content, "OK");
    assert.equal(rig.kube.peek(PODS, "default/web")?.status?.phase, "Running");
  });
  await t.step("podstatus of a pod that is gone", async () => {
    const report = { UID: "uid-gone", Name: "gone", Status: {} };
    assert.equal((await rig.ask("update", "node/edge-1/default/podstatus/gone", report)).content, "OK");
    const push = await rig.pushed("delete", "node/edge-1/default/pod/gone", from);
    assert.deepEqual(push.content, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "default", name: "gone", uid: "uid-gone" },
    });
  });
});

Deno.test("edgeController() merges labels and annotations of a node and never takes the cloud's away", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const sent = { metadata: { labels: { site: "a" }, annotations: { b: "1", cloudcore: "203.0.113.9" } } };
  assert.equal((await rig.ask("update", "node/edge-1/null/node/edge-1", sent)).content, "OK");
  const { metadata } = rig.kube.peek(NODES, "edge-1")!;
  assert.deepEqual(metadata?.labels, { ...EDGE_LABELS, site: "a" });
  assert.deepEqual(metadata?.annotations, { b: "1" });
  await rig.pushed("update", "node/edge-1/null/node/edge-1", from);
});

Deno.test("edgeController() ends with the failure of what runs beside it", async () => {
  const failing: InformerSource = (type) => ({
    synced: false,
    get: () => undefined,
    list: () => [],
    subscribe: () => () => {},
    waitForSync: () => type.kind === "Node" ? Promise.resolve() : new Promise<void>(() => {}),
    run: (signal) => type.kind === "Pod" ? Promise.reject(new Error("broken")) : aborted(signal),
  });
  const inbox = new Mailbox<Message>("edgecontroller", 1);
  const module = edgeController({
    inbox,
    cloudHub: () => Promise.resolve(),
    kube: new FakeKubeClient(),
    informers: failing,
    clock: new FakeClock(),
    log: silentLogger,
    metrics: new MetricsRegistry(),
  }, { advertiseAddress: "192.0.2.1" });
  await assert.rejects(module.run(new AbortController().signal), /broken/);
});

Deno.test("edgeController() refuses options it cannot work with", () => {
  assert.throws(() => new Rig({ advertiseAddress: "" }), TypeError);
  assert.throws(() => new Rig({ requestTimeoutMs: 0 }), RangeError);
});
