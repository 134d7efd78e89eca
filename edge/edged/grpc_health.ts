import http2 from "node:http2";

/** What a server says of its health, as `grpc.health.v1.HealthCheckResponse.ServingStatus` names it. */
export type ServingStatus = "UNKNOWN" | "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";

const STATUSES: readonly ServingStatus[] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/** Longest answer that is read. */
const MAX_ANSWER_BYTES = 16 * 1024;
/** gRPC's status for a method that a server does not have. */
const UNIMPLEMENTED = "12";

/**
 * Asks a server for its health over gRPC without TLS, as the kubelet's probes do.
 * Upstream: kubelet pkg/probe/grpc/grpc.go @ v1.32
 * @throws {Error} that the server cannot be reached, or why its answer is none; the signal's reason
 */
export async function checkHealth(
  { hostname, port, service }: { hostname: string; port: number; service: string },
  signal: AbortSignal,
): Promise<ServingStatus> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const session = http2.connect(`http://${host}:${port}`);
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  session.on("error", reject);
  session.on("close", () => reject(new Error("The server closed the connection without an answer")));
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      "user-agent": "kube-probe/1.32",
      te: "trailers",
    });
    const chunks: Uint8Array[] = [];
    let size = 0;
    const judge = (headers: Record<string, unknown>) => {
      const status = headers["grpc-status"];
      if (status === undefined || status === "0") return;
      const message = String(headers["grpc-message"] ?? "").slice(0, 1024);
      reject(
        new Error(
          status === UNIMPLEMENTED
            ? "This server does not implement the grpc health protocol (grpc.health.v1.Health)"
            : `The health check failed with gRPC status ${String(status).slice(0, 16)}: ${message}`,
        ),
      );
    };
    stream.on("error", reject);
    stream.on("response", (headers: Record<string, unknown>) => {
      if (headers[":status"] !== 200) reject(new Error(`The server answered HTTP ${headers[":status"]}`));
      judge(headers);
    });
    stream.on("trailers", judge);
    stream.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) return reject(new RangeError("The answer is too long"));
      chunks.push(chunk);
    });
    stream.on("end", () => resolve(joined(chunks, size)));
    stream.end(healthRequest(service));
    return readHealthResponse(await promise);
  } finally {
    signal.removeEventListener("abort", stop);
    session.destroy();
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The message `HealthCheckRequest{service}` in gRPC's frame. */
export function healthRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  const length = name.length < 128 ? [name.length] : [(name.length & 127) | 128, name.length >> 7];
  const message = name.length === 0 ? [] : [0x0a, ...length, ...name];
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

/** Reads a framed `HealthCheckResponse`. @throws {RangeError} when it is none */
export function readHealthResponse(frame: Uint8Array): ServingStatus {
  if (frame.length < 5 || frame[0] !== 0) throw new RangeError("The answer is not a plain gRPC message");
  const length = new DataView(frame.buffer, frame.byteOffset).getUint32(1);
  if (length !== frame.length - 5) throw new RangeError("The answer is not one gRPC message");
  let at = 5;
  const varint = (): number => {
    for (let value = 0, scale = 1; at < frame.length && scale < 2 ** 49; scale *= 128) {
      const byte = frame[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new RangeError("The answer holds a number that does not end");
  };
  let status = 0;
  while (at < frame.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) {
      const value = varint();
      if (tag === 8) status = value;
    } else if (kind === 1) at += 8;
    else if (kind === 2) {
      const skipped = varint();
      at += skipped;
    } else if (kind === 5) at += 4;
    else throw new RangeError("The answer holds a field of an unknown kind");
  }
  if (at !== frame.length) throw new RangeError("The answer ends in the middle of a field");
  return STATUSES[status] ?? "UNKNOWN";
}
