import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Message, printMessage } from "../../common/model/mod.ts";
import { EdgeCloud, isObject, type Json } from "./edge_cloud.ts";
import { type EdgeCore, startEdgeCore } from "./edge_core.ts";
import { readRecording, type Recorded, RECORDED_NODE } from "./edge_recording.ts";

const signature = ({ route: { source, group, operation, resource } }: Message) =>
  `${source} ${group} ${operation} ${resource}`;
const isLease = ({ route }: Message) => route.resource.includes("/lease/");
const isPodPatch = ({ route }: Message) => route.resource.includes("/podpatch/");
const isKeepalive = ({ route }: Message) => route.operation === "keepalive";
const isAnswer = ({ header }: Message) => header.parentMsgId !== undefined;

/** What upstream's edge sent and this one does not, with why nobody misses it. A row that fits nothing fails the test. */
const NOT_SENT: ReadonlyArray<{ why: string; fits: (message: Message) => boolean }> = [
  {
    why: "membership/detail: the cloud ignores it, and without a device twin nothing waits for its answer",
    fits: ({ route }) => route.resource === "membership/detail",
  },
  {
    why: "twin and state reports begin with MQTT messages of a mapper, and no bus runs here",
    fits: ({ route }) => route.source === "twin" && route.resource.startsWith("device/"),
  },
  {
    why:
      "the empty node patch: the kubelet reads the node with it, which the registration's answer already brought",
    fits: ({ route, content }) => route.resource.includes("/nodepatch/") && content === "{}",
  },
  {
    why: "the kubelet took its pod for unready again for a second; the probe of this one went on answering",
    fits: (message) => isPodPatch(message) && podState(message) === "ready=False" && !isFirst(message),
  },
  {
    why: "and ready once more",
    fits: (message) => isPodPatch(message) && podState(message) === "ready=True" && !isFirst(message),
  },
];

/** Requests beyond upstream's. */
const ALSO_SENT: ReadonlyArray<{ why: string; fits: (message: Message) => boolean }> = [
  {
    why:
      "the lease is read again while the node is not registered; upstream makes it before the node is there",
    fits: (message) => isLease(message) && message.route.operation === "query",
  },
  {
    why:
      "a pod's status in more steps, or put right where the recorded cloud shows upstream's flapping probe",
    fits: isPodPatch,
  },
  {
    why:
      "what a pod shows is asked for again after a minute: upstream's edge hands out what it stored, stale or not",
    fits: ({ route }) => route.operation === "query" && /\/(configmap|secret)\//.test(route.resource),
  },
];

/** Paths in a request's content that only one of the two writes, with the reason. */
const CONTENT: Readonly<Record<string, { upstreamOnly?: readonly string[]; oursOnly?: readonly string[] }>> =
  {
    // The API server fills in what is left out, and takes what is named.
    "query default/serviceaccounttoken/default": { oursOnly: [".apiVersion", ".kind"] },
  };

/** Of a pod patch: what it says of the pod's readiness, or its end. */
function podState({ content }: Message): string {
  const { status = {} } = JSON.parse(String(content)) as { status?: Json };
  if (status.phase === "Failed" || status.phase === "Succeeded") return `phase=${status.phase}`;
  const ready = (status.conditions as Json[] | undefined)?.find(({ type }) => type === "Ready");
  return ready?.status === undefined ? `phase=${status.phase}` : `ready=${ready.status}`;
}
const firsts = new WeakSet<Message>();
const isFirst = (message: Message) => firsts.has(message);

/** Marks the first pod patch of each state. */
function markFirsts(recording: readonly Recorded[]): void {
  const seen = new Set<string>();
  for (const { from, message } of recording) {
    if (from !== "edge" || !isPodPatch(message)) continue;
    if (!seen.has(podState(message))) firsts.add(message);
    seen.add(podState(message));
  }
}

/** Paths of a JSON value down to its leaves; lists as one; what is empty in Go's sense is not there. */
function paths(value: unknown, at = ""): Set<string> {
  if (value === null || value === undefined || value === "") return new Set();
  if (Array.isArray(value)) return new Set(value.flatMap((item) => [...paths(item, `${at}[]`)]));
  if (!isObject(value)) return new Set([at]);
  return new Set(Object.entries(value).flatMap(([key, item]) => [...paths(item, `${at}.${key}`)]));
}

function unfold(content: unknown): unknown {
  return typeof content === "string" && content.startsWith("{") ? JSON.parse(content) : content;
}

const without = (a: Set<string>, b: Set<string>) => [...a].filter((path) => !b.has(path)).sort();

/** Holds a request against the recorded one. */
function compareRequest(ours: Message, upstream: Message): void {
  assert.deepEqual(ours.route, upstream.route);
  assert.match(ours.header.msgId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(ours.header.sync, upstream.header.sync, "sync is never set");
  assert.equal(ours.header.type, undefined);
  assert.equal(ours.header.resourceVersion, upstream.header.resourceVersion);
  assert.equal(ours.header.parentMsgId, undefined);
  assert.ok(ours.header.timestamp > 1.7e12, "milliseconds");
  assert.equal(typeof ours.content, typeof upstream.content, `form of ${signature(ours)}`);
  assert.equal(ours.content === null, upstream.content === null);
  const [a, b] = [paths(unfold(ours.content)), paths(unfold(upstream.content))];
  // Which fields a status patch carries is up to what changed, so that only the form is the same.
  if (ours.route.operation === "patch") return;
  const { upstreamOnly = [], oursOnly = [] } = CONTENT[`${ours.route.operation} ${ours.route.resource}`] ??
    {};
  assert.deepEqual(without(b, a), upstreamOnly, `left out of ${signature(ours)}`);
  assert.deepEqual(without(a, b), oursOnly, `added to ${signature(ours)}`);
}

Deno.test("edgecore answers upstream's recorded cloud frame by frame as upstream's edgecore did", async () => {
  const directory = await Deno.makeTempDir();
  /** What the pod answers to its probe: as recorded, not before the pod was seen running. */
  let ready = false;
  await using served = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return new Response(null, { status: ready ? 200 : 503 });
  });
  await using cloud = await EdgeCloud.start(RECORDED_NODE);
  const startsAt = Date.now();
  const recording = await readRecording({ startsAt, probePort: served.addr.port });
  markFirsts(recording);
  const replies = new Map(
    recording.filter(({ from, message }) => from === "cloud" && isAnswer(message))
      .map(({ message }) => [message.header.parentMsgId!, message]),
  );
  const leases = recording.filter(({ from, message }) =>
    from === "edge" && !isAnswer(message) && isLease(message)
  );
  const pending: Message[] = [];
  const ourLeases: Message[] = [];
  const lastReplies = new Map<string, unknown>();
  const extra: Message[] = [];
  const unsent = new Map<string, number>();
  const confirmed: string[] = [];
  cloud.answer = (request) => {
    if (!isLease(request)) {
      pending.push(request);
      return "silence";
    }
    // Leases are a stream of their own: the n-th of an operation is answered as upstream's n-th, or last, was.
    const same = leases.filter(({ message }) => message.route.operation === request.route.operation);
    const nth = ourLeases.filter(({ route }) => route.operation === request.route.operation).length;
    ourLeases.push(request);
    const recorded = same[Math.min(nth, same.length - 1)]!.message;
    return { content: replies.get(recorded.header.msgId)!.content };
  };
  /** Answers a request beyond upstream's with what the cloud last said to one like it. */
  const answerExtra = (request: Message) => {
    extra.push(request);
    cloud.sendText(printMessage({
      header: { msgId: crypto.randomUUID(), parentMsgId: request.header.msgId, timestamp: Date.now() },
      route: { ...request.route, source: "edgecontroller", group: "resource", operation: "response" },
      content: lastReplies.get(request.route.resource) ?? null,
    }));
  };
  await using edge = startEdgeCore({
    directory,
    hub: await cloud.options(directory),
    program: () => ({ onTerm: "ignore" }),
  });
  await edge.until("the edge connects", () => cloud.frames.length > 0);
  const offset = edge.clock.now() - recording[0]!.message.header.timestamp;
  /** Ids of recorded requests to those of the requests that stood for them. */
  const ids = new Map<string, string>();
  let compared = 0;
  const isSilent = (message: Message) => {
    const row = NOT_SENT.find(({ fits }) => fits(message));
    if (row !== undefined) unsent.set(row.why, (unsent.get(row.why) ?? 0) + 1);
    return row !== undefined;
  };
  const matching = (upstream: Message) => () => {
    const at = pending.findIndex((request) => signature(request) === signature(upstream));
    if (at < 0) return false;
    const [request] = pending.splice(at, 1);
    if (!isPodPatch(upstream) || podState(request!) === podState(upstream)) return request;
    answerExtra(request!);
    return false;
  };
  /** Answers what upstream's edge did not ask at this point of the recording. */
  const answerExtras = () => {
    const known = (request: Message) => isPodPatch(request) || lastReplies.has(request.route.resource);
    for (const request of pending.filter(known)) {
      pending.splice(pending.indexOf(request), 1);
      answerExtra(request);
    }
  };

  for (const { from, message } of recording) {
    const { header, route } = message;
    while (edge.clock.now() < header.timestamp + offset) {
      await edge.pass(Math.min(250, header.timestamp + offset - edge.clock.now()), 50);
      if (isLease(message) || isKeepalive(message)) answerExtras();
    }
    if (from === "cloud" && isAnswer(message)) {
      if (isLease(message)) continue;
      const parent = ids.get(header.parentMsgId!);
      lastReplies.set(route.resource, message.content);
      if (parent !== undefined) cloud.send({ ...message, header: { ...header, parentMsgId: parent } });
    } else if (from === "cloud") {
      cloud.send(message);
    } else if (isAnswer(message)) {
      if (isLease(message)) continue;
      const [ack, ...more] = await edge.until(`the acknowledgement of ${signature(message)}`, () => {
        const acks = cloud.acks(header.parentMsgId!);
        return acks.length > 0 && acks;
      }, { limitMs: 5000 });
      assert.equal(more.length, 0, "it is acknowledged once");
      assert.equal(ack!.message.content, message.content);
      assert.equal(ack!.message.route.operation, "response");
      assert.equal(ack!.message.route.resource, route.resource);
      // The cloud looks at the operation and the parent only; for devices upstream's metamanager writes groups of its own.
      if (route.group !== "twin") assert.deepEqual(ack!.message.route, route);
      confirmed.push(header.parentMsgId!);
    } else if (!isLease(message) && !isKeepalive(message) && !isSilent(message)) {
      if (isPodPatch(message)) ready ||= podState(message) === "ready=True";
      const request = await edge.until(signature(message), matching(message), { limitMs: 15_000 });
      compareRequest(request, message);
      compared++;
      ids.set(header.msgId, request.header.msgId);
    }
  }

  await settled(edge, cloud, answerExtras);
  assert.deepEqual(pending, [], "nothing was asked that upstream did not ask");
  for (const request of [...extra, ...ourLeases.slice(1, 2)]) {
    assert.ok(ALSO_SENT.some(({ fits }) => fits(request)), `unexpected: ${signature(request)}`);
  }
  assert.deepEqual(
    [...unsent.keys()].sort(),
    NOT_SENT.map(({ why }) => why).sort(),
    "each difference still exists",
  );
  assert.equal(compared, 12, "requests other than leases and keepalives");
  assert.equal(confirmed.length, 28, "every acknowledgement of upstream's edge, those of leases apart");

  const operations = ourLeases.map(({ route }) => route.operation).filter((operation) =>
    operation !== "query"
  );
  assert.equal(operations[0], "insert");
  assert.ok(operations.slice(1).every((operation) => operation === "update"));
  const recordedLeases = leases.filter(({ message }) => message.route.operation === "update").length;
  assert.ok(Math.abs(operations.length - 1 - recordedLeases) <= 1, "the lease is renewed every 10 s");
  for (const lease of ourLeases) {
    const upstream = leases.findLast(({ message }) => message.route.operation === lease.route.operation)!;
    compareRequest(lease, upstream.message);
  }
  const ourLeaseIds = new Set(ourLeases.map(({ header }) => header.msgId));
  const leaseAcks = cloud.frames.filter(({ message }) => isAnswer(message) && isLease(message));
  assert.equal(
    leaseAcks.length,
    ourLeaseIds.size,
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

  const { path, headers, peer } = cloud.handshakes[0]!;
  assert.equal(path, `/e632aba927ea4ac2b575ec1603d56f10/${RECORDED_NODE}/events`);
  assert.equal(peer, `system:node:${RECORDED_NODE}`);
  const { node_id, project_id, connectionuse, origin, "sec-websocket-protocol": protocol } = headers;
  assert.deepEqual({ node_id, project_id, connectionuse, origin, protocol }, {
    node_id: RECORDED_NODE,
    project_id: "e632aba927ea4ac2b575ec1603d56f10",
    connectionuse: "msg",
    origin: undefined,
    protocol: undefined,
  });
  assert.deepEqual(cloud.pki.requests.map((r) => r.path), ["/ca.crt", "/edge.crt"]);
  assert.equal(cloud.pki.requests[1]!.nodeName, RECORDED_NODE);
  assert.match(
    cloud.pki.requests[1]!.authorization,
    /^Bearer [^.]+\.[^.]+\.[^.]+$/,
    "the token without its hash",
  );
  assert.equal(cloud.sessions, 1, "one link all along");

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
