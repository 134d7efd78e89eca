/**
 * Plays the recorded cloud against an edge of ours: waits for each request upstream's edge made, holds it against the recorded
 * one, answers as the recorded cloud did, and waits for each acknowledgement. For tests only.
 */
import assert from "node:assert/strict";
import { type Message, printMessage } from "../../common/model/mod.ts";
import { type EdgeCloud, isObject, type Json } from "./edge_cloud.ts";
import type { Recorded } from "./edge_recording.ts";

export const signature = ({ route: { source, group, operation, resource } }: Message) =>
  `${source} ${group} ${operation} ${resource}`;
export const isLease = ({ route }: Message) => route.resource.includes("/lease/");
const isPodPatch = ({ route }: Message) => route.resource.includes("/podpatch/");
export const isKeepalive = ({ route }: Message) => route.operation === "keepalive";
export const isAnswer = ({ header }: Message) => header.parentMsgId !== undefined;

/** What upstream's edge sent and this one does not, with why nobody misses it. A row that fits nothing fails the test. */
export const NOT_SENT: ReadonlyArray<{ why: string; fits: (message: Message) => boolean }> = [
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
export const ALSO_SENT: ReadonlyArray<{ why: string; fits: (message: Message) => boolean }> = [
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
export function compareRequest(ours: Message, upstream: Message): void {
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

/** What drives the edge while the recording is played. */
export interface Stage {
  until<T>(what: string, condition: () => T | undefined | false, options?: { limitMs?: number }): Promise<T>;
  /** Brings the edge's time to that of a recorded frame; absent where its time is the machine's. */
  reach?(timestamp: number, each: () => void): Promise<void>;
  /** Told that the pod is to be ready from now on. */
  ready(): void;
}

/** What a played recording has shown. */
export interface Played {
  /** Requests held against recorded ones, leases and keepalives apart. */
  compared: Message[];
  /** Ids of cloud messages whose acknowledgement was recorded and came, those of leases apart. */
  confirmed: string[];
  /** Requests beyond upstream's. */
  extra: Message[];
  /** Requests that nobody has answered. */
  pending: Message[];
  /** Reasons for which recorded requests were not awaited. */
  unsent: Set<string>;
  leases: Message[];
  recordedLeases: Message[];
  /** Answers what upstream's edge did not ask. */
  answerExtras(): void;
}

/** The cloud must have been given no other way of answering. */
export async function playRecording(
  cloud: EdgeCloud,
  recording: readonly Recorded[],
  stage: Stage,
): Promise<Played> {
  markFirsts(recording);
  const recordedAnswers = new Map(
    recording.filter(({ from, message }) => from === "cloud" && isAnswer(message))
      .map(({ message }) => [message.header.parentMsgId!, message]),
  );
  const recordedLeases = recording.filter(({ from, message }) =>
    from === "edge" && !isAnswer(message) && isLease(message)
  )
    .map(({ message }) => message);
  /** What the cloud last said, by resource. */
  const lastAnswers = new Map<string, unknown>();
  /** Ids of recorded requests to those of the requests that stand for them. */
  const ids = new Map<string, string>();
  const played: Played = {
    compared: [],
    confirmed: [],
    extra: [],
    pending: [],
    unsent: new Set(),
    leases: [],
    recordedLeases,
    answerExtras() {
      const known = (request: Message) => isPodPatch(request) || lastAnswers.has(request.route.resource);
      for (const request of played.pending.filter(known)) {
        played.pending.splice(played.pending.indexOf(request), 1);
        answerExtra(request);
      }
    },
  };
  const { pending, leases } = played;
  const answerExtra = (request: Message) => {
    played.extra.push(request);
    cloud.sendText(printMessage({
      header: { msgId: crypto.randomUUID(), parentMsgId: request.header.msgId, timestamp: Date.now() },
      route: { ...request.route, source: "edgecontroller", group: "resource", operation: "response" },
      content: lastAnswers.get(request.route.resource) ?? null,
    }));
  };
  cloud.answer = (request) => {
    if (!isLease(request)) {
      pending.push(request);
      return "silence";
    }
    // Leases are a stream of their own: the n-th of an operation is answered as upstream's n-th, or last, was.
    const same = recordedLeases.filter(({ route }) => route.operation === request.route.operation);
    const nth = leases.filter(({ route }) => route.operation === request.route.operation).length;
    leases.push(request);
    const recorded = same[Math.min(nth, same.length - 1)]!;
    return { content: recordedAnswers.get(recorded.header.msgId)!.content };
  };
  const matching = (upstream: Message) => () => {
    const at = pending.findIndex((request) => signature(request) === signature(upstream));
    if (at < 0) {
      if (stage.reach === undefined) played.answerExtras();
      return false;
    }
    const [request] = pending.splice(at, 1);
    if (!isPodPatch(upstream) || podState(request!) === podState(upstream)) return request;
    answerExtra(request!);
    return false;
  };
  const isUnsent = (message: Message) => {
    const row = NOT_SENT.find(({ fits }) => fits(message));
    if (row !== undefined) played.unsent.add(row.why);
    return row !== undefined;
  };

  for (const { from, message } of recording) {
    const { header, route } = message;
    await stage.reach?.(header.timestamp, () => {
      if (isLease(message) || isKeepalive(message)) played.answerExtras();
    });
    if (from === "cloud" && isAnswer(message)) {
      if (isLease(message)) continue;
      const parent = ids.get(header.parentMsgId!);
      lastAnswers.set(route.resource, message.content);
      if (parent !== undefined) cloud.send({ ...message, header: { ...header, parentMsgId: parent } });
    } else if (from === "cloud") {
      cloud.send(message);
    } else if (isAnswer(message)) {
      if (isLease(message)) continue;
      const [ack, ...more] = await stage.until(`the acknowledgement of ${signature(message)}`, () => {
        const acks = cloud.acks(header.parentMsgId!);
        return acks.length > 0 && acks;
      }, { limitMs: 5000 });
      compareAck(ack!.message, message);
      assert.equal(more.length, 0, "it is acknowledged once");
      played.confirmed.push(header.parentMsgId!);
    } else if (!isLease(message) && !isKeepalive(message) && !isUnsent(message)) {
      if (isPodPatch(message) && podState(message) === "ready=True") stage.ready();
      const request = await stage.until(signature(message), matching(message), { limitMs: 15_000 });
      compareRequest(request, message);
      played.compared.push(request);
      ids.set(header.msgId, request.header.msgId);
    }
  }
  return played;
}

function compareAck(ours: Message, upstream: Message): void {
  assert.equal(ours.content, upstream.content);
  assert.equal(ours.route.operation, "response");
  assert.equal(ours.route.resource, upstream.route.resource);
  // The cloud looks at the operation and the parent only; for devices upstream's metamanager writes groups of its own.
  if (upstream.route.group !== "twin") assert.deepEqual(ours.route, upstream.route);
}

/** Holds what was played against the tables of differences. */
export function checkDifferences(played: Played): void {
  assert.deepEqual(played.pending, [], "nothing was asked that upstream did not ask");
  for (const request of [...played.extra, ...played.leases.slice(1, 2)]) {
    assert.ok(ALSO_SENT.some(({ fits }) => fits(request)), `unexpected: ${signature(request)}`);
  }
  const rows = NOT_SENT.map(({ why }) => why).sort();
  assert.deepEqual([...played.unsent].sort(), rows, "each difference still exists");
  assert.equal(played.compared.length, 12, "requests other than leases and keepalives");
  assert.equal(
    played.confirmed.length,
    28,
    "every acknowledgement of upstream's edge, those of leases apart",
  );
}

/** Holds the dial and the requests for certificates against upstream's. */
export function checkDial(cloud: EdgeCloud): void {
  const { path, headers, peer } = cloud.handshakes[0]!;
  assert.equal(path, `/e632aba927ea4ac2b575ec1603d56f10/${cloud.nodeName}/events`);
  assert.equal(peer, `system:node:${cloud.nodeName}`);
  const { node_id, project_id, connectionuse, origin, "sec-websocket-protocol": protocol } = headers;
  assert.deepEqual({ node_id, project_id, connectionuse, origin, protocol }, {
    node_id: cloud.nodeName,
    project_id: "e632aba927ea4ac2b575ec1603d56f10",
    connectionuse: "msg",
    origin: undefined,
    protocol: undefined,
  });
  assert.deepEqual(cloud.pki.requests.map((r) => r.path), ["/ca.crt", "/edge.crt"]);
  assert.equal(cloud.pki.requests[1]!.nodeName, cloud.nodeName);
  assert.match(
    cloud.pki.requests[1]!.authorization,
    /^Bearer [^.]+\.[^.]+\.[^.]+$/,
    "the token without its hash",
  );
  assert.equal(cloud.sessions, 1, "one link all along");
}
