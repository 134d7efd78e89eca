/** The HTTPS endpoint of a whole cloudcore against what upstream's answered: `testdata/upstream/v1.23.1/https.jsonl`. */
import assert from "node:assert/strict";
import { NODES } from "../../common/kubeclient/mod.ts";
import { WireCloud } from "./cloud_core.ts";
import { askHttps, type HttpsCase, httpsCases, NODE, PRESENT } from "./cloud_https_cases.ts";
import { type AnswerForm, type CertificateForm, recordAnswer } from "./cloud_https_form.ts";

const RECORDING = new URL("../testdata/upstream/v1.23.1/https.jsonl", import.meta.url);

type Recorded = AnswerForm & { name: string; method: string; path: string };

/** Every answer of ours ends its connection: joins are rare and far apart. Upstream's keeps it open. */
const OUR_HEADERS = { connection: "close" };

/**
 * Where our text goes on after upstream's with what helps: how much of upstream's text must be there. Behind that, Go's own
 * words (the internals of its parsers) are left out by upstream's libraries in one version and not in the next.
 */
const LONGER: Readonly<Record<string, string | undefined>> = {
  "joining with the whole token": undefined,
  "joining with a token that is none": "token validation failure, err: token is malformed",
  "joining with a token of one part": undefined,
  "joining with a token of another CA": undefined,
  "joining with an expired token": undefined,
  "joining with a token for later": undefined,
  "joining with a token without signature":
    "token validation failure, err: token is unverifiable: error while executing keyfunc: invalid token method type, want *jwt.SigningMethodHMAC",
  "joining with usages that are no list":
    `failed to sign certs for edgenode ${NODE}, err: unmarshal http header ExtKeyUsages fail, err: `,
  "joining with usages that are not JSON":
    `failed to sign certs for edgenode ${NODE}, err: unmarshal http header ExtKeyUsages fail, err: `,
  "joining with an empty request":
    `failed to sign certs for edgenode ${NODE}, err: fail to signCerts, err: failed to parse csr, err: `,
  "joining with a request that is none":
    `failed to sign certs for edgenode ${NODE}, err: fail to signCerts, err: failed to parse csr, err: `,
  "joining with a request in PEM":
    `failed to sign certs for edgenode ${NODE}, err: fail to signCerts, err: failed to parse csr, err: `,
  "joining with too large a request": undefined,
  "joining with too large a request, in chunks": undefined,
  "renewing with a certificate of another CA":
    `failed to verify the certificate for edgenode: ${NODE}, err: failed to verify edge certificate: x509: certificate signed by unknown authority`,
  "renewing with an expired certificate":
    `failed to verify the certificate for edgenode: ${NODE}, err: failed to verify edge certificate: x509: certificate has expired or is not yet valid`,
  "renewing with a server's certificate": undefined,
  "a task's status that is not JSON": "failed to unmarshal task info: ",
  "a task's status that is an array": "failed to unmarshal task info: ",
  "a task's status without a body": "failed to unmarshal task info: ",
  "a task's status that is too large": "Request entity too large: ",
  "an old upgrade's status that is not JSON": "failed to marshal task info: ",
  "an old upgrade's status that is too large": "Request entity too large: ",
};

/** Where ours answers otherwise on purpose: upstream's status, ours, our text, and why. */
const OTHERWISE: Readonly<
  Record<string, { theirs: number; ours: number; text: RegExp | null; why: string }>
> = {
  "the CA, accepting only JSON": {
    theirs: 406,
    ours: 200,
    text: null,
    why: "an Accept header keeps nobody from joining",
  },
  "joining without a name": {
    theirs: 200,
    ours: 400,
    text: /header NodeName "" is not the name of a node$/,
    why: "a certificate is for the node that asks",
  },
  "joining with a name that is not the request's": {
    theirs: 200,
    ours: 403,
    text:
      /the request is for "system:node:edge-http", but node edge-other may only ask for "system:node:edge-other"$/,
    why: "a certificate is for the node that asks",
  },
  "joining with a name that no node has": {
    theirs: 200,
    ours: 400,
    text: /header NodeName "a\/b" is not the name of a node$/,
    why: "a certificate is for a node",
  },
  "joining with a request changed after it was signed": {
    theirs: 200,
    ours: 500,
    text: /it is not signed with the key it carries$/,
    why: "the asker must hold the key",
  },
  "joining with a request for names, as a server": {
    theirs: 200,
    ours: 403,
    text: /alternative names are allowed for client certificates only$/,
    why: "a node must not pass for cloudcore",
  },
  "renewing with a certificate of certgen.sh": {
    theirs: 200,
    ours: 401,
    text: /request node name is not match with the certificate$/,
    why: "that certificate stands for every node",
  },
  "a task's status": {
    theirs: 200,
    ours: 503,
    text: /modules\.taskManager is not enabled in cloudcore$/,
    why: "upstream says ok and drops it when its task manager is off",
  },
  "an old upgrade's status": {
    theirs: 200,
    ours: 503,
    text: /modules\.taskManager is not enabled in cloudcore$/,
    why: "upstream says ok and drops it when its task manager is off",
  },
};

/** What an edge before v1.16 gets from upstream speaks for any node; from ours for the one that asked. */
const OLD_EDGE = "joining with a request of edges before v1.16";
const OWN_SUBJECT = `{"O":["system:nodes"]}{"CN":["system:node:${NODE}"]}`;

function statusOf({ status }: AnswerForm): number {
  return Number(status.split(" ")[1]);
}

function compare(ours: AnswerForm, theirs: Recorded): void {
  const other = OTHERWISE[theirs.name];
  if (other !== undefined) {
    assert.deepEqual([statusOf(theirs), statusOf(ours)], [other.theirs, other.ours], other.why);
    if (other.text !== null) assert.match(String(ours.body), other.text, other.why);
    return;
  }
  assert.equal(ours.status, theirs.status);
  const { "content-length": length, connection, ...headers } = ours.headers;
  assert.equal(connection, OUR_HEADERS.connection);
  const { "content-length": _length, connection: _connection, ...recorded } = theirs.headers;
  assert.deepEqual(headers, recorded);
  if (typeof ours.body === "string" && theirs.method !== "HEAD") {
    assert.equal(length, String(new TextEncoder().encode(ours.body).length));
  }
  if (theirs.name === OLD_EDGE) {
    const { certificate } = theirs.body as { certificate: CertificateForm };
    assert.equal(certificate.subject, '{"O":["kubeEdge"]}{"CN":["kubeedge.io"]}');
    assert.deepEqual(ours.body, { certificate: { ...certificate, subject: OWN_SUBJECT } });
  } else if (theirs.name === "a node with an escape that is none") assert.equal(ours.body, "400 Bad Request");
  else if (Object.hasOwn(LONGER, theirs.name)) {
    const text = LONGER[theirs.name] ?? String(theirs.body);
    assert.equal(String(ours.body).slice(0, text.length), text);
    assert.equal(String(theirs.body).slice(0, text.length), text);
  } else assert.deepEqual(ours.body, theirs.body);
}

Deno.test("cloudcore answers every recorded request to its HTTPS endpoint as upstream's did", async (t) => {
  const recorded = (await Deno.readTextFile(RECORDING)).trim().split("\n").map((line) =>
    JSON.parse(line) as Recorded
  );
  await using cloud = await WireCloud.start();
  await cloud.kube.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: PRESENT } });
  const cases = await httpsCases(cloud);
  const named = (all: ReadonlyArray<Pick<HttpsCase, "name" | "method" | "path">>) =>
    all.map(({ name, method, path }) => `${name}: ${method} ${path}`);
  assert.deepEqual(named(cases), named(recorded));
  const known = new Set(cases.map(({ name }) => name));
  for (const name of [...Object.keys(LONGER), ...Object.keys(OTHERWISE)]) assert.ok(known.has(name), name);
  for (const [at, each] of cases.entries()) {
    await t.step(each.name, async () => {
      compare(recordAnswer(await askHttps(cloud, each)), recorded[at]!);
    });
  }
});
