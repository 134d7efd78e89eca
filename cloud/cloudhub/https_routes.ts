import type { IncomingMessage, ServerResponse } from "node:http";
import { errorText, findStatusError, isNotFound, StatusError } from "../../common/errors/mod.ts";
import { type KubeReader, NODES } from "../../common/kubeclient/mod.ts";
import { CloudModule, type Message, newMessage, parseJson } from "../../common/model/mod.ts";
import { type Clock, type Logger, News, type Send, throttle } from "../../common/module/mod.ts";
import type { Der } from "../../common/pki/mod.ts";
import { peerCertificate } from "./listener.ts";
import type { HubMetrics } from "./metrics.ts";
import { answerCertificateRequest, type NodeCertificateComponents } from "./node_certificates.ts";
import { isNodeName } from "./node_name.ts";

/** What the handlers of the HTTPS endpoint use. */
export interface HttpsComponents {
  kube: Pick<KubeReader, "get">;
  certificates: NodeCertificateComponents;
  /** Absent when no task manager runs. */
  taskManager: Send<Message> | undefined;
  metrics: HubMetrics;
  clock: Clock;
  log: Logger;
}

/** What the handlers of one endpoint share. */
interface HttpsContext extends HttpsComponents {
  bodies: BodyBudget;
  /** Which refusals were told of. */
  news: News;
  /** Tells of a refusal, since anybody can bring about as many as he likes: some at once, then one each second. */
  complain: (message: string, fields: Record<string, unknown>) => void;
}

/** What a method and a path ask for. */
export type HttpsRoute =
  | { kind: "ca" }
  | { kind: "certificate" }
  | { kind: "node"; node: string }
  | { kind: "nodeUpgrade" }
  | { kind: "taskStatus"; taskType: string; taskId: string; node: string }
  | { kind: "methodNotAllowed"; allow: string }
  | { kind: "malformed" }
  | { kind: "notFound" };

/** Limits of request bodies, bytes. Upstream: kubeedge common/constants/default.go @ 16cd854 */
const MAX_CSR_BYTES = 1024 * 1024;
const MAX_STATUS_BYTES = 3 * 1024 * 1024;
/** What of all bodies may be held at a time, beside the first part of each: nobody need be known to send one. */
const MAX_BODIES_BYTES = 32 * 1024 * 1024;
const FREE_BODY_BYTES = 64 * 1024;
/** Refusals that are logged before they are held to one each second. */
const COMPLAINTS = 20;
const COMPLAINT_INTERVAL_MS = 1_000;

/**
 * Finds the route; a slash at the end does not count. Pure.
 * Upstream: kubeedge cloud/pkg/cloudhub/servers/httpserver/server.go @ 16cd854
 */
export function routeHttps(method: string, target: string): HttpsRoute {
  const path = decodePath(target.split("?", 1)[0]!);
  if (path === undefined) return { kind: "malformed" };
  const parts = path.split("/").slice(1);
  if (parts.length > 1 && parts.at(-1) === "") parts.pop();
  const [first = "", a = "", , b = "", , c = "", last] = parts;
  const only = (allow: string, route: HttpsRoute): HttpsRoute =>
    method === allow ? route : { kind: "methodNotAllowed", allow };
  if (parts.length === 1) {
    if (first === "ca.crt") return only("GET", { kind: "ca" });
    if (first === "edge.crt") return only("GET", { kind: "certificate" });
    if (first === "nodeupgrade") return only("POST", { kind: "nodeUpgrade" });
  }
  if (first === "node" && parts.length === 2 && a !== "") return only("GET", { kind: "node", node: a });
  if (
    first === "task" && parts.length === 7 && parts[2] === "name" && parts[4] === "node" && last === "status"
  ) return only("POST", { kind: "taskStatus", taskType: a, taskId: b, node: c });
  return { kind: "notFound" };
}

function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

interface Answer {
  status: number;
  body: string | Uint8Array;
  /** The methods there are. */
  allow?: string;
}

/** The handler of the HTTPS endpoint. It never throws; what fails unexpectedly is logged and answered with 500. */
export function httpsHandler(
  components: HttpsComponents,
): (request: IncomingMessage, response: ServerResponse) => void {
  const context = {
    ...components,
    bodies: new BodyBudget(),
    news: new News(components.clock),
    complain: complainer(components),
  };
  return (request, response) => {
    answer(request, context).catch((error): Answer => {
      components.log.error("Cannot answer a request", error, { method: request.method, path: request.url });
      return { status: 500, body: "internal error" };
    }).then(async ({ status, body, allow }) => {
      await discardRest(request);
      if (response.destroyed || response.headersSent) return;
      const binary = typeof body !== "string";
      response.writeHead(status, {
        "Content-Type": binary ? "application/octet-stream" : "text/plain; charset=utf-8",
        "Content-Length": binary ? body.length : new TextEncoder().encode(body).length,
        ...(allow === undefined ? {} : { Allow: allow }),
        // Joins are rare and far apart: an idle connection would only take one of the places.
        Connection: "close",
      });
      response.end(body);
    });
  };
}

function complainer({ clock, log }: Pick<HttpsComponents, "clock" | "log">): HttpsContext["complain"] {
  const sparsely = throttle(clock, COMPLAINT_INTERVAL_MS);
  let left = COMPLAINTS;
  let at = clock.elapsed();
  return (message, fields) => {
    const now = clock.elapsed();
    if (now - at >= COMPLAINTS * COMPLAINT_INTERVAL_MS) left = COMPLAINTS;
    at = now;
    if (left > 0) {
      left--;
      return log.warning(message, fields);
    }
    sparsely((suppressed) => log.warning(message, { ...fields, ...(suppressed > 0 && { suppressed }) }));
  };
}

async function answer(request: IncomingMessage, components: HttpsContext): Promise<Answer> {
  const route = routeHttps(request.method ?? "GET", request.url ?? "/");
  switch (route.kind) {
    case "ca":
      return { status: 200, body: components.certificates.authority.certificate };
    case "certificate":
      return await certificate(request, components);
    case "node":
      return await node(route.node, components);
    case "nodeUpgrade":
      return await status(request, "upgrade", upgradeResource, route.kind, components);
    case "taskStatus":
      return await status(
        request,
        route.taskType,
        () => `task/${route.taskId}/node/${route.node}`,
        route.kind,
        components,
      );
    case "methodNotAllowed":
      return { status: 405, body: "405: Method Not Allowed", allow: route.allow };
    case "malformed":
      return { status: 400, body: "400 Bad Request" };
    case "notFound":
      return { status: 404, body: "404: Page Not Found" };
  }
}

async function certificate(request: IncomingMessage, components: HttpsContext): Promise<Answer> {
  const { headers } = request;
  const node = headers.nodename;
  const usages = headers.extkeyusages;
  const decided = await answerCertificateRequest({
    node: typeof node === "string" ? node : "",
    authorization: headers.authorization ?? "",
    extKeyUsages: typeof usages === "string" ? usages : "",
    peerCertificate: peerCertificate(request),
    csr: () => readBody(request, MAX_CSR_BYTES, components.bodies),
  }, components.certificates);
  components.metrics.joins.inc(1, { result: decided.result });
  if (decided.status === 200) {
    components.log.info("Signed a node certificate", { node, result: decided.result });
    return { status: 200, body: decided.body };
  }
  const refused = { node, reason: decided.text, from: peerOf(request) };
  // Edges try again and again with the token that they have.
  const isNew = components.news.isNew(`${refused.from} ${String(node).slice(0, 300)}`, decided.text);
  (isNew ? components.complain : components.log.debug)("Refused a node certificate", refused);
  return { status: decided.status, body: decided.text };
}

const peerOf = (request: IncomingMessage) => request.socket.remoteAddress;

async function node(name: string, { kube, log }: HttpsComponents): Promise<Answer> {
  if (!isNodeName(name)) return { status: 404, body: "Node not found" };
  try {
    await kube.get(NODES, { name });
    return { status: 200, body: "Node found" };
  } catch (error) {
    if (isNotFound(error)) return { status: 404, body: "Node not found" };
    log.error("Cannot look for a node", error, { node: name });
    return { status: 500, body: "Failed to query node information" };
  }
}

/** What upstream calls reading the body of each of the two. */
const UNREADABLE = {
  taskStatus: "failed to unmarshal task info",
  nodeUpgrade: "failed to marshal task info",
};

/** An upgrade of edges before v1.16 names its task and node in the body; upstream builds this before it reads that. */
function upgradeResource({ UpgradeID, NodeName }: Record<string, unknown>): string {
  const part = (value: unknown) => typeof value === "string" && !value.includes("/") ? value : "";
  return `task/${part(UpgradeID)}/node/${part(NodeName)}`;
}

async function status(
  request: IncomingMessage,
  operation: string,
  resourceOf: (content: Record<string, unknown>) => string,
  kind: keyof typeof UNREADABLE,
  { taskManager, bodies, complain }: HttpsContext,
): Promise<Answer> {
  let bytes: Der;
  try {
    bytes = await readBody(request, MAX_STATUS_BYTES, bodies);
  } catch (error) {
    const status = findStatusError(error);
    if (status === undefined) throw error;
    if (status.reason === "TooManyRequests") return { status: 503, body: status.message };
    const what = status.reason === "RequestEntityTooLarge"
      ? "Request entity too large"
      : "failed to get req body";
    return { status: 400, body: `${what}: ${status.message}` };
  }
  let content: unknown;
  try {
    content = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return { status: 400, body: `${UNREADABLE[kind]}: ${errorText(error)}` };
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return { status: 400, body: `${UNREADABLE[kind]}: an object is expected` };
  }
  const resource = resourceOf(content as Record<string, unknown>);
  if (taskManager === undefined) {
    complain("Refused a task status: modules.taskManager is not enabled", {
      resource,
      from: peerOf(request),
    });
    return { status: 503, body: "Cannot take the status: modules.taskManager is not enabled in cloudcore" };
  }
  const { cloudHub } = CloudModule;
  await taskManager(newMessage({ source: cloudHub, group: cloudHub, operation, resource }, content));
  return { status: 200, body: "ok" };
}

/** What is still read of a request that is answered before its body was. */
const DISCARD_BYTES = 4 * 1024 * 1024;

/**
 * A client that is cut off while it writes would not see its answer, so what it writes is read and forgotten, within bounds: the
 * listener ends the connection when its time is up.
 */
function discardRest(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let length = 0;
    function done(): void {
      for (const event of ["end", "close", "error"]) request.off(event, done);
      request.off("data", count);
      request.pause();
      resolve();
    }
    function count(chunk: Uint8Array): void {
      length += chunk.length;
      if (length > DISCARD_BYTES) done();
    }
    for (const event of ["end", "close", "error"]) request.on(event, done);
    request.on("data", count);
    request.resume();
  });
}

/** Counts what is held of the bodies of all requests. */
class BodyBudget {
  #held = 0;

  /** Takes room for more of a body; false when there is none. */
  take(bytes: number): boolean {
    if (this.#held + bytes > MAX_BODIES_BYTES) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}

/**
 * The whole body.
 * @throws {StatusError} RequestEntityTooLarge over the limit, BadRequest when it is cut off, TooManyRequests while too much is read
 */
async function readBody(request: IncomingMessage, limitBytes: number, budget: BodyBudget): Promise<Der> {
  let taken = 0;
  const take = (bytes: number) => {
    if (!budget.take(bytes)) return false;
    taken += bytes;
    return true;
  };
  try {
    return await collectBody(request, limitBytes, take);
  } finally {
    budget.giveBack(taken);
  }
}

function collectBody(
  request: IncomingMessage,
  limitBytes: number,
  take: (bytes: number) => boolean,
): Promise<Der> {
  const tooLarge = () =>
    new StatusError(
      "RequestEntityTooLarge",
      `http: request body too large; it is larger than ${limitBytes} bytes`,
    );
  return new Promise((resolve, reject) => {
    if (Number(request.headers["content-length"] ?? 0) > limitBytes) return reject(tooLarge());
    const chunks: Uint8Array[] = [];
    let length = 0;
    const collect = (chunk: Uint8Array): void => {
      length += chunk.length;
      const isTooLarge = length > limitBytes;
      if (!isTooLarge && (length <= FREE_BODY_BYTES || take(chunk.length))) {
        chunks.push(chunk);
        return;
      }
      request.off("data", collect);
      request.pause();
      chunks.length = 0;
      reject(
        isTooLarge
          ? tooLarge()
          : new StatusError("TooManyRequests", "too many requests are being read: try again later"),
      );
    };
    request.on("data", collect);
    request.on("end", () => {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        whole.set(chunk, at);
        at += chunk.length;
      }
      resolve(whole);
    });
    const cut = () => reject(new StatusError("BadRequest", "the connection ended before the body did"));
    if (request.destroyed) return cut();
    request.on("error", cut);
    request.on("close", cut);
  });
}
