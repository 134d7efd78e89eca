import assert from "node:assert/strict";
import { StatusError } from "../errors/mod.ts";
import { FakeClock } from "../module/fake_clock.ts";
import { createLogger } from "../module/mod.ts";
import { createAuthority, loadAuthority, printPem } from "../pki/mod.ts";
import type { Credential } from "./credentials.ts";
import { AccessReport, rightOf } from "./access_report.ts";

function start(clock = new FakeClock()) {
  const lines: string[] = [];
  const log = createLogger("kubeclient", {
    write: (line) => lines.push(line.replace(/^.*kubeclient\] /, "").trim()),
  });
  const origin = { file: "/k", server: "s", ca: "c", user: "users[0].user.token", files: [] };
  const report = new AccessReport({ server: "https://kube", origin }, {
    log,
    clock,
    rightsFrom: "ClusterRole x",
  });
  return { lines, report, clock };
}

const DENIED = new StatusError(
  "Forbidden",
  'pods is forbidden: User "system:serviceaccount:kubeedge:cloudcore" cannot list resource "pods" in API group ""',
);
const LIST = { method: "GET", path: "/api/v1/pods?limit=500" } as const;

Deno.test("rightOf() names the right that a request needs", async (t) => {
  const rows: Array<[method: Parameters<typeof rightOf>[0]["method"], path: string, right: string]> = [
    ["GET", "/api/v1/pods?limit=500", "list  pods "],
    ["GET", "/api/v1/namespaces/a/pods?watch=true&limit=1", "watch  pods a"],
    ["GET", "/api/v1/namespaces/a/pods/b", "get  pods a"],
    ["PATCH", "/api/v1/namespaces/a/pods/b/status", "patch  pods/status a"],
    ["GET", "/api/v1/namespaces/a", "get  namespaces "],
    ["POST", "/api/v1/namespaces", "create  namespaces "],
    ["DELETE", "/proxy/apis/a.b/v1/namespaces/n/things/x", "delete a.b things n"],
    [
      "PUT",
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x.y",
      "update apiextensions.k8s.io customresourcedefinitions ",
    ],
  ];
  for (const [method, path, expected] of rows) {
    await t.step(`${method} ${path}`, () => {
      const { verb, apiGroup, resource, namespace } = rightOf({ method, path })!;
      assert.equal(`${verb} ${apiGroup} ${resource} ${namespace}`, expected);
    });
  }
  assert.equal(rightOf({ method: "GET", path: "/version" }), undefined);
});

Deno.test("AccessReport names each missing right once, and tells when it is there", () => {
  const { lines, report } = start();
  for (let i = 0; i < 3; i++) report.refused(LIST, DENIED, {});
  report.refused({ method: "GET", path: "/api/v1/namespaces/a/pods/b" }, DENIED, {});
  report.allowed({ method: "GET", path: "/api/v1/nodes" });
  report.allowed(LIST);
  report.refused(LIST, DENIED, {});
  const user = 'user="system:serviceaccount:kubeedge:cloudcore" fix="ClusterRole x"';
  const missing = '"A right is missing; what needs it is tried again, all else goes on"';
  assert.deepEqual(lines, [
    `${missing} verb="list" resource="pods" apiGroup="" ${user}`,
    `${missing} verb="get" resource="pods" apiGroup="" namespace="a" ${user}`,
    '"A right that was missing is there now" verb="list" apiGroup="" resource="pods" namespace=""',
    `${missing} verb="list" resource="pods" apiGroup="" ${user}`,
  ]);
});

Deno.test("AccessReport takes a refusal by admission for no missing right", () => {
  const { lines, report } = start();
  const message = 'pods "a" is forbidden: exceeded quota: small, requested: pods=1';
  report.refused(
    { method: "POST", path: "/api/v1/namespaces/a/pods" },
    new StatusError("Forbidden", message),
    {},
  );
  assert.deepEqual(lines, []);
});

Deno.test("AccessReport tells an outage once, its change of reason, and its end", async () => {
  const { lines, report, clock } = start();
  const error = (why: string) => new StatusError("ServiceUnavailable", `Cannot reach https://kube: ${why}`);
  report.reached();
  for (let i = 0; i < 3; i++) report.unreachable(error("nothing listens there"));
  report.unreachable(error("no answer"));
  await clock.advance(12_000);
  report.reached();
  report.reached();
  assert.deepEqual(lines, [
    '"Waiting for the Kubernetes API server" err="Cannot reach https://kube: nothing listens there"',
    '"Waiting for the Kubernetes API server" err="Cannot reach https://kube: no answer"',
    '"The Kubernetes API server answers again" server="https://kube" seconds=12',
  ]);
});

Deno.test("AccessReport tells where a credential that is refused is written, and that a certificate has ended", async () => {
  const made = await loadAuthority(await createAuthority(Date.UTC(2000, 0, 1)));
  const pem = printPem("CERTIFICATE", made.certificate);
  const refused = new StatusError("Unauthorized", "Unauthorized");
  const { lines, report } = start();
  for (let i = 0; i < 2; i++) report.refused(LIST, refused, { token: "t" });
  report.allowed(LIST);
  assert.deepEqual(lines, [
    '"The Kubernetes API server does not take the credentials, trying again" server="https://kube" ' +
    'where="users[0].user.token of /k" why="it is not, or no longer, one of this cluster\'s" ' +
    'fix="write one that this cluster takes there; the file is read again when it changes"',
    '"The Kubernetes API server takes the credentials now"',
  ]);
  const late = start(new FakeClock(Date.UTC(2200, 0, 1)));
  late.report.refused(LIST, refused, { cert: pem, key: "k" });
  while (late.lines.length === 0) await new Promise((resolve) => setTimeout(resolve));
  assert.match(late.lines[0]!, /why="the client certificate ended on 20\d\d-\d\d-\d\dT.*fix="renew it/);
  const early = start(new FakeClock(Date.UTC(1980, 0, 1)));
  early.report.refused(LIST, refused, { cert: pem, key: "k" });
  while (early.lines.length === 0) await new Promise((resolve) => setTimeout(resolve));
  assert.match(
    early.lines[0]!,
    /why="the client certificate is valid from \d{4}-\d\d-\d\dT.*fix="set the clocks of this machine/,
  );
  const users: Array<[Credential, RegExp]> = [
    [{}, /why="no credential is given" fix="write a token or a client certificate there/],
    [{ username: "ann", password: "x" }, /why="API servers know no users with passwords" fix="write a token/],
  ];
  for (const [credential, expected] of users) {
    const { lines, report } = start();
    report.refused(LIST, refused, credential);
    assert.match(lines[0]!, expected);
  }
});
