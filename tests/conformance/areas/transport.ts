import assert from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { gunzipSync } from "node:zlib";
import { area, type CaseContext } from "../case.ts";
import { expectAnswer, expectRefusal } from "../expect.ts";

interface Raw {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Uint8Array;
}

/** A request whose answer is not decoded. */
function raw(c: CaseContext, path: string, headers: Record<string, string>): Promise<Raw> {
  const { server, caCertificate, admin } = c.plane;
  const identity = admin.kind === "token"
    ? { headers: { ...headers, authorization: `Bearer ${admin.token}` } }
    : { headers, cert: admin.certificate, key: admin.key };
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(server + path, { ca: caCertificate, agent: false, ...identity }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

export const TRANSPORT = area("transport", {
  "large answers are compressed for those who take it": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), { metadata: { name: "big" }, data: { k: "x".repeat(300_000) } });
    const packed = await raw(c, `${mapsOf(ns)}/big`, { "accept-encoding": "gzip" });
    if (c.plane.kind === "embedded") {
      // It serves one machine, or a few near it: compressing would cost more than it saves.
      assert.equal(packed.headers["content-encoding"], undefined);
      assert.equal(Number(packed.headers["content-length"]), packed.body.length);
      return;
    }
    assert.equal(packed.headers["content-encoding"], "gzip");
    assert.match(String(packed.headers.vary), /Accept-Encoding/i);
    assert.ok(packed.body.length < 20_000, `${packed.body.length} bytes`);
    const object = JSON.parse(new TextDecoder().decode(gunzipSync(packed.body)));
    assert.equal(object.data.k.length, 300_000);
    const plain = await raw(c, `${mapsOf(ns)}/big`, {});
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.ok(plain.body.length > 300_000);
  },
  "small answers are not compressed": async (c) => {
    const ns = await c.namespace();
    const answer = await raw(c, mapsOf(ns), { "accept-encoding": "gzip" });
    assert.equal(answer.headers["content-encoding"], undefined);
    assert.equal(Number(answer.headers["content-length"]), answer.body.length);
  },
  "methods that are not known are not allowed": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), { metadata: { name: "a" } });
    const rows: Array<[string, string]> = [
      ["PUT", mapsOf(ns)],
      ["PATCH", mapsOf(ns)],
      ["POST", `${mapsOf(ns)}/a`],
      ["POST", "/api/v1/configmaps"],
      ["DELETE", "/api/v1/configmaps"],
    ];
    for (const [method, path] of rows) {
      const body = method === "DELETE" ? undefined : {};
      expectRefusal(await c.api.request(method, path, { body }), 405, {
        reason: "MethodNotAllowed",
        message: "the server does not allow this method on the requested resource",
        details: {},
      });
    }
  },
  "HEAD and OPTIONS are not allowed on resources": async (c) => {
    const ns = await c.namespace();
    assert.equal((await c.api.request("HEAD", mapsOf(ns))).status, 405);
    assert.equal((await c.api.request("OPTIONS", mapsOf(ns))).status, 405);
  },
  "paths that lead nowhere are not found": async (c) => {
    const ns = await c.namespace();
    const missing = {
      reason: "NotFound",
      message: "the server could not find the requested resource",
      details: {},
    };
    for (
      const path of [
        `/api/v1/namespaces/${ns}/nosuch`,
        `/api/v1/namespaces/${ns}/nosuch/a`,
        "/api/v1/nosuch",
        `/apis/apps/v1/namespaces/${ns}/configmaps`,
        `/api/v1/namespaces/${ns}/nodes`,
        `/api/v1/configmaps/a`,
      ]
    ) {
      const answer = await c.api.get(path);
      expectRefusal(answer, 404, missing);
    }
  },
  "versions and groups that are not there have no page": async (c) => {
    for (const path of ["/api/v2", "/apis/nosuch.example.com", "/apis/apps/v7", "/nosuch", "/api/v2/pods"]) {
      const answer = await c.api.get(path);
      assert.equal(answer.status, 404, path);
    }
  },
  "a trailing or doubled slash": async (c) => {
    const ns = await c.namespace();
    expectAnswer(await c.api.get(`${mapsOf(ns)}/`), 200, { kind: "ConfigMapList" });
  },
  "names with odd signs are looked up as they are": async (c) => {
    const ns = await c.namespace();
    for (const name of ["UPPER", "sp ace", "ü", "a:b"]) {
      expectRefusal(await c.api.get(`${mapsOf(ns)}/${encodeURIComponent(name)}`), 404, {
        reason: "NotFound",
        message: `configmaps ${JSON.stringify(name)} not found`,
      });
    }
  },
  "health is told to anyone": async (c) => {
    const anyone = c.as("");
    for (const path of ["/healthz", "/livez", "/readyz"]) {
      const answer = await anyone.get(path);
      assert.deepEqual([answer.status, answer.text], [200, "ok"], path);
    }
    expectAnswer(await anyone.get("/version"), 200, {
      major: "1",
      gitVersion: /^v1\.\d+\.\d+/,
      platform: /^linux\//,
    });
  },
  "a bad token is refused": async (c) => {
    const stranger = c.as("no-such-token");
    expectRefusal(await stranger.get("/api/v1/namespaces"), 401, {
      reason: "Unauthorized",
      message: "Unauthorized",
    });
  },
});
