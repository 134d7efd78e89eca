import assert from "node:assert/strict";
import { configMapOf, type EdgeBench, runPod, startBench, untilGone } from "./edge_bench.ts";
import { EdgeCloud, type Json, statusError } from "./edge_cloud.ts";
import { startEdgeCore } from "./edge_core.ts";

/** What clouds of other versions do, by the row of `edge/VERSIONS.md` it proves. */
const ROWS: Readonly<Record<string, (bench: EdgeBench) => Promise<void>>> = {
  "up to 1.11 | does not answer registration, leases and patches": async () => {
    await using place = await joined(() => {}, () => "silence");
    const { cloud, edge } = place;
    await edge.until("it registers again and again", () => cloud.requests("insert", /node/).length > 1, {
      stepMs: 1000,
      limitMs: 600_000,
    });
    assert.ok(
      edge.logged.some((line) => /no reply|timeout to get response|No reply|waits for the cloud/i.test(line)),
    );
  },
  "1.12 to 1.14 | says nothing when a pod cannot be deleted": async (bench) => {
    const { cloud, edge } = bench;
    const pod = await runPod(bench, "stays");
    let silent = 1;
    cloud.answer = ({ route }) => route.operation === "delete" && silent-- > 0 ? "silence" : undefined;
    const metadata = {
      ...pod.metadata as Json,
      resourceVersion: cloud.nextVersion(),
      deletionTimestamp: new Date(edge.clock.now()).toISOString(),
      deletionGracePeriodSeconds: 1,
    };
    cloud.objects.set("default/pod/stays", { ...pod, metadata });
    await bench.acknowledged("update", "default/pod/stays", { ...pod, metadata });
    const asked = () => cloud.requests("delete", "default/pod/stays").length;
    await edge.until("it asks once more", () => asked() >= 2, { stepMs: 500, limitMs: 300_000 });
    cloud.answer = () => undefined;
    await bench.acknowledged("delete", "default/pod/stays", { ...pod, metadata });
    await untilGone(bench, "stays");
  },
  "1.12 to 1.14 | sends `device/<name>/twin/cloud_updated` and memberships with twins": async (
    { cloud, edge },
  ) => {
    const route = { source: "devicecontroller", group: "twin" };
    const twin = { expected: { value: "1" }, optional: false };
    const ids = [
      cloud.push("update", "device/thermometer/twin/cloud_updated", {
        event_id: "",
        timestamp: 1,
        twin: { t: twin },
      }, route),
      cloud.push("update", "membership", {
        added_devices: [{ id: "thermometer", twin: { t: twin } }],
        removed_devices: null,
      }, route),
    ];
    await edge.pass(200);
    for (const id of ids) assert.deepEqual([...cloud.acks(id), ...cloud.refusals(id)], []);
  },
  "up to 1.15 | signs certificates with the subject that was asked for": async ({ cloud }) => {
    await Promise.resolve();
    assert.equal(cloud.handshakes[0]!.peer, "system:node:edge-1");
  },
  "up to 1.17 | answers a failure to sign with nothing and status 200": async () => {
    await using place = await joined((cloud) => void (cloud.pki.emptyAnswers = 2));
    await place.edge.until(
      "it says so",
      () => place.edge.logged.some((line) => line.includes("Cannot get this node's certificate")),
      { stepMs: 500 },
    );
    await place.edge.until("it joins in the end", () => place.cloud.connected, { stepMs: 500 });
  },
  "up to 1.18 | does not know `event` messages": async (bench) => {
    const { cloud, edge } = bench;
    await edge.until("events were sent", () => cloud.requests("insert", /\/event\//).length > 0);
    assert.equal(
      cloud.frames.filter(({ message: { route } }) =>
        route.resource.includes("/event/") && route.operation === "query"
      ).length,
      0,
    );
  },
  "up to 1.20 | sends upgrades under the group `nodeupgradejobcontroller` or `taskmanager`": async (
    { cloud, edge },
  ) => {
    const request = { UpgradeID: "u", HistoryID: "h", Version: "v1.16.0", UpgradeTool: "keadm", Image: "i" };
    const old = "nodeupgradejobcontroller";
    const ids = [
      cloud.push("upgrade", "upgrade/u/node/edge-1", request, { source: old, group: old }),
      cloud.push("upgrade", "upgrade/u/node/edge-1", {
        TaskID: "u",
        Type: "upgrade",
        State: "Checking",
        Item: {},
      }, { source: "taskmanager", group: "taskmanager" }),
    ];
    await edge.pass(200);
    for (const id of ids) assert.deepEqual(cloud.acks(id), []);
  },
  "up to 1.22 | pushes no Node; answers AlreadyExists to a node that is there": async () => {
    const there = {
      kind: "Node",
      apiVersion: "v1",
      metadata: { name: "edge-1", uid: "uid-there", resourceVersion: "7", labels: {} },
      status: {},
    };
    await using place = await joined(
      (cloud) => void cloud.objects.set("null/node/edge-1", there),
      ({ route }) =>
        route.operation === "insert" && route.resource.includes("/node/")
          ? { content: { Object: {}, Err: statusError("AlreadyExists", 409) } }
          : undefined,
    );
    const { cloud, edge } = place;
    await edge.until(
      "its status is sent",
      () => cloud.requests("patch", "null/nodepatch/edge-1").length > 0,
      { stepMs: 100 },
    );
    assert.equal(cloud.requests("query", "null/node/edge-1").length, 1, "the node is asked for");
    const [update] = cloud.requests("update", "null/node/edge-1");
    assert.equal(
      (update!.content as { metadata: { labels: Json } }).metadata.labels["node-role.kubernetes.io/edge"],
      "",
    );
  },
  "up to 1.22 | deletes the node as `namespace/node/<node>`": async (bench) => {
    await bench.acknowledged("delete", "namespace/node/edge-1", null);
    assert.ok(bench.stored("null/node/edge-1") !== undefined, "the one that is stored is another resource");
  },
  "up to 1.23.1 | offers TLS 1.2 with ECDHE-ECDSA-AES128-GCM-SHA256": async () => {
    await using bench = await startBench({ maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" });
    await bench.healthy();
  },
  "1.14 and newer | pushes `serviceaccountaccess` when authorization is required": async (bench) => {
    const access = {
      ...configMapOf("default", "5"),
      kind: "ServiceAccountAccess",
      apiVersion: "policy.kubeedge.io/v1alpha1",
    };
    await bench.acknowledged("insert", "default/serviceaccountaccess/default", access);
    assert.deepEqual(bench.stored("default/serviceaccountaccess/default"), access);
  },
  "1.23 and newer | pushes the Node": async (bench) => {
    const { cloud, edge } = bench;
    const node = structuredClone(cloud.objects.get("null/node/edge-1")!) as {
      metadata: Json;
      status: { conditions: Json[] };
    };
    node.metadata.resourceVersion = cloud.nextVersion();
    for (const condition of node.status.conditions) {
      if (condition.type === "Ready") condition.status = "Unknown";
    }
    const before = cloud.requests("patch", "null/nodepatch/edge-1").length;
    await bench.acknowledged("update", "null/node/edge-1", { kind: "Node", apiVersion: "v1", ...node });
    assert.equal(
      (bench.stored("null/node/edge-1")?.metadata as Json).resourceVersion,
      node.metadata.resourceVersion,
    );
    const at = edge.clock.now();
    await edge.until(
      "its own conditions are put right",
      () => cloud.requests("patch", "null/nodepatch/edge-1").length > before,
    );
    assert.ok(edge.clock.now() - at < 5000, "at once, not with the next report of the status");
  },
};

/** An edge of its own at a cloud that is prepared before, not waited for. */
async function joined(prepare: (cloud: EdgeCloud) => void, answer?: EdgeCloud["answer"]) {
  const directory = await Deno.makeTempDir();
  const cloud = await EdgeCloud.start();
  prepare(cloud);
  if (answer !== undefined) cloud.answer = answer;
  const edge = startEdgeCore({ directory, hub: await cloud.options(directory) });
  return {
    cloud,
    edge,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await cloud[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

Deno.test("edgecore works under clouds of other versions as edge/VERSIONS.md says", async (t) => {
  await t.step("each row of the table is tried", async () => {
    const text = await Deno.readTextFile(new URL("../../edge/VERSIONS.md", import.meta.url));
    const rows = text.split("\n").filter((line) => /^\| (up|\d)/.test(line))
      .map((line) => line.split("|").slice(1, 3).map((cell) => cell.trim()).join(" | "));
    assert.deepEqual(Object.keys(ROWS).sort(), rows.sort());
  });
  await using bench = await startBench();
  for (const [row, act] of Object.entries(ROWS)) {
    await t.step(row, async () => {
      await act(bench);
      await bench.healthy();
    });
  }
});
