/**
 * Requests to the HTTPS endpoint of a cloudcore (port 10002), sent byte by byte, and their answers: the same ones are asked of
 * upstream's cloudcore, once, by `cloud_https_record.ts`, and of ours by the test.
 */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { connect } from "node:tls";
import type { NodeCredentials } from "../../cloud/cloudhub/_testing.ts";
import {
  type Authority,
  createAuthority,
  createNodeRequest,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../../common/pki/mod.ts";
import {
  Name,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "../../common/pki/_x509.ts";
import { exportSec1, generateKeys } from "../../common/pki/mod.ts";
import type { CloudAddress } from "./cloud_core.ts";

/** One request. */
export interface HttpsCase {
  name: string;
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** Send the body in chunks, without a length. */
  chunked?: boolean;
  credentials?: NodeCredentials;
}

/** One answer. Header names are lower case. */
export interface HttpsAnswer {
  status: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** The node that every case is about; it must not exist. */
export const NODE = "edge-http";
/** A Node that must exist. */
export const PRESENT = "edge-present";

const SUBJECT = { C: "CN", ST: "Zhejiang", L: "Hangzhou", O: "system:nodes", CN: `system:node:${NODE}` };

interface RequestParts {
  subject?: Record<string, string>;
  dnsNames?: string[];
  addresses?: string[];
}

/** A certificate request with any subject and names, and its key. */
export async function csrOf(
  { subject = SUBJECT, dnsNames = [], addresses = [] }: RequestParts = {},
): Promise<{
  csr: Uint8Array;
  key: Uint8Array<ArrayBuffer>;
}> {
  const keys = await generateKeys();
  const names = [
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...addresses.map((value) => ({ type: "ip" as const, value })),
  ];
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: new Name(Object.entries(subject).map(([key, value]) => ({ [key]: [value] }))).toString(),
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    ...(names.length === 0 ? {} : { extensions: [new SubjectAlternativeNameExtension(names)] }),
  });
  return { csr: new Uint8Array(request.rawData), key: await exportSec1(keys.privateKey) };
}

/** A certificate for any subject from any authority. */
export async function credentials(
  authority: Authority,
  subject: Record<string, string>,
  more: { now?: number; usages?: number[] } = {},
): Promise<NodeCredentials> {
  const { csr, key } = await csrOf({ subject });
  const certificate = await signNodeRequest(authority, new Uint8Array(csr), {
    now: more.now ?? Date.now(),
    validityDays: 1,
    extKeyUsages: more.usages ?? [2],
  });
  return { cert: printPem("CERTIFICATE", certificate), key: printEcKeyPem(key) };
}

const base64url = (value: string | Uint8Array) => Buffer.from(value).toString("base64url");

/** A JWT of any kind, signed with any key. */
function jwt(header: unknown, claims: unknown, key: Uint8Array, hash = "sha256"): string {
  const signed = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest("base64url")}`;
}

const HS256 = { alg: "HS256", typ: "JWT" };

/** All cases for one cloudcore. */
export async function httpsCases(
  { authority, jwt: token, token: whole }: CloudAddress,
): Promise<HttpsCase[]> {
  const { csr } = await createNodeRequest(NODE);
  const soon = Math.floor(Date.now() / 1000) + 3600;
  const other = await loadAuthority(await createAuthority(Date.now()));
  const mine = await credentials(authority, SUBJECT);
  const forged = csr.slice();
  const at = Buffer.from(forged).indexOf("Hangzhou");
  forged.set(Buffer.from("Hangzhow"), at);
  const get = (name: string, path: string, more: Partial<HttpsCase> = {}): HttpsCase => ({
    name,
    method: "GET",
    path,
    ...more,
  });
  const ask = (name: string, authorization: string | undefined, more: Partial<HttpsCase> = {}): HttpsCase =>
    get(name, "/edge.crt", {
      body: csr,
      ...more,
      headers: {
        NodeName: NODE,
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...more.headers,
      },
    });
  const bearer = `Bearer ${token}`;
  const join = (name: string, more: Partial<HttpsCase> = {}) => ask(name, bearer, more);
  const renew = (name: string, shown: NodeCredentials, more: Partial<HttpsCase> = {}) =>
    ask(name, undefined, { credentials: shown, ...more });
  const post = (name: string, path: string, body: string | Uint8Array, more: Partial<HttpsCase> = {}) => ({
    name,
    method: "POST",
    path,
    body,
    ...more,
  });
  const claims = { exp: soon };
  const response =
    '{"NodeName":"edge-http","State":"Success","Event":"Upgrade","Action":"Success","Time":"","Reason":""}';
  const legacy =
    '{"UpgradeID":"u","HistoryID":"h","NodeName":"edge-http","FromVersion":"a","ToVersion":"b","Status":"upgrade_success"}';
  const status = `/task/upgrade/name/t-1/node/${NODE}/status`;
  const large = (bytes: number) => new Uint8Array(bytes).fill(0x20);
  return [
    get("the CA", "/ca.crt"),
    get("the CA, with a query", "/ca.crt?a=b"),
    get("the CA, with a slash behind it", "/ca.crt/"),
    get("the CA, with a certificate", "/ca.crt", { credentials: mine }),
    get("the CA, accepting only JSON", "/ca.crt", { headers: { Accept: "application/json" } }),
    get("the CA, with a body of some type", "/ca.crt", {
      headers: { "Content-Type": "application/xml" },
      body: "<a/>",
    }),
    { name: "the CA by POST", method: "POST", path: "/ca.crt", body: "" },
    { name: "the CA by HEAD", method: "HEAD", path: "/ca.crt" },
    { name: "the CA by OPTIONS", method: "OPTIONS", path: "/ca.crt" },
    get("the root", "/"),
    get("an unknown path", "/nothing"),
    get("an unknown path below a known one", "/ca.crt/more"),
    { name: "an unknown path by POST", method: "POST", path: "/nothing", body: "" },

    join("joining"),
    join("joining, the body in chunks", { chunked: true }),
    ask("joining with another scheme word", `Token ${token}`),
    ask("joining with HS384", `Bearer ${jwt({ ...HS256, alg: "HS384" }, claims, authority.key, "sha384")}`),
    ask("joining with a token that does not expire", `Bearer ${jwt(HS256, {}, authority.key)}`),
    ask("joining without a token", undefined),
    ask("joining with an empty token", ""),
    ask("joining with one word", "Bearer"),
    ask("joining with three words", "Bearer a b"),
    ask("joining with two spaces", `Bearer  ${token}`),
    ask("joining with the whole token", `Bearer ${whole}`),
    ask("joining with a token that is none", "Bearer a.b.c"),
    ask("joining with a token of one part", "Bearer abc"),
    ask("joining with a token of another CA", `Bearer ${jwt(HS256, claims, other.key)}`),
    ask("joining with an expired token", `Bearer ${jwt(HS256, { exp: 1_700_000_000 }, authority.key)}`),
    ask("joining with a token for later", `Bearer ${jwt(HS256, { exp: soon, nbf: soon }, authority.key)}`),
    ask(
      "joining with a token without signature",
      `Bearer ${base64url('{"alg":"none"}')}.${base64url("{}")}.`,
    ),
    ask("joining by POST", bearer, { method: "POST" }),
    join("joining with usages", { headers: { ExtKeyUsages: "[2,1]" } }),
    join("joining with an empty list of usages", { headers: { ExtKeyUsages: "[]" } }),
    join("joining with usages that are no list", { headers: { ExtKeyUsages: '{"a":1}' } }),
    join("joining with usages that are not JSON", { headers: { ExtKeyUsages: "client" } }),
    join("joining with a usage of no meaning", { headers: { ExtKeyUsages: "[99]" } }),
    join("joining without a name", { headers: { NodeName: "" } }),
    join("joining with a name that is not the request's", { headers: { NodeName: "edge-other" } }),
    join("joining with a name that no node has", { headers: { NodeName: "a/b" } }),
    join("joining with an empty request", { body: "" }),
    join("joining with a request that is none", { body: "hello" }),
    join("joining with a request in PEM", { body: printPem("CERTIFICATE REQUEST", csr) }),
    join("joining with a request changed after it was signed", { body: forged }),
    join("joining with a request without a name", { body: (await csrOf({ subject: { O: "x" } })).csr }),
    join("joining with a request for names", {
      body: (await csrOf({ dnsNames: ["edge-http.example"], addresses: ["192.0.2.7"] })).csr,
    }),
    join("joining with a request for names, as a server", {
      body: (await csrOf({ dnsNames: ["edge-http.example"] })).csr,
      headers: { ExtKeyUsages: "[1]" },
    }),
    join("joining with a request of edges before v1.16", {
      body: (await csrOf({ subject: { ...SUBJECT, O: "kubeEdge", CN: "kubeedge.io" } })).csr,
    }),
    join("joining with too large a request", { body: large(1024 * 1024 + 1) }),
    join("joining with too large a request, in chunks", { body: large(1024 * 1024 + 1), chunked: true }),

    renew("renewing", mine),
    renew("renewing with a token that is none", mine, { headers: { Authorization: "nonsense" } }),
    renew("renewing another node's", mine, { headers: { NodeName: "edge-other" } }),
    renew("renewing with a certificate of another CA", await credentials(other, SUBJECT)),
    renew(
      "renewing with an expired certificate",
      await credentials(authority, SUBJECT, { now: Date.now() - 5 * 86_400_000 }),
    ),
    renew(
      "renewing with a server's certificate",
      await credentials(authority, SUBJECT, { usages: [1] }),
    ),
    renew(
      "renewing with a certificate of certgen.sh",
      await credentials(authority, { O: "KubeEdge", CN: "kubeedge.io" }),
    ),
    renew(
      "renewing with a certificate of before v1.16",
      await credentials(authority, { O: "kubeEdge", CN: "kubeedge.io" }),
    ),

    get("a node that is there", `/node/${PRESENT}`),
    get("a node that is not there", `/node/${NODE}`),
    get("a node with a slash behind it", `/node/${PRESENT}/`),
    get("no node", "/node/"),
    get("no node and no slash", "/node"),
    get("something below a node", `/node/${PRESENT}/more`),
    get("a node with an escape", `/node/${PRESENT.replace("-", "%2D")}`),
    get("a node with an escape that is none", "/node/%zz"),
    { name: "a node by POST", method: "POST", path: `/node/${PRESENT}`, body: "" },

    post("a task's status", status, response),
    post("a task's status that is not JSON", status, "{"),
    post("a task's status that is an array", status, "[]"),
    post("a task's status without a body", status, ""),
    post("a task's status that is too large", status, large(3 * 1024 * 1024 + 1)),
    get("a task's status by GET", status),
    post("a task's status, a part missing", `/task/upgrade/name/t-1/node/${NODE}`, response),
    post("an old upgrade's status", "/nodeupgrade", legacy),
    post("an old upgrade's status that is not JSON", "/nodeupgrade", "{"),
    post("an old upgrade's status that is too large", "/nodeupgrade", large(3 * 1024 * 1024 + 1)),
    get("an old upgrade's status by GET", "/nodeupgrade"),
  ];
}

const CHUNK = 64 * 1024;

function* requestBytes(
  port: number,
  { method, path, headers, body, chunked }: HttpsCase,
): Generator<Uint8Array> {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const lines = Object.entries({
    Host: `127.0.0.1:${port}`,
    "User-Agent": "Go-http-client/1.1",
    ...headers,
    ...(bytes === undefined
      ? {}
      : chunked
      ? { "Transfer-Encoding": "chunked" }
      : { "Content-Length": String(bytes.length) }),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  yield Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  if (bytes === undefined) return;
  for (let from = 0; from < bytes.length; from += CHUNK) {
    const part = bytes.subarray(from, from + CHUNK);
    yield chunked ? Buffer.from(`${part.length.toString(16)}\r\n`) : Buffer.alloc(0);
    yield part;
    yield chunked ? Buffer.from("\r\n") : Buffer.alloc(0);
  }
  if (chunked) yield Buffer.from("0\r\n\r\n");
}

/** Sends one request on a connection of its own and reads the answer to its end. @throws when there is none in ten seconds */
export function askHttps({ httpsPort, ca }: CloudAddress, request: HttpsCase): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect({
      host: "127.0.0.1",
      port: httpsPort,
      ca,
      ALPNProtocols: ["http/1.1"],
      ...request.credentials,
    });
    const timer = setTimeout(() => finish(new Error(`No answer to "${request.name}"`)), 60_000);
    let done = false;
    function finish(error?: Error): void {
      if (done) return;
      done = true;
      clearTimeout(timer);
      const answer = parseAnswer(received, request.method);
      socket.once("close", () => answer === undefined ? reject(error) : resolve(answer));
      socket.destroy();
    }
    socket.on("secureConnect", () => {
      for (const part of requestBytes(httpsPort, request)) if (part.length > 0) socket.write(part);
    });
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (parseAnswer(received, request.method) !== undefined) finish();
    });
    socket.on("error", (error) => finish(error));
    socket.on("end", () => finish(new Error(`The answer to "${request.name}" is cut off`)));
  });
}

/** The answer once it is whole. */
function parseAnswer(bytes: Buffer, method: string): HttpsAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [status = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const body = bytes.subarray(end + 4);
  const length = method === "HEAD" ? 0 : Number(headers["content-length"] ?? 0);
  return body.length < length ? undefined : { status, headers, body: body.subarray(0, length) };
}
