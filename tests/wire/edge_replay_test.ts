import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { EdgeCloud } from "./edge_cloud.ts";
import { type EdgeCore, startEdgeCore } from "./edge_core.ts";
import {
  checkDial,
  checkDifferences,
  compareRequest,
  isAnswer,
  isKeepalive,
  isLease,
  playRecording,
} from "./edge_player.ts";
import { readRecording, RECORDED_NODE } from "./edge_recording.ts";

Deno.test("edgecore answers upstream's recorded cloud frame by frame as upstream's edgecore did", async () => {
  const directory = await Deno.makeTempDir();
  /** What the pod answers to its probe: as recorded, not before the pod was seen running. */
  let ready = false;
  await using served = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return new Response(null, { status: ready ? 200 : 503 });
  });
  await using cloud = await EdgeCloud.start(RECORDED_NODE);
  const recording = await readRecording({ startsAt: Date.now(), probePort: served.addr.port });
  await using edge = startEdgeCore({
    directory,
    hub: await cloud.options(directory),
    program: () => ({ onTerm: "ignore" }),
  });
  let offset: number | undefined;
  const played = await playRecording(cloud, recording, {
    until: edge.until,
    ready: () => ready = true,
    reach: async (timestamp, each) => {
      if (offset === undefined) await edge.until("the edge connects", () => cloud.connected);
      offset ??= edge.clock.now() - timestamp;
      for (let left; (left = timestamp + offset - edge.clock.now()) > 0; each()) {
        await edge.pass(Math.min(250, left), 50);
      }
    },
  });
  await settled(edge, cloud, () => played.answerExtras());
  checkDifferences(played);
  checkDial(cloud);

  const operations = played.leases.map(({ route }) => route.operation).filter((operation) =>
    operation !== "query"
  );
  assert.equal(operations[0], "insert");
  assert.ok(operations.slice(1).every((operation) => operation === "update"));
  const recordedLeases = played.recordedLeases.filter(({ route }) => route.operation === "update").length;
  assert.ok(Math.abs(operations.length - 1 - recordedLeases) <= 1, "the lease is renewed every 10 s");
  for (const lease of played.leases) {
    const upstream = played.recordedLeases.findLast(({ route }) =>
      route.operation === lease.route.operation
    )!;
    compareRequest(lease, upstream);
  }
  const leaseAcks = cloud.frames.filter(({ message }) => isAnswer(message) && isLease(message));
  assert.equal(
    leaseAcks.length,
    played.leases.length,
    "each answer about a lease is acknowledged, as upstream does",
  );

  const keepalives = cloud.frames.filter(({ message }) => isKeepalive(message));
  const recordedKeepalives = recording.filter(({ from, message }) => from === "edge" && isKeepalive(message));
  assert.equal(keepalives.length, recordedKeepalives.length);
  for (const [i, { json, message }] of keepalives.entries()) {
    const { header: _ours, ...rest } = json;
    const { header: _theirs, ...recorded } = recordedKeepalives[0]!.json;
    assert.deepEqual(rest, recorded);
    if (i > 0) assert.equal(message.header.timestamp - keepalives[i - 1]!.message.header.timestamp, 15_000);
  }

  assert.deepEqual(await edge.runtime.listContainers({}), [], "the pod is gone from the engine");
  await edge.stop();
  using db = new DatabaseSync(edge.databasePath, { readOnly: true });
  const keys = db.prepare("SELECT key FROM meta ORDER BY key").all().map(({ key }) => key);
  assert.deepEqual(keys, [
    "default/configmap/kube-root-ca.crt",
    "default/configmap/openshift-service-ca.crt",
    `null/node/${RECORDED_NODE}`,
  ]);
  assert.equal(db.prepare("SELECT count(*) AS n FROM outbox").get()?.n, 0, "nothing waits for the cloud");
  await Deno.remove(directory, { recursive: true });
});

/** Lets the edge come to rest. */
async function settled(edge: EdgeCore, cloud: EdgeCloud, each: () => void): Promise<void> {
  for (let quiet = 0, before = -1; quiet < 20; quiet++) {
    each();
    await edge.pass(10, 10);
    if (cloud.frames.length !== before) quiet = 0;
    before = cloud.frames.length;
  }
}
