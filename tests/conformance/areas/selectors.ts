import assert from "node:assert/strict";
import fc from "fast-check";
import { area } from "../case.ts";
import { expectAnswer, expectRefusal, namesOf } from "../expect.ts";

const LABELS: Readonly<Record<string, Record<string, string>>> = {
  a: { tier: "web", env: "prod", size: "3" },
  b: { tier: "web", env: "test", size: "10" },
  c: { tier: "db", "example.com/x": "y" },
  d: { tier: "" },
  e: {},
};

/** A label selector and the names of what it selects. */
const LABEL_SELECTORS: ReadonlyArray<readonly [string, string]> = [
  ["", "a b c d e"],
  ["tier", "a b c d"],
  ["!tier", "e"],
  ["tier=web", "a b"],
  ["tier==web", "a b"],
  ["tier = web", "a b"],
  ["tier!=web", "c d e"],
  ["tier=", "d"],
  ["tier!=", "a b c e"],
  ["tier in (web,db)", "a b c"],
  ["tier in (web, db , )", "a b c d"],
  ["tier in ()", "d"],
  ["tier notin (web)", "c d e"],
  ["tier notin (web,db),tier", "d"],
  ["tier=web,env=prod", "a"],
  ["tier=web, env!=prod", "b"],
  ["tier=web,tier=db", ""],
  ["size>3", "b"],
  ["size<10", "a"],
  ["size>2,size<11", "a b"],
  ["env>1", ""],
  ["example.com/x=y", "c"],
  ["example.com/x", "c"],
  ["nosuch in (a)", ""],
  ["nosuch notin (a)", "a b c d e"],
];

/** A label selector that is wrong, and the message. */
const BAD_LABELS: ReadonlyArray<readonly [string, string]> = [
  ["=", "found '=', expected: !, identifier, or 'end of string'"],
  ["a=b,", "found '', expected: identifier after ','"],
  ["a in b", "unable to parse requirement: found 'b' expected: '('"],
  ["a in (b", "unable to parse requirement: found '', expected: ',' or ')'"],
  ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ["a,,b", "found ',', expected: identifier after ','"],
  [
    "a>b",
    "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
  ],
  ["a=b c", "found 'c', expected: ',' or 'end of string'"],
  [
    "a=b@c",
    "unable to parse requirement: values[0][a]: Invalid value: \"b@c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
  ],
  [
    "a@b=c",
    "unable to parse requirement: <nil>: Invalid value: \"a@b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
  ],
];

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

export const SELECTORS = area("selectors", {
  "label selectors select": async (c) => {
    const ns = await c.namespace();
    for (const [name, labels] of Object.entries(LABELS)) {
      expectAnswer(await c.api.post(mapsOf(ns), { metadata: { name, labels } }), 201);
    }
    for (const [labelSelector, names] of LABEL_SELECTORS) {
      const list = expectAnswer(await c.api.get(mapsOf(ns), { labelSelector }), 200);
      const found = namesOf(list).filter((name) => name !== "kube-root-ca.crt");
      assert.equal(found.join(" "), names, labelSelector);
    }
  },
  "bad label selectors are refused with what was expected": async (c) => {
    const ns = await c.namespace();
    for (const [labelSelector, message] of BAD_LABELS) {
      expectRefusal(await c.api.get(mapsOf(ns), { labelSelector }), 400, { reason: "BadRequest", message });
    }
  },
  "label selectors agree with their meaning": async (c) => {
    const ns = await c.namespace();
    for (const [name, labels] of Object.entries(LABELS)) {
      await c.api.post(mapsOf(ns), { metadata: { name, labels } });
    }
    const key = fc.constantFrom("tier", "env", "size", "nosuch");
    const value = fc.constantFrom("web", "db", "prod", "3", "");
    const values = fc.array(fc.constantFrom<string>("web", "db", "prod", "3"), {
      minLength: 1,
      maxLength: 3,
    });
    const has = (labels: Record<string, string>, k: string) => Object.hasOwn(labels, k);
    type Term = readonly [string, (labels: Record<string, string>) => boolean];
    const term = fc.oneof(
      key.map((k): Term => [k, (l) => has(l, k)]),
      key.map((k): Term => [`!${k}`, (l) => !has(l, k)]),
      fc.tuple(key, value).map(([k, v]): Term => [`${k}=${v}`, (l) => has(l, k) && l[k] === v]),
      fc.tuple(key, value).map(([k, v]): Term => [`${k}!=${v}`, (l) => l[k] !== v]),
      fc.tuple(key, values).map(([k, vs]): Term => [
        `${k} in (${vs.join(",")})`,
        (l) => has(l, k) && vs.includes(l[k]!),
      ]),
      fc.tuple(key, values).map(([k, vs]): Term => [
        `${k} notin (${vs.join(",")})`,
        (l) => !has(l, k) || !vs.includes(l[k]!),
      ]),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(term, { minLength: 1, maxLength: 4 }), async (terms) => {
        const labelSelector = terms.map(([text]) => text).join(",");
        const list = expectAnswer(await c.api.get(mapsOf(ns), { labelSelector }), 200);
        const found = namesOf(list).filter((name) => name !== "kube-root-ca.crt");
        const wanted = Object.keys(LABELS).filter((name) => terms.every(([, fits]) => fits(LABELS[name]!)));
        assert.deepEqual(found, wanted, labelSelector);
      }),
      { numRuns: 40 },
    );
  },
  "field selectors on name and namespace": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b"]) await c.api.post(mapsOf(ns), { metadata: { name } });
    const rows: Array<[string, string]> = [
      ["metadata.name=a", "a"],
      ["metadata.name==b", "b"],
      ["metadata.name!=a,metadata.name!=kube-root-ca.crt", "b"],
      [`metadata.namespace=${ns},metadata.name=a`, "a"],
      ["metadata.namespace=elsewhere", ""],
      ["metadata.name=a,metadata.name=b", ""],
    ];
    for (const [fieldSelector, names] of rows) {
      const list = expectAnswer(await c.api.get(mapsOf(ns), { fieldSelector }), 200);
      assert.equal(namesOf(list).join(" "), names, fieldSelector);
    }
    const all = expectAnswer(
      await c.api.get("/api/v1/configmaps", { fieldSelector: `metadata.namespace=${ns}` }),
      200,
    );
    assert.deepEqual(namesOf(all).filter((name) => name !== "kube-root-ca.crt"), ["a", "b"]);
  },
  "bad field selectors are refused": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[string, string]> = [
      ["metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
      ["data.a=b", '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'],
    ];
    for (const [fieldSelector, message] of rows) {
      expectRefusal(await c.api.get(mapsOf(ns), { fieldSelector }), 400, { reason: "BadRequest", message });
    }
    expectRefusal(
      await c.api.get(`/apis/apps/v1/namespaces/${ns}/deployments`, { fieldSelector: "spec.replicas=1" }),
      400,
      {
        reason: "BadRequest",
        message: '"spec.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
      },
    );
    expectRefusal(
      await c.api.get(`/api/v1/namespaces/${ns}/pods`, { fieldSelector: "spec.containers=1" }),
      400,
      {
        reason: "BadRequest",
        message: "field label not supported: spec.containers",
      },
    );
  },
  "pods are selected by node, phase, restart policy, service account and scheduler": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const node = c.unique("node");
    expectAnswer(await c.api.post("/api/v1/nodes", { metadata: { name: node } }), 201);
    const containers = [{ name: "c", image: "i:1" }];
    const specs = {
      bound: { containers, nodeName: node },
      free: { containers, schedulerName: "none", restartPolicy: "Never" },
    };
    for (const [name, spec] of Object.entries(specs)) {
      expectAnswer(await c.api.post(pods, { metadata: { name }, spec }), 201);
    }
    const rows: Array<[string, string]> = [
      [`spec.nodeName=${node}`, "bound"],
      ["spec.nodeName=", "free"],
      ["spec.nodeName!=", "bound"],
      ["status.phase=Pending", "bound free"],
      ["status.phase!=Pending", ""],
      ["spec.restartPolicy=Never", "free"],
      ["spec.schedulerName=none", "free"],
      ["spec.serviceAccountName=default", "bound free"],
      ["spec.hostNetwork=false", "bound free"],
      ["status.podIP=", "bound free"],
      ["status.nominatedNodeName=", "bound free"],
      [`spec.nodeName=${node},metadata.name=free`, ""],
    ];
    for (const [fieldSelector, names] of rows) {
      const list = expectAnswer(await c.api.get(pods, { fieldSelector }), 200);
      assert.equal(namesOf(list).join(" "), names, fieldSelector);
    }
    await c.api.delete(`${pods}/bound`, { gracePeriodSeconds: 0 });
    await c.api.delete(`/api/v1/nodes/${node}`);
  },
  "secrets are selected by type, namespaces by phase, nodes by unschedulable": async (c) => {
    const ns = await c.namespace();
    const secrets = `/api/v1/namespaces/${ns}/secrets`;
    await c.api.post(secrets, { metadata: { name: "plain" } });
    await c.api.post(secrets, { metadata: { name: "own" }, type: "example.com/own" });
    const own = expectAnswer(await c.api.get(secrets, { fieldSelector: "type=example.com/own" }), 200);
    assert.deepEqual(namesOf(own), ["own"]);
    const opaque = expectAnswer(await c.api.get(secrets, { fieldSelector: "type=Opaque" }), 200);
    assert.deepEqual(namesOf(opaque), ["plain"]);
    const active = expectAnswer(
      await c.api.get("/api/v1/namespaces", { fieldSelector: `status.phase=Active,metadata.name=${ns}` }),
      200,
    );
    assert.deepEqual(namesOf(active), [ns]);
    const node = c.unique("node");
    await c.api.post("/api/v1/nodes", { metadata: { name: node }, spec: { unschedulable: true } });
    const cordoned = expectAnswer(
      await c.api.get("/api/v1/nodes", { fieldSelector: "spec.unschedulable=true" }),
      200,
    );
    assert.ok(namesOf(cordoned).includes(node));
    await c.api.delete(`/api/v1/nodes/${node}`);
  },
});
