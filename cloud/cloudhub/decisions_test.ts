import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Message, newMessage } from "../../common/model/mod.ts";
import { compareResourceVersion, decideEnqueue, deliveryClassOf } from "./delivery_class.ts";
import { isNodeName, speaksFor } from "./node_name.ts";
import { decideUpstream } from "./upstream.ts";
import { decideUpgrade, type UpgradeFacts } from "./upgrade.ts";
import { routeHttps } from "./https_routes.ts";
import { resolveOptions } from "./options.ts";

interface Change {
  source?: string;
  group?: string;
  operation?: string;
  resource?: string;
  content?: unknown;
  version?: string;
}

const POD = { metadata: { uid: "u", name: "web", namespace: "default" } };

function downstream(change: Change): Message {
  const {
    source = "edgecontroller",
    group = "resource",
    operation = "update",
    resource = "default/pod/web",
  } = change;
  const content = "content" in change ? change.content : POD;
  return newMessage({ source, group, operation, resource }, content, {
    resourceVersion: change.version ?? "5",
  });
}

Deno.test("deliveryClassOf() tells apart what is acknowledged, sent once and not deliverable", async (t) => {
  const rows: Array<[string, Change, string]> = [
    ["a pod", {}, "acknowledged"],
    ["a deleted pod without version", { operation: "delete", version: "" }, "acknowledged"],
    ["a pod without version", { version: "" }, "undeliverable"],
    ["a pod to another group", { group: "meta" }, "undeliverable"],
    ["content that is no object", { content: "text" }, "undeliverable"],
    ["metadata that is none", { content: { metadata: 7 } }, "undeliverable"],
    ["a pod whose name contains a word", { resource: "default/pod/membership-podlist" }, "acknowledged"],
    ["a pod list", { resource: "default/podlist" }, "once"],
    [
      "membership",
      { source: "devicecontroller", group: "twin", resource: "membership", content: {} },
      "once",
    ],
    ["a token", { operation: "response", resource: "default/serviceaccounttoken/default" }, "once"],
    ["the cluster's CA", {
      source: "cloudhub",
      operation: "response",
      resource: "k8s/ca.crt",
      content: "PEM",
    }, "once"],
    ["a volume call", { operation: "createvolume", resource: "default/volume/v", content: "{}" }, "once"],
    ["an application's answer", { operation: "applicationResponse", content: {} }, "once"],
    ["a bus message", { group: "user", source: "router_eventbus", content: "x" }, "once"],
    ["a job", { source: "taskmanager", group: "taskmanager", content: {} }, "once"],
    ["a success", { operation: "response", content: "OK", resource: "default/x/y" }, "once"],
    [
      "a failure",
      { operation: "response", content: { ErrStatus: {} }, resource: "default/configmap/y" },
      "once",
    ],
    ["a refusal", { operation: "error", content: "no" }, "once"],
    ["the node, pushed", { resource: "null/node/edge-1" }, "acknowledged"],
    ["the node, as an answer", { operation: "response", resource: "null/node/edge-1" }, "once"],
    ["a pod, as an answer", { operation: "response" }, "once"],
    ["a lease", { operation: "response", resource: "n/lease/x" }, "once"],
    ["a patched node", { operation: "response", resource: "default/nodepatch/x" }, "once"],
    ["a configmap, as an answer", { operation: "response", resource: "default/configmap/c" }, "acknowledged"],
    ["an answer that cannot be acknowledged", {
      operation: "response",
      resource: "default/configmap/c",
      content: {},
    }, "once"],
    ["a device of devicecontroller", {
      source: "devicecontroller",
      resource: "default/device/d",
    }, "acknowledged"],
  ];
  for (const [name, change, kind] of rows) {
    await t.step(name, () => {
      const message = downstream(change);
      assert.equal(deliveryClassOf(message, message.route.resource).kind, kind);
    });
  }
});

Deno.test("compareResourceVersion() is a total order and never throws", () => {
  const version = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String), fc.string({ maxLength: 8 }));
  fc.assert(fc.property(version, version, version, (a, b, c) => {
    assert.equal(Math.sign(compareResourceVersion(a, b)), -Math.sign(compareResourceVersion(b, a)) || 0);
    if (compareResourceVersion(a, b) <= 0 && compareResourceVersion(b, c) <= 0) {
      assert.ok(compareResourceVersion(a, c) <= 0);
    }
  }));
  assert.ok(compareResourceVersion("18446744073709551615", "9007199254740993") > 0);
  assert.ok(compareResourceVersion("9007199254740993", "9007199254740992") > 0);
  assert.ok(compareResourceVersion("x", "1") < 0);
});

Deno.test("decideEnqueue() keeps what is newer", async (t) => {
  const facts = {
    operation: "update",
    deleting: false,
    version: "5",
    stored: undefined,
    recorded: undefined,
  };
  const stored = (version: string, operation = "update") => ({ operation, version });
  const rows: Array<[string, Partial<Parameters<typeof decideEnqueue>[0]>, string]> = [
    ["nothing is known", {}, "enqueue"],
    ["an older one waits", { stored: stored("4") }, "enqueue"],
    ["the same waits", { stored: stored("5") }, "discard"],
    ["a newer one waits", { stored: stored("6") }, "discard"],
    ["more digits", { stored: stored("9"), version: "10" }, "enqueue"],
    ["a deletion waits", { stored: stored("4", "delete") }, "discard"],
    ["a deletion comes", { operation: "delete", stored: stored("9") }, "enqueue"],
    ["the node has it", { recorded: "5" }, "discard"],
    ["the node has an older one", { recorded: "4" }, "enqueue"],
    ["the node has it, it is on its way out", { recorded: "5", deleting: true }, "enqueue"],
    ["an answer", { operation: "response", recorded: "5" }, "enqueue"],
    ["a version that is no number", { version: "x", recorded: "5" }, "discard"],
  ];
  for (const [name, change, expected] of rows) {
    await t.step(name, () => assert.equal(decideEnqueue({ ...facts, ...change }), expected));
  }
});

Deno.test("decideUpstream() sends each message of a node where it belongs", async (t) => {
  const rows: Array<[string, Change & { parent?: string }, string]> = [
    ["keepalive", { operation: "keepalive", resource: "node" }, "keepalive"],
    ["ping", { operation: "ping" }, "control"],
    ["config", { operation: "config" }, "control"],
    [
      "an acknowledgement claims a source",
      { operation: "response", parent: "p", source: "edgecontroller" },
      "ack p",
    ],
    ["a response to nothing", { operation: "response" }, "drop"],
    ["an error", { operation: "error", parent: "p" }, "drop"],
    ["a volume", { resource: "default/volume/v", operation: "response" }, "csi default/volume/v"],
    ["an upload", { group: "user", operation: "upload", resource: "t" }, "router node/edge-1/t"],
    [
      "a job's state",
      { operation: "upgrade", resource: "task/t/node/edge-1" },
      "taskManager task/t/node/edge-1",
    ],
    ["another node's job", { operation: "upgrade", resource: "task/t/node/edge-2" }, "drop"],
    ["the cluster's CA", { operation: "query", resource: "k8s/ca.crt" }, "clusterCa"],
    ["a cloud source", { source: "edgecontroller" }, "drop"],
    ["no resource", { source: "edged", resource: "" }, "drop"],
    ["metaserver", { source: "metaserver" }, "dynamicController node/edge-1/default/pod/web"],
    ["twin", { source: "twin", resource: "device/d/twin" }, "deviceController node/edge-1/device/d/twin"],
    ["edged", { source: "edged" }, "edgeController node/edge-1/default/pod/web"],
    ["the prefix of another node", {
      source: "edged",
      resource: "node/edge-2/default/pod/web",
    }, "edgeController node/edge-1/node/edge-2/default/pod/web"],
  ];
  for (const [name, change, expected] of rows) {
    await t.step(name, () => {
      const message = downstream({ source: "edged", ...change });
      if (change.parent !== undefined) message.header.parentMsgId = change.parent;
      const action = decideUpstream(message, "edge-1");
      const got = action.kind === "forward"
        ? `${action.to} ${action.message.route.resource}`
        : action.kind === "acknowledgement"
        ? `ack ${action.id}`
        : action.kind;
      assert.equal(got, expected);
    });
  }
});

const CERTIFICATE: NonNullable<UpgradeFacts["certificate"]> = {
  subject: { commonName: "system:node:edge-1", organizations: ["system:nodes"] },
  issuer: { commonName: "KubeEdge", organizations: [] },
  serialNumber: "01",
  notBefore: 0,
  notAfter: 1,
  dnsNames: [],
  addresses: [],
  isCa: false,
  extendedKeyUsages: [],
};

Deno.test("decideUpgrade() lets in a node with its own certificate", async (t) => {
  const good: UpgradeFacts = {
    headers: { host: "cloud:10000", node_id: "edge-1", connectionuse: "msg" },
    certificate: CERTIFICATE,
    legacyCertificates: false,
    nodeLimit: 2,
    connectedNodes: 0,
    isConnected: () => false,
  };
  const legacy = { ...CERTIFICATE, subject: { commonName: "kubeedge.io", organizations: ["KubeEdge"] } };
  const inGroup = { ...CERTIFICATE, subject: { ...CERTIFICATE.subject, organizations: ["system:masters"] } };
  const rows: Array<[string, Partial<UpgradeFacts>, string]> = [
    ["good", {}, "edge-1"],
    ["same origin", { headers: { ...good.headers, origin: "https://cloud:10000" } }, "edge-1"],
    ["another origin", { headers: { ...good.headers, origin: "https://other:10000" } }, "403 origin"],
    ["origin null", { headers: { ...good.headers, origin: "null" } }, "403 origin"],
    ["joined header", { headers: { ...good.headers, connectionuse: "msg, msg, msg" } }, "edge-1"],
    ["no use", { headers: { host: "a", node_id: "edge-1" } }, "400 connection_use"],
    ["no certificate", { certificate: undefined }, "401 certificate"],
    ["another organization", { certificate: inGroup }, "403 identity"],
    ["legacy, not allowed", { certificate: legacy }, "403 identity"],
    ["legacy, allowed", { certificate: legacy, legacyCertificates: true }, "edge-1"],
    ["limit reached", { connectedNodes: 2 }, "503 node_limit"],
    ["limit reached, reconnects", { connectedNodes: 2, isConnected: () => true }, "edge-1"],
  ];
  for (const [name, change, expected] of rows) {
    await t.step(name, () => {
      const decision = decideUpgrade({ ...good, ...change });
      assert.equal(decision.accept ? decision.node : `${decision.status} ${decision.reason}`, expected);
    });
  }
});

Deno.test("isNodeName() takes RFC 1123 subdomains only", () => {
  for (const name of ["a", "edge-1", "edge-1.example.org", "0"]) assert.ok(isNodeName(name), name);
  for (const name of ["", "a/b", "A", "-a", "a-", "a..b", "a.", "a b", "ä", "a".repeat(254)]) {
    assert.ok(!isNodeName(name), name);
  }
});

Deno.test("speaksFor() wants the whole name", () => {
  const subject = { commonName: "system:node:edge-1", organizations: ["system:nodes"] };
  assert.ok(speaksFor({ subject }, "edge-1", false));
  assert.ok(!speaksFor({ subject }, "edge-10", false));
  assert.ok(!speaksFor({ subject }, "edge", false));
  assert.ok(!speaksFor({ subject: { ...subject, organizations: [] } }, "edge-1", true));
});

Deno.test("routeHttps() never throws and decodes path elements", () => {
  assert.deepEqual(routeHttps("POST", "/task/upgrade/name/t%2D1/node/n/status?x=1"), {
    kind: "taskStatus",
    taskType: "upgrade",
    taskId: "t-1",
    node: "n",
  });
  fc.assert(fc.property(fc.string(), fc.string(), (method, path) => void routeHttps(method, `/${path}`)));
});

Deno.test("resolveOptions() names the key of what cannot be", () => {
  assert.throws(
    () => resolveOptions({ advertiseAddress: [""] }),
    /modules.cloudHub.advertiseAddress is empty/,
  );
  assert.throws(
    () => resolveOptions({ advertiseAddress: ["10.0.0.1"], tokenRefreshHours: 0 }),
    /modules.cloudHub.tokenRefreshDuration is 0/,
  );
});
