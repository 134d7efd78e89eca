/** The recorded traffic of upstream's cloudcore and edgecore, as the tests of an edge play it. For tests only. */
import { type Message, messageFromJson } from "../../common/model/mod.ts";
import { isObject, type Json } from "./edge_cloud.ts";

export const RECORDED_NODE = "edge-ke";
const FILE = new URL("../testdata/upstream/v1.23.1/session.jsonl", import.meta.url);

/** One recorded frame. */
export interface Recorded {
  from: "edge" | "cloud";
  /** As it was on the wire, times moved. */
  json: Json;
  message: Message;
}

/** What of a recording cannot stay as it was: the day, since tokens expire, and where a pod answers its probe. */
export interface Adapting {
  /** When the recorded edge started, Unix milliseconds. @default when it did */
  startsAt?: number;
  /** Port of the readiness probe. @default 8080, as recorded */
  probePort?: number;
}

/** Every message of the recording, in order. */
export async function readRecording({ startsAt, probePort }: Adapting = {}): Promise<Recorded[]> {
  const lines = (await Deno.readTextFile(FILE)).trim().split("\n")
    .map((line) => JSON.parse(line) as { dir: string; json?: Json })
    .filter((line) => line.json !== undefined);
  const first = messageFromJson(lines[0]!.json).header.timestamp;
  const shiftMs = startsAt === undefined ? 0 : startsAt - first;
  return lines.map(({ dir, json }) => {
    const adapted = adapt(json, shiftMs, probePort) as Json;
    return {
      from: dir === "edge->cloud" ? "edge" : "cloud",
      json: adapted,
      message: messageFromJson(adapted),
    };
  });
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

function adapt(value: unknown, shiftMs: number, probePort: number | undefined, key = ""): unknown {
  if (typeof value === "string" && TIME.test(value)) {
    const moved = new Date(Date.parse(value) + shiftMs).toISOString();
    return value.includes(".") ? moved : moved.replace(/\.\d+/, "");
  }
  if (Array.isArray(value)) return value.map((item) => adapt(item, shiftMs, probePort));
  if (!isObject(value)) return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, adapt(item, shiftMs, probePort, name)]),
  );
  if (key === "httpGet" && probePort !== undefined) copy.port = probePort;
  return copy;
}
