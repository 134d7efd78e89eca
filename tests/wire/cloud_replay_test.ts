/** The edge side of upstream's recorded session against a whole cloudcore: one program, one embedded API, real certificates. */
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import type { Cluster } from "../../scripts/trial/site.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";
import { WireCloud } from "./cloud_core.ts";
import { joinAsEdgecore, WireEdge } from "./cloud_edge.ts";
import { EdgeStore } from "./cloud_edge_store.ts";
import { normalMessage, normalStore } from "./cloud_normal.ts";
import {
  isAcknowledged,
  readRecording,
  RECORDED_NODE,
  type RecordedFrame,
  typeOf,
  type WireMessage,
} from "./cloud_recording.ts";
import { World } from "./cloud_world.ts";

const isReply = ({ header }: WireMessage) => header.parent_msg_id !== undefined;
const describe = ({ route }: WireMessage) => `${route.operation} ${route.resource}`;

/** Modules of the edge that wait for replies. */
const isRequest = ({ route }: WireMessage) => route.source === "edged";

/** This cloudcore has no controller of devices: it says nothing where upstream's says "OK", and pushes none. */
const isAboutDevices = ({ route }: WireMessage) =>
  route.source === "twin" || route.source === "devicecontroller";

const isDeletion = ({ content }: WireMessage) =>
  (content as { metadata?: { deletionTimestamp?: string } } | null)?.metadata?.deletionTimestamp !==
    undefined;

/**
 * Of the recorded pushes those that tell the edge what it just wrote itself: the Node and the pod after its patch of their status,
 * and the pod after its own deletion of it. Ours does not send them; that the edge ends with the same objects is compared.
 */
function echoes(frames: readonly RecordedFrame[]): ReadonlySet<string> {
  const found = new Set<string>();
  const written = new Set<string>();
  for (const { from, json } of frames) {
    const type = typeOf(json);
    if (from === "cloud" && isReply(json) && (type === "podpatch" || type === "nodepatch")) {
      written.add(json.header.resourceversion!);
    }
  }
  let deleting = false;
  for (const { from, json } of frames) {
    if (from === "edge" && typeOf(json) === "pod" && json.route.operation === "delete") deleting = true;
    if (from === "edge" || isReply(json) || json.route.operation !== "update") continue;
    const version = json.header.resourceversion!;
    // The first push of the Node comes before the patch whose version it shares.
    if (found.size === 0 && typeOf(json) === "node" && version === "1456") continue;
    if (written.has(version) || (deleting && typeOf(json) === "pod")) found.add(json.header.msg_id);
  }
  return found;
}

async function replay(t: Deno.TestContext, cluster?: Cluster): Promise<void> {
  const recording = await readRecording();
  const { frames, replies, acknowledged } = recording;
  const requests = new Map(
    frames.filter(({ from }) => from === "edge").map(({ json }) => [json.header.msg_id, json]),
  );

  await t.step("the rule by which the edge acknowledges is that of the recording", () => {
    for (const { from, json } of frames) {
      if (from !== "cloud") continue;
      const request = requests.get(json.header.parent_msg_id ?? "");
      // The edge's last acknowledgements may be cut off with the recording, none is here.
      assert.equal(isAcknowledged(json, request), acknowledged.has(json.header.msg_id), describe(json));
    }
  });

  await using cloud = await WireCloud.start(cluster);
  const credentials = await joinAsEdgecore(cloud, RECORDED_NODE);

  await t.step("the upgrade is answered to the byte", async () => {
    assert.equal(await rawUpgrade(cloud, credentials, recording.upgrade.request), recording.upgrade.answer);
  });

  const world = new World(cloud.kube, recording);
  const store = new EdgeStore();
  const recordedStore = new EdgeStore();
  const asked = new Map<string, WireMessage>();
  const took: Array<[WireMessage, WireMessage | undefined]> = [];
  await using edge = await WireEdge.open(cloud, RECORDED_NODE, {
    credentials,
    acknowledge: (message) => {
      const request = asked.get(message.header.parent_msg_id ?? "");
      store.take(message, request);
      took.push([message, request]);
      return isAcknowledged(message, request);
    },
  });

  const echo = echoes(frames);
  const matched = new Set<WireMessage>();
  let compared = 0;
  let silent = 0;
  const checked = new Set<string>();
  for (const { from, json } of frames) {
    if (from === "cloud") {
      if (isAboutDevices(json)) continue;
      if (isDeletion(json)) await sameState("the edge keeps the same while the pod runs");
      recordedStore.take(json, requests.get(json.header.parent_msg_id ?? ""));
      if (isReply(json) || echo.has(json.header.msg_id)) continue;
      await t.step(`push: ${describe(json)} ${json.header.resourceversion}`, async () => {
        await pushed(json);
      });
      continue;
    }
    if (json.route.operation === "response") continue;
    const sent = world.now(json);
    asked.set(sent.header.msg_id, sent);
    if (!isRequest(json)) {
      silent++;
      edge.send(sent);
      continue;
    }
    compared++;
    await t.step(`reply ${compared}: ${describe(json)}`, async () => {
      edge.send(sent);
      const reply = await edge.reply(sent.header.msg_id, describe(json));
      const recorded = replies.get(json.header.msg_id)!;
      world.learn(recorded, reply);
      assert.deepEqual(normalMessage(reply), normalMessage(recorded));
    });
  }
  assert.deepEqual([compared, silent, echo.size], [36, 19, 8]);
  await sameState("the edge keeps the same in the end");

  async function sameState(name: string): Promise<void> {
    if (checked.has(name)) return;
    checked.add(name);
    await t.step(name, () => {
      assert.ok(recordedStore.objects.size > 3);
      assert.deepEqual(normalStore(store.objects), normalStore(recordedStore.objects));
    });
  }

  /** Makes happen what the recorded push tells, and waits for ours. */
  async function pushed(recorded: WireMessage): Promise<void> {
    await world.happen(recorded);
    const { operation, resource } = recorded.route;
    // A pod comes as an insert the first time: upstream says update when the scheduler came after the informer's start.
    const first = typeOf(recorded) === "pod" &&
      !took.some(([message]) => message.route.resource === resource);
    const wanted = first ? "insert" : operation;
    const expected = normalMessage({ ...recorded, route: { ...recorded.route, operation: wanted! } });
    const push = await edge.first(
      (message) =>
        !isReply(message) && !matched.has(message) && message.route.resource === resource &&
        message.route.operation === wanted &&
        (typeOf(message) !== "node" || isDeepStrictEqual(normalMessage(message), expected)),
      `${wanted} of ${resource} as recorded`,
    );
    matched.add(push);
    world.learn(recorded, push);
    assert.deepEqual(normalMessage(push), expected);
  }

  const marks = frames.filter(({ json }) => echo.has(json.header.msg_id) && isDeletion(json))
    .map(({ json }) => normalMessage(json));
  await t.step("nothing that the edge only tells is answered, and nothing else is sent", () => {
    for (const message of edge.received) {
      const parent = asked.get(message.header.parent_msg_id ?? "");
      if (isReply(message)) {
        assert.ok(parent !== undefined && isRequest(parent), describe(message));
        continue;
      }
      if (matched.has(message)) continue;
      // A real API server marks a pod once more before it removes it, which nobody can tell from another's deletion.
      if (isDeletion(message) && marks.some((mark) => isDeepStrictEqual(mark, normalMessage(message)))) {
        continue;
      }
      // A pod comes after what it refers to, so that it starts without asking; taints of the Node come and go by themselves.
      assert.match(
        describe(message),
        /^(insert|update) default\/(configmap|secret)\/|^update null\/node\/edge-ke$/,
      );
    }
    const ids = edge.received.map(({ header }) => header.msg_id);
    assert.equal(new Set(ids).size, ids.length, "an acknowledged message is not sent again");
  });
}

Deno.test("cloudcore answers upstream's recorded edge frame by frame as upstream's cloudcore did", (t) =>
  replay(t));

Deno.test({
  name: "cloudcore on a real Kubernetes answers upstream's recorded edge as upstream's cloudcore did",
  ignore: !KUBERNETES.met,
  fn: async (t) => {
    await using cluster = await RealCluster.start();
    await replay(t, cluster);
    assert.deepEqual(await cluster.faults(), [], "cloudcore's own account may do all of it");
  },
});

/** Sends the head of a request as recorded; gives the head of the answer. */
function rawUpgrade(
  { hubPort, ca }: WireCloud,
  credentials: { cert: string; key: string },
  request: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ host: "127.0.0.1", port: hubPort, ca, ...credentials }, () => {
      socket.write(`${request}\r\n\r\n`);
    });
    socket.on("data", (data) => {
      text += data.toString();
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.once("close", () => resolve(text.slice(0, end)));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
