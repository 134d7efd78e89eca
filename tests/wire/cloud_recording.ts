/** Upstream's recorded session, as the tests of a cloud play it. For tests only. */

/** A message as it is on the wire. */
export interface WireMessage {
  header: {
    msg_id: string;
    parent_msg_id?: string;
    timestamp: number;
    resourceversion?: string;
    sync?: boolean;
    type?: string;
  };
  route: { source?: string; group?: string; operation?: string; resource?: string };
  content: unknown;
}

/** One recorded message. */
export interface RecordedFrame {
  from: "edge" | "cloud";
  json: WireMessage;
}

export interface Recording {
  /** The heads of the upgrade's request and of its answer, without the empty line. */
  upgrade: { request: string; answer: string };
  frames: RecordedFrame[];
  /** By recorded id of a message of the edge: the cloud's reply. */
  replies: ReadonlyMap<string, WireMessage>;
  /** Recorded ids of the cloud's messages that the edge acknowledged. */
  acknowledged: ReadonlySet<string>;
}

/** The node of the recording. */
export const RECORDED_NODE = "edge-ke";

const FILE = new URL("../testdata/upstream/v1.23.1/session.jsonl", import.meta.url);

type Line = { dir: string } & ({ http: string } | { json: WireMessage });

/** Reads the recording. */
export async function readRecording(): Promise<Recording> {
  const lines = (await Deno.readTextFile(FILE)).trim().split("\n").map((line) => JSON.parse(line) as Line);
  const heads = lines.filter((line) => "http" in line).map((line) => line.http);
  const frames: RecordedFrame[] = lines.filter((line) => "json" in line)
    .map(({ dir, json }) => ({ from: dir === "edge->cloud" ? "edge" : "cloud", json }));
  const parents = (from: RecordedFrame["from"]) =>
    frames.filter((frame) => frame.from === from && frame.json.header.parent_msg_id !== undefined)
      .map(({ json }) => [json.header.parent_msg_id!, json] as const);
  return {
    upgrade: { request: heads[0]!, answer: heads[1]! },
    frames,
    replies: new Map(parents("cloud")),
    acknowledged: new Set(parents("edge").map(([parent]) => parent)),
  };
}

/** The type in a resource: `<namespace>/<type>[/<name>]`. */
export function typeOf({ route }: WireMessage): string {
  return route.resource?.split("/")[1] ?? "";
}

/** Types whose replies upstream's edgecore fetches for itself and acknowledges. Upstream: edge/pkg/metamanager/process.go @ 16cd854 */
const FETCHED = new Set([
  "configmap",
  "secret",
  "persistentvolume",
  "persistentvolumeclaim",
  "volumeattachment",
  "serviceaccounttoken",
  "lease",
  "certificatesigningrequest",
]);

/** Whether upstream's edgecore acknowledges a message of the cloud: every push of an object, and every reply it fetched. */
export function isAcknowledged(message: WireMessage, request: WireMessage | undefined): boolean {
  const { group, operation } = message.route;
  if (message.header.parent_msg_id === undefined) return group === "resource";
  if (operation !== "response" || request === undefined) return false;
  const type = typeOf(request);
  if (type === "node" || type === "pod") return request.route.operation === "insert";
  return FETCHED.has(type);
}
