/** Every row of `cloud/VERSIONS.md`, with messages made by hand as edges of that version send them. */
import assert from "node:assert/strict";
import { type TestEdge, UpgradeRefused } from "../../cloud/cloudhub/_testing.ts";
import { readCloudSecrets } from "./cloud_core.ts";
import { credentials, csrOf } from "./cloud_https_cases.ts";
import { InProcessCloud } from "./cloud_in_process.ts";
import { goText, NODE, UID, UP } from "./cloud_messages.ts";
import { nodeOf, podOf } from "./cloud_objects.ts";
import { defaultCloudCoreConfig } from "../../cloud/config/mod.ts";
import { checkSupported } from "../../cloud/supported.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import type { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import {
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
} from "../../common/kubeclient/mod.ts";
import { type Message, newMessage, type ObjectResponse } from "../../common/model/mod.ts";
import { createNodeRequest, parseCertificate, printEcKeyPem, printPem } from "../../common/pki/mod.ts";

type Result = "Accepted" | "Refused" | "Not served";

/** What a row is tried with: a cloud, and the session of the node. */
interface Bench {
  cloud: InProcessCloud;
  edge: TestEdge;
  ask: (operation: string, resource: string, content?: unknown) => Promise<Message>;
}

const OLD = { O: "kubeEdge", CN: "kubeedge.io" };
const SCRIPT = { O: "KubeEdge", CN: "kubeedge.io" };
const wrapped = ({ content }: Message) => content as ObjectResponse<KubeObject & Record<string, unknown>>;
const errOf = (message: Message) => wrapped(message).Err?.ErrStatus as Record<string, unknown>;

function seed(kube: FakeKubeClient): void {
  kube.seed(NODES, nodeOf(NODE));
  const pod = podOf("web", NODE, {
    envFrom: [{ configMapRef: { name: "settings" } }, { secretRef: { name: "password" } }, {
      secretRef: { name: "gone" },
    }],
  });
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "data" } }];
  kube.seed(PODS, { ...pod, metadata: { ...pod.metadata!, uid: UID }, spec: { ...pod.spec!, volumes } });
  kube.seed(PODS, podOf("other", "edge-2"));
  kube.seed(CONFIG_MAPS, { metadata: { namespace: "default", name: "settings" }, data: {} });
  kube.seed(SECRETS, { metadata: { namespace: "default", name: "password" }, data: {} });
  kube.seed(SECRETS, { metadata: { namespace: "default", name: "foreign" }, data: {} });
  kube.seed(PERSISTENT_VOLUME_CLAIMS, { metadata: { namespace: "default", name: "data" } });
  kube.seed(SERVICE_ACCOUNTS, { metadata: { namespace: "default", name: "default" } });
}

async function certificate(
  { hub, kube }: InProcessCloud,
  csr: Uint8Array,
  headers: Record<string, string>,
): Promise<{ status: number; text: string; body: Uint8Array<ArrayBuffer> }> {
  const { jwt } = await readCloudSecrets(kube);
  return await hub.request("/edge.crt", {
    headers: { Authorization: `Bearer ${jwt}`, ...headers },
    body: csr,
  });
}

/** A session with a certificate of any subject is refused with 403. */
async function refusesSession(cloud: InProcessCloud, subject: Record<string, string>): Promise<void> {
  const { authority } = await readCloudSecrets(cloud.kube);
  await assert.rejects(
    cloud.connect(NODE, { credentials: await credentials(authority, subject) }),
    (error) =>
      error instanceof UpgradeRefused && error.status === 403 &&
      /remove the node's certificate and join it again with a token$/.test(error.text),
  );
}

/** A text that names its reason, with operation `error`, for the resource that was asked for. */
function assertTextError({ route, content }: Message, resource: string, text: RegExp): void {
  assert.deepEqual([route.operation, route.resource], ["error", resource]);
  assert.match(String(content), text);
}

/** Nothing comes of it but a line in the log, and the session is served. */
async function notServed({ cloud, edge }: Bench, ...texts: string[]): Promise<void> {
  const answers: string[] = [];
  edge.socket.on("message", (data) => answers.push(String(data)));
  const before = cloud.hub.logged.length;
  for (let times = 0; times < 2; times++) for (const text of texts) edge.socket.send(text);
  await cloud.serves(edge, NODE);
  for (const text of texts) {
    assert.ok(
      !answers.some((answer) => answer.includes(`"parent_msg_id":"${JSON.parse(text).header.msg_id}"`)),
    );
  }
  assert.equal(cloud.hub.logged.slice(before).filter((line) => /is not enabled/.test(line)).length, 1);
}

/** One of the messages of `cloud_messages.ts`, changed, with an id of its own. */
function text(name: string, change: Partial<Parameters<typeof goText>[0]> = {}): string {
  const row = UP.find((each) => each.name === name);
  assert.ok(row, name);
  const json = JSON.parse(goText({ ...row, ...change }));
  return JSON.stringify({ ...json, header: { ...json.header, msg_id: crypto.randomUUID() } });
}

const deletePod = (content: unknown) => async ({ cloud, ask }: Bench) => {
  assert.equal((await ask("delete", "default/pod/web", content)).content, "OK");
  assert.equal(cloud.kube.peek(PODS, "default/web"), undefined);
};

const patchNode = (form: (patch: string) => string) => async ({ cloud, ask }: Bench) => {
  for (const namespace of ["null", "default"]) {
    const kubeletVersion = `v1.22.6-kubeedge-v1.12.0 ${namespace}`;
    const patch = form(JSON.stringify({ status: { nodeInfo: { kubeletVersion } } }));
    const { header, route, content } = await ask("patch", `${namespace}/nodepatch/${NODE}`, patch);
    const { Object: node, Err } = content as ObjectResponse<KubeObject>;
    assert.equal(route.resource, `${namespace}/nodepatch/${NODE}`);
    assert.deepEqual([Err, header.resourceVersion], [null, node?.metadata?.resourceVersion]);
    assert.equal(cloud.kube.peek(NODES, NODE)?.status?.nodeInfo?.kubeletVersion, kubeletVersion);
  }
};

const patchPod = (form: (patch: string) => string) => async ({ cloud, ask }: Bench) => {
  const patch = form(JSON.stringify({ metadata: { uid: UID }, status: { phase: "Running" } }));
  const { header, content } = await ask("patch", "default/podpatch/web", patch);
  const { Object: pod, Err } = content as ObjectResponse<KubeObject>;
  assert.deepEqual([Err, header.resourceVersion], [null, pod?.metadata?.resourceVersion]);
  assert.equal(cloud.kube.peek(PODS, "default/web")?.status?.phase, "Running");
};

const refusedAtStart = (set: (config: ReturnType<typeof defaultCloudCoreConfig>) => void, key: string) => {
  const config = defaultCloudCoreConfig();
  set(config);
  const keys: string[] = [];
  checkSupported(config, (each) => keys.push(each));
  assert.deepEqual(keys, [key]);
};

const ROWS: Readonly<Record<string, [Result, (bench: Bench) => Promise<void> | void]>> = {
  join: ["Accepted", async ({ cloud }) => {
    const { csr } = await createNodeRequest("edge-9");
    const { status, body } = await certificate(cloud, csr, { NodeName: "edge-9" });
    assert.equal(status, 200);
    assert.equal(parseCertificate(body).subject.commonName, "system:node:edge-9");
  }],
  "join-old": ["Accepted", async ({ cloud }) => {
    const { csr, key } = await csrOf({ subject: { C: "CN", ST: "Zhejiang", L: "Hangzhou", ...OLD } });
    const { status, body } = await certificate(cloud, csr, { NodeName: "edge-9" });
    assert.equal(status, 200);
    const own = { cert: printPem("CERTIFICATE", body), key: printEcKeyPem(key) };
    const edge = await cloud.connect("edge-9", { credentials: own });
    await cloud.serves(edge, "edge-9");
    // It speaks for no other node, and renews with the same kind of request.
    await assert.rejects(cloud.connect(NODE, { credentials: own }), /403/);
    const again = await cloud.hub.request("/edge.crt", {
      headers: { NodeName: "edge-9" },
      body: csr,
      credentials: own,
    });
    assert.equal(again.status, 200);
    assert.equal(parseCertificate(again.body).subject.commonName, "system:node:edge-9");
    const other = await cloud.hub.request("/edge.crt", {
      headers: { NodeName: NODE },
      body: csr,
      credentials: own,
    });
    assert.equal(other.status, 401);
  }],
  "join-unnamed": ["Refused", async ({ cloud }) => {
    const { csr } = await csrOf({ subject: OLD });
    const { status, text } = await certificate(cloud, csr, {});
    assert.equal(status, 400);
    assert.match(text, /header NodeName "" is not the name of a node/);
  }],
  "certificate-old": ["Refused", ({ cloud }) => refusesSession(cloud, OLD)],
  "renewal-old": ["Refused", async ({ cloud }) => {
    const { authority } = await readCloudSecrets(cloud.kube);
    const { csr } = await csrOf({ subject: OLD });
    const shown = await credentials(authority, OLD);
    const answer = await cloud.hub.request("/edge.crt", {
      headers: { NodeName: NODE },
      body: csr,
      credentials: shown,
    });
    assert.equal(answer.status, 401);
    assert.match(answer.text, /request node name is not match with the certificate$/);
  }],
  "certificate-script": ["Refused", ({ cloud }) => refusesSession(cloud, SCRIPT)],
  "check-node": ["Accepted", async ({ cloud }) => {
    const found = await cloud.hub.request(`/node/${NODE}`);
    const missing = await cloud.hub.request("/node/edge-9");
    assert.deepEqual([found.status, found.text, missing.status, missing.text], [
      200,
      "Node found",
      404,
      "Node not found",
    ]);
  }],
  quic: [
    "Refused",
    () =>
      refusedAtStart(({ modules }) => modules.cloudHub.quic.enable = true, "modules.cloudHub.quic.enable"),
  ],

  "node-insert": ["Accepted", async ({ cloud, ask }) => {
    assert.equal(errOf(await ask("insert", `null/node/${NODE}`, nodeOf(NODE))).reason, "AlreadyExists");
    const edge = await cloud.connect("edge-9");
    const reply = await cloud.ask(edge, "insert", "null/node/edge-9", nodeOf("edge-9"));
    assert.deepEqual([wrapped(reply).Err, wrapped(reply).Object?.metadata?.name], [null, "edge-9"]);
  }],
  "node-insert-default": ["Accepted", async ({ ask }) => {
    const reply = await ask("insert", `default/node/${NODE}`, nodeOf(NODE));
    assert.equal(reply.route.resource, `default/node/${NODE}`);
    assert.equal(errOf(reply).reason, "AlreadyExists");
  }],
  "node-patch": ["Accepted", patchNode((patch) => patch)],
  "node-patch-base64": ["Accepted", patchNode(btoa)],
  "node-query": ["Accepted", async ({ ask }) => {
    const { route, content } = await ask("query", `default/node/${NODE}`);
    const { kind, metadata } = content as KubeObject & { kind: string };
    assert.deepEqual([route.operation, kind, metadata?.name], ["response", "Node", NODE]);
  }],
  "node-update": ["Accepted", async ({ cloud, ask }) => {
    const node = nodeOf(NODE);
    const changed = {
      ...node,
      metadata: { ...node.metadata, labels: { ...node.metadata!.labels, rack: "7" } },
    };
    const reply = await ask("update", `null/node/${NODE}`, changed);
    assert.deepEqual([reply.content, reply.route.resource], ["OK", `null/node/${NODE}`]);
    assert.equal(cloud.kube.peek(NODES, NODE)?.metadata?.labels?.rack, "7");
  }],
  "node-push": ["Accepted", async ({ cloud, edge }) => {
    await cloud.serves(edge, NODE);
    assert.match(cloud.hub.metrics(), /acks_total\{result="known"\} [1-9]/);
  }],
  "nodestatus-insert": ["Accepted", async ({ cloud, ask }) => {
    const reply = await ask("insert", `default/nodestatus/${NODE}`, nodeOf(NODE));
    assert.deepEqual([reply.content, reply.route.resource], ["OK", `default/node/${NODE}`]);
    const edge = await cloud.connect("edge-9");
    assert.equal(
      (await cloud.ask(edge, "insert", "default/nodestatus/edge-9", nodeOf("edge-9"))).content,
      "OK",
    );
    assert.ok(cloud.kube.peek(NODES, "edge-9"));
  }],
  "nodestatus-update": ["Accepted", async ({ cloud, ask }) => {
    const report = { UID, Status: { ...nodeOf(NODE).status, phase: "Running" }, ExtendResources: {} };
    const reply = await ask("update", `default/nodestatus/${NODE}`, report);
    assert.deepEqual([reply.content, reply.route.resource], ["OK", `default/node/${NODE}`]);
    assert.equal((cloud.kube.peek(NODES, NODE)?.status as { phase?: string }).phase, "Running");
  }],
  lease: ["Accepted", async ({ cloud, ask }) => {
    const resource = `kube-node-lease/lease/${NODE}`;
    assert.equal(errOf(await ask("query", resource)).reason, "NotFound");
    const lease = {
      metadata: { name: NODE, namespace: "kube-node-lease", creationTimestamp: null },
      spec: { holderIdentity: NODE, leaseDurationSeconds: 40, renewTime: "2026-01-01T00:00:00.000000Z" },
    };
    const made = wrapped(await ask("insert", resource, lease)).Object!;
    const spec = { ...lease.spec, renewTime: "2026-01-01T00:00:10.000000Z" };
    assert.equal(wrapped(await ask("update", resource, { ...made, spec })).Err, null);
    assert.equal(errOf(await ask("update", resource, { ...made, spec })).reason, "Conflict");
    assert.equal(cloud.kube.peek(LEASES, `kube-node-lease/${NODE}`)?.spec?.renewTime, spec.renewTime);
  }],

  "pod-patch": ["Accepted", patchPod((patch) => patch)],
  "pod-patch-base64": ["Accepted", patchPod(btoa)],
  "pod-delete": ["Accepted", deletePod({ gracePeriodSeconds: 0, preconditions: { uid: UID } })],
  "pod-delete-base64": [
    "Accepted",
    deletePod(btoa(JSON.stringify({ gracePeriodSeconds: 0, preconditions: { uid: UID } }))),
  ],
  "pod-delete-uid": ["Accepted", deletePod(UID)],
  "pod-delete-other": ["Accepted", async ({ cloud, ask }) => {
    const earlier = UID.replace("1", "2");
    for (const content of [earlier, { gracePeriodSeconds: 0, preconditions: { uid: earlier } }]) {
      assert.equal((await ask("delete", "default/pod/web", content)).content, "OK");
    }
    assert.equal(cloud.kube.peek(PODS, "default/web")?.metadata?.deletionTimestamp, undefined);
  }],
  podstatus: ["Accepted", async ({ cloud, ask }) => {
    const reply = await ask("update", "default/podstatus/web", {
      UID,
      Name: "web",
      Status: { phase: "Running" },
    });
    assert.deepEqual([reply.content, reply.route.resource], ["OK", "default/podstatus/web"]);
    assert.equal(cloud.kube.peek(PODS, "default/web")?.status?.phase, "Running");
  }],
  "podstatus-list": ["Accepted", async ({ cloud, edge }) => {
    cloud.kube.seed(PODS, {
      ...podOf("two", NODE),
      metadata: { namespace: "default", name: "two", uid: "u-2" },
    });
    const reports = [{ UID, Name: "web", Status: { phase: "Running" } }, {
      UID: "u-2",
      Name: "two",
      Status: { phase: "Failed" },
    }];
    const message = newMessage(
      { source: "edged", group: "meta", operation: "update", resource: "default/podstatus" },
      reports,
    );
    edge.send(message);
    for (let replies = 0; replies < 2; replies++) {
      const { content } = await cloud.next(
        edge,
        ({ header }) => header.parentMsgId === message.header.msgId,
        "a reply",
      );
      assert.equal(content, "OK");
    }
    assert.deepEqual(["web", "two"].map((name) => cloud.kube.peek(PODS, `default/${name}`)?.status?.phase), [
      "Running",
      "Failed",
    ]);
  }],
  "pod-insert": ["Accepted", async ({ cloud, ask }) => {
    const mirror = podOf(`static-${NODE}`, NODE);
    mirror.metadata!.annotations = { "kubernetes.io/config.mirror": "abc" };
    assert.equal(wrapped(await ask("insert", `default/pod/static-${NODE}`, mirror)).Err, null);
    assert.ok(cloud.kube.peek(PODS, `default/static-${NODE}`));
  }],

  read: ["Accepted", async ({ ask }) => {
    for (
      const [type, name, kind] of [
        ["configmap", "settings", "ConfigMap"],
        ["secret", "password", "Secret"],
        ["persistentvolumeclaim", "data", "PersistentVolumeClaim"],
      ]
    ) {
      const { route, header, content } = await ask("query", `default/${type}/${name}`);
      assert.deepEqual([route.operation, (content as { kind: string }).kind], ["response", kind]);
      assert.equal(header.resourceVersion, (content as KubeObject).metadata?.resourceVersion);
    }
  }],
  "read-missing": ["Refused", async ({ ask }) => {
    assertTextError(await ask("query", "default/secret/gone"), "default/secret/gone", /"gone" not found/);
  }],
  "read-foreign": ["Refused", async ({ ask }) => {
    assertTextError(
      await ask("query", "default/secret/foreign"),
      "default/secret/foreign",
      /no pod bound to the node refers to this secret/,
    );
  }],
  token: ["Accepted", async ({ ask }) => {
    const { content } = await ask("query", "default/serviceaccounttoken/default", {
      metadata: { creationTimestamp: null },
      spec: {
        audiences: null,
        expirationSeconds: 3607,
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "web", uid: UID },
      },
      status: { token: "", expirationTimestamp: null },
    });
    const { kind, status } = content as { kind: string; status: { token: string } };
    assert.deepEqual([kind, status.token], ["TokenRequest", "a.b.c"]);
  }],
  event: ["Accepted", async ({ cloud, edge }) => {
    edge.socket.send(text("insert event"));
    await cloud.serves(edge, NODE);
    await happens(() => cloud.kube.peek(EVENTS, "default/web.1") !== undefined);
    edge.socket.send(text("patch event"));
    await happens(() => cloud.kube.peek(EVENTS, "default/web.1")?.count === 2);
  }],
  csr: ["Refused", async ({ ask }) => {
    const reply = await ask("insert", "default/certificatesigningrequest/csr-1", {
      metadata: { name: "csr-1" },
      spec: {},
    });
    assert.equal(wrapped(reply).Object, null);
    assert.equal(errOf(reply).reason, "Forbidden");
    assert.match(String(errOf(reply).message), /turn off the metaserver's requireAuthorization feature/);
  }],
  "cluster-ca": ["Accepted", async ({ cloud, edge }) => {
    const asked = text("query of the cluster's CA");
    edge.socket.send(asked);
    const id = JSON.parse(asked).header.msg_id;
    const { route, content } = await cloud.next(edge, ({ header }) => header.parentMsgId === id, "the CA");
    assert.deepEqual([route.source, route.operation, route.resource, content], [
      "cloudhub",
      "response",
      "k8s/ca.crt",
      "PEM",
    ]);
  }],
  "service-list": ["Refused", async ({ ask }) => {
    for (const resource of ["default/service/web", "default/endpoints/web", "default/podlist"]) {
      assertTextError(await ask("query", resource), resource, /edgecontroller does not know it/);
    }
  }],

  membership: ["Not served", (bench) => notServed(bench, text("get membership/detail"))],
  twin: ["Not served", (bench) => notServed(bench, text("a twin report"), text("a state report"))],
  "twin-old": [
    "Not served",
    (bench) => notServed(bench, text("a twin report", { resource: "device/t/twin/edge_updated" })),
  ],
  upload: [
    "Not served",
    (bench) => notServed(bench, text("an upload of the event bus"), text("a call of the service bus")),
  ],
  application: ["Refused", async ({ cloud, edge }) => {
    for (const name of ["a call of the metaserver", "the metaserver's watches"]) {
      const asked = text(name);
      edge.socket.send(asked);
      const { msg_id } = JSON.parse(asked).header;
      const { route, content } = await cloud.next(edge, ({ header }) => header.parentMsgId === msg_id, name);
      assert.equal(route.operation, "applicationResponse");
      assert.match(JSON.stringify(content), /"Status":"Rejected","Reason":"[^"]*no dynamiccontroller"/);
    }
  }],
  job: ["Not served", (bench) => notServed(bench, text("the state of a node job"))],
  task: [
    "Not served",
    (bench) => notServed(bench, text("the state of a task, upgrade"), text("the state of a task, prepull")),
  ],
  "task-http": ["Refused", async ({ cloud }) => {
    const path = `/task/upgrade/name/t/node/${NODE}/status`;
    const { status, text } = await cloud.hub.request(path, { method: "POST", body: "{}" });
    assert.equal(status, 503);
    assert.match(text, /modules\.taskManager/);
  }],
  "upgrade-http": ["Refused", async ({ cloud }) => {
    const { status, text } = await cloud.hub.request("/nodeupgrade", { method: "POST", body: "{}" });
    assert.equal(status, 503);
    assert.match(text, /modules\.taskManager/);
  }],
  tunnel: [
    "Refused",
    () => refusedAtStart(({ modules }) => modules.cloudStream.enable = true, "modules.cloudStream.enable"),
  ],
};

async function happens(holds: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!holds()) {
    assert.ok(Date.now() < end, "it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("cloudcore does with edges of other versions what cloud/VERSIONS.md says", async (t) => {
  const document = await Deno.readTextFile(new URL("../../cloud/VERSIONS.md", import.meta.url));
  const told = [...document.matchAll(/^\| `([-a-z0-9]+)` *\|(.*)\|$/gm)].map(([, row, cells]) =>
    [row!, cells!.split(" | ")[2]!.trim()] as const
  );
  await t.step("every row of the document is tried, and has the result it tells", () => {
    assert.deepEqual(told, Object.entries(ROWS).map(([row, [result]]) => [row, result]));
  });
  for (const [row, [, act]] of Object.entries(ROWS)) {
    await t.step(row, async () => {
      const createSubresource = ({ body }: { body?: unknown }) =>
        ({
          ...(body as KubeObject),
          status: { token: "a.b.c", expirationTimestamp: "2026-01-01T00:00:00Z" },
        }) as KubeObject;
      await using cloud = await InProcessCloud.start({ kube: { createSubresource } }, seed);
      const edge = await cloud.connect(NODE);
      await act({ cloud, edge, ask: (...given) => cloud.ask(edge, ...given) });
    });
  }
});
