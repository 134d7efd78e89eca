import assert from "node:assert/strict";
import { createNodeRequest } from "../../common/pki/mod.ts";
import { configMapOf, playAll, podIn, type Quirk, untilGone } from "./edge_bench.ts";
import { EdgeCloud, type Json } from "./edge_cloud.ts";
import { startEdgeCore } from "./edge_core.ts";

/*
 * The quirks of upstream that `reference/cloud-edge-protocol.md` marks [Q]: those of a cloud, which an edge must survive, each
 * with what is done about it, and in ELSEWHERE those that a cloud has to survive.
 */

/** Marked quirks that lie with an edge, or between a cloud and others, so that a cloud has to survive them. */
const ELSEWHERE: ReadonlyArray<[section: string, quirk: string]> = [
  ["1.4", "POST /nodeupgrade loses task and node: upgrading programs call it, this edge does not"],
  ["2.1", "edgecore adds ConnectionUse once more with each attempt"],
  ["2.6", "the edge reacts to a read error only at its next write"],
  ["4.5", "membership/detail is not answered: not sent without a device twin"],
  ["4.5", "the first value of a twin is lost at the cloud: no twins without a device twin"],
  ["4.5", "ServiceBus bodies arrive as base64 characters at a REST target"],
  ["4.6", "the filter of EndpointSlice lists looks at the first item: no metaserver here"],
];

const frame = (route: Json, content: unknown, header: Json = {}) =>
  JSON.stringify({ header: { msg_id: crypto.randomUUID(), timestamp: 1, ...header }, route, content });

const QUIRKS: readonly Quirk[] = [
  {
    section: "1.3",
    quirk: "the token is not refreshed any more after one failure, so that the one at hand has expired",
    act: async () => {
      const old = await startToken(-1000);
      await using bench = old;
      await bench.edge.until(
        "it says what to do",
        () => bench.edge.logged.some((line) => /expired.*keadm gettoken/s.test(line)),
      );
      await Deno.writeTextFile(`${bench.directory}/bootstrap-edgecore.conf`, await bench.cloud.pki.token());
      await bench.edge.until("it joins with the new one", () => bench.cloud.connected, { stepMs: 500 });
    },
  },
  {
    section: "1.5",
    quirk: "the cloud signs whatever subject a CSR asks for, so that a certificate may be another node's",
    act: async () => {
      await using bench = await startToken(3_600_000, async ({ pki }) => {
        pki.foreignCsr = (await createNodeRequest("edge-other")).csr;
      });
      await bench.edge.until(
        "it is refused",
        () => bench.edge.logged.some((line) => /Cannot get this node's certificate/.test(line)),
      );
      assert.equal(bench.cloud.sessions, 0);
      bench.cloud.pki.foreignCsr = undefined;
      await bench.edge.until("the right one is taken", () => bench.cloud.connected, { stepMs: 500 });
    },
  },
  {
    section: "2.1",
    quirk: "a connection without ConnectionUse: msg is never read",
    act: async ({ cloud }) => {
      for (const { headers } of cloud.handshakes) assert.equal(headers.connectionuse, "msg");
      await Promise.resolve();
    },
  },
  {
    section: "2.2",
    quirk: "a session that is refused stays open and is never answered",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const own = cloud.answer;
      cloud.answer = () => "silence";
      const before = cloud.sessions;
      await edge.until("it dials again", () => cloud.sessions > before, { stepMs: 500, limitMs: 240_000 });
      cloud.answer = own;
      await edge.until("it is connected", () => cloud.connected);
    },
  },
  {
    section: "2.2",
    quirk: "events and node job reports are rejected when authorization is on",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const pod = podIn(bench, "told");
      await bench.acknowledged("update", "default/pod/told", pod);
      await bench.running("told");
      const reasons = () =>
        cloud.requests("insert", /^default\/event\/told\./).map(({ content }) => (content as Json).reason);
      await edge.until("events are sent, answered or not", () => reasons().includes("Started"));
      assert.deepEqual(reasons(), ["Pulled", "Created", "Started"]);
      cloud.push("delete", "default/pod/told", pod);
      await untilGone(bench, "told");
      await edge.until("its end is told too", () => reasons().includes("Killing"));
    },
  },
  {
    section: "3.1",
    quirk: "a byte slice comes as its base64 characters",
    act: async ({ cloud, edge, stored }) => {
      const id = cloud.push(
        "update",
        "default/configmap/bytes",
        btoa(JSON.stringify(configMapOf("bytes", "1"))),
      );
      await edge.until("it is refused", () => cloud.refusals(id).length > 0);
      assert.equal(stored("default/configmap/bytes"), undefined);
    },
  },
  {
    section: "4.4",
    quirk: "a device comes without its model",
    act: async ({ acknowledged, stored }) => {
      const device = {
        ...configMapOf("alone", "3"),
        kind: "Device",
        apiVersion: "devices.kubeedge.io/v1beta1",
        spec: { nodeName: "edge-1" },
      };
      await acknowledged("insert", "default/device/alone", device);
      assert.deepEqual(stored("default/device/alone"), device);
    },
  },
  {
    section: "4.5",
    quirk: "an error comes as the object that was asked for",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const pod = podIn(bench, "asking", {
        spec: { volumes: [{ name: "v", secret: { secretName: "absent" } }] },
      });
      await bench.acknowledged("update", "default/pod/asking", pod);
      await edge.until(
        "the Secret is asked for",
        () => cloud.requests("query", "default/secret/absent").length > 0,
      );
      await edge.pass(500);
      const kept = bench.stored("default/secret/absent") as { ErrStatus?: { reason?: string } };
      assert.equal(kept.ErrStatus?.reason, "NotFound", "that there is none is stored, and no object");
      const { containers } = pod.spec as { containers: Json[] };
      assert.equal(containers.length, 1);
      const states = await bench.containers("asking");
      assert.deepEqual(states, [], "a pod does not start with an empty Secret");
      cloud.objects.set("default/secret/absent", {
        ...configMapOf("absent", cloud.nextVersion()),
        kind: "Secret",
      });
      await bench.acknowledged("update", "default/secret/absent", cloud.objects.get("default/secret/absent"));
      await bench.running("asking");
      cloud.push("delete", "default/pod/asking", pod);
      await untilGone(bench, "asking");
    },
  },
  {
    section: "4.5",
    quirk: "CSI requests come whose answer the two ends do not agree on",
    act: async ({ cloud, edge }) => {
      const ids = ["createvolume", "deletevolume", "controllerpublishvolume", "controllerunpublishvolume"]
        .map((operation) =>
          cloud.push(operation, "default/volume/v1", '{"name":"v1"}', { source: "cloudhub" })
        );
      await edge.pass(200);
      for (const id of ids) assert.equal(cloud.acks(id).length, 0, "not answered as if it were done");
    },
  },
  {
    section: "5.1",
    quirk:
      "an object whose name contains podlist, membership or serviceaccounttoken is sent once, and its ACK not awaited",
    act: async ({ acknowledged, stored }) => {
      for (const name of ["my-podlist", "membership", "serviceaccounttoken-of-mine"]) {
        await acknowledged("update", `default/configmap/${name}`, configMapOf(name, "4"));
        assert.equal((stored(`default/configmap/${name}`)?.metadata as Json).name, name);
      }
    },
  },
  {
    section: "5.7",
    quirk: "node jobs come although no module for them is there",
    act: async ({ cloud, edge }) => {
      const route = {
        source: "taskmanager",
        group: "taskmanager",
        operation: "Check",
        resource: "operations.kubeedge.io/v1alpha2/nodeupgradejob/j/node/edge-1",
      };
      cloud.sendText(frame(route, { version: "v1.23.1" }));
      await edge.pass(200);
    },
  },
];
/** An edge with a token of so long a life yet, not waited for. */
async function startToken(
  lifeMs: number,
  prepare: (cloud: EdgeCloud) => Promise<void> = () => Promise.resolve(),
) {
  const directory = await Deno.makeTempDir();
  const cloud = await EdgeCloud.start();
  await prepare(cloud);
  const token = await cloud.pki.token(Date.now() + lifeMs);
  const edge = startEdgeCore({ directory, hub: await cloud.options(directory, { token }) });
  return {
    cloud,
    edge,
    directory,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await cloud[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

Deno.test("edgecore comes to no harm by the quirks of upstream's cloud", async (t) => {
  await t.step("every marked quirk has its row", () => {
    assert.equal(QUIRKS.length + ELSEWHERE.length, 18, "cloud-edge-protocol.md marks eighteen");
  });
  await playAll(t, QUIRKS);
});
