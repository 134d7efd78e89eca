import assert from "node:assert/strict";
import { area } from "../case.ts";
import { expectAnswer, expectRefusal } from "../expect.ts";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;
const MEBI = 1024 * 1024;

export const BODIES = area("bodies", {
  "YAML is read like JSON": async (c) => {
    const ns = await c.namespace();
    const body =
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yam\ndata:\n  five: "5"\n  text: |\n    two\n    lines\n';
    const headers = { "content-type": "application/yaml" };
    const made = expectAnswer(await c.api.request("POST", mapsOf(ns), { body, headers }), 201);
    assert.deepEqual(made.data, { five: "5", text: "two\nlines\n" });
  },
  "YAML is read as version 1.1 has it, and is told of what it says twice": async (c) => {
    const ns = await c.namespace();
    const post = (data: string, fieldValidation: string) =>
      c.api.request("POST", mapsOf(ns), {
        body: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yam}\n${data}`,
        headers: { "content-type": "application/yaml" },
        query: { fieldValidation, dryRun: "All" },
      });
    expectRefusal(await post("data: {a: yes}\n", "Strict"), 400, {
      reason: "BadRequest",
      message: /cannot unmarshal bool into Go struct field ConfigMap\.data of type string/,
    });
    const twice = "data:\n  a: b\n  a: c\n";
    const warned = await post(twice, "Warn");
    assert.deepEqual(expectAnswer(warned, 201).data, { a: "c" });
    assert.equal(warned.headers.get("warning"), '299 - "line 6: key \\"a\\" already set in map"');
    assert.equal((await post(twice, "Ignore")).status, 201);
    expectRefusal(await post(twice, "Strict"), 400, {
      reason: "BadRequest",
      message: /strict decoding error: [^]*line 6: key "a" already set in map$/,
    });
  },
  "malformed YAML is refused": async (c) => {
    const ns = await c.namespace();
    const headers = { "content-type": "application/yaml" };
    expectRefusal(await c.api.request("POST", mapsOf(ns), { body: "a: b: c: d", headers }), 400, {
      reason: "BadRequest",
      message: /yaml|YAML/,
    });
  },
  "malformed JSON is refused": async (c) => {
    const ns = await c.namespace();
    for (const body of ["{", '{"metadata":}', "nonsense", '{"metadata":{"name":"a"}} trailing']) {
      expectRefusal(await c.api.post(mapsOf(ns), body), 400, {
        reason: "BadRequest",
        message:
          /^the object provided is unrecognized \(must be of type ConfigMap\): couldn't get version\/kind; json parse error: |^ConfigMap in version "v1" cannot be handled as a ConfigMap: /,
      });
    }
  },
  "JSON that is no object is refused": async (c) => {
    const ns = await c.namespace();
    for (const body of ["[]", '"text"', "5"]) {
      expectRefusal(await c.api.post(mapsOf(ns), body), 400, {
        reason: "BadRequest",
        message:
          /^(the object provided is unrecognized \(must be of type ConfigMap\): couldn't get version\/kind|ConfigMap in version "v1" cannot be handled as a ConfigMap)/,
      });
    }
  },
  "no body is refused": async (c) => {
    const ns = await c.namespace();
    const answer = await c.api.request("POST", mapsOf(ns), {
      headers: { "content-type": "application/json" },
    });
    assert.ok(answer.status === 400 || answer.status === 422, answer.text);
  },
  "a field of another type is refused with its path": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[object, string]> = [
      [
        { metadata: { name: "a" }, data: { k: 5 } },
        "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
      ],
      [
        { metadata: { name: 5 } },
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
      ],
      [
        { metadata: { name: "a", labels: [] } },
        "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
      ],
      [
        { metadata: { name: "a" }, data: "x" },
        "json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string",
      ],
      [
        { metadata: { name: "a" }, immutable: "yes" },
        "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
      ],
    ];
    for (const [body, message] of rows) {
      expectRefusal(await c.api.post(mapsOf(ns), body), 400, {
        reason: "BadRequest",
        message: `ConfigMap in version "v1" cannot be handled as a ConfigMap: ${message}`,
      });
    }
  },
  "a content type that is not known is refused": async (c) => {
    const ns = await c.namespace();
    const body = '{"metadata":{"name":"a"}}';
    for (const type of ["text/plain", "application/xml", "application/x-www-form-urlencoded"]) {
      expectRefusal(
        await c.api.request("POST", mapsOf(ns), { body, headers: { "content-type": type } }),
        415,
        {
          reason: "UnsupportedMediaType",
          message:
            /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml, application\/vnd\.kubernetes\.protobuf/,
        },
      );
    }
    expectAnswer(
      await c.api.request("POST", mapsOf(ns), {
        body,
        headers: { "content-type": "application/json; charset=utf-8" },
      }),
      201,
    );
  },
  "what is too large is refused": async (c) => {
    const ns = await c.namespace();
    const body = { metadata: { name: "big" }, data: { k: "x".repeat(3 * MEBI) } };
    expectRefusal(await c.api.post(mapsOf(ns), body), 413, {
      reason: "RequestEntityTooLarge",
      message: "Request entity too large: limit is 3145728",
    });
  },
  "a ConfigMap or Secret holds a mebibyte": async (c) => {
    const ns = await c.namespace();
    expectRefusal(
      await c.api.post(mapsOf(ns), { metadata: { name: "big" }, data: { k: "x".repeat(MEBI + 1) } }),
      422,
      {
        reason: "Invalid",
        message: 'ConfigMap "big" is invalid: []: Too long: may not be more than 1048576 bytes',
      },
    );
    const data = { k: btoa("x".repeat(MEBI + 1)) };
    expectRefusal(
      await c.api.post(`/api/v1/namespaces/${ns}/secrets`, { metadata: { name: "big" }, data }),
      422,
      {
        reason: "Invalid",
        message: 'Secret "big" is invalid: data: Too long: may not be more than 1048576 bytes',
      },
    );
  },
  "unknown fields are dropped with a warning, dropped, or refused": async (c) => {
    const ns = await c.namespace();
    const body = (name: string) => ({ metadata: { name, extra: 1 }, nosuch: true, data: { a: "b" } });
    const warned = await c.api.post(mapsOf(ns), body("warned"));
    const made = expectAnswer(warned, 201);
    assert.equal(made.nosuch, undefined);
    assert.deepEqual(
      warned.headers.get("warning")?.split(", ").sort(),
      ['299 - "unknown field \\"metadata.extra\\""', '299 - "unknown field \\"nosuch\\""'],
    );
    const ignored = await c.api.post(mapsOf(ns), body("ignored"), { fieldValidation: "Ignore" });
    expectAnswer(ignored, 201);
    assert.equal(ignored.headers.get("warning"), null);
    expectRefusal(await c.api.post(mapsOf(ns), body("strict"), { fieldValidation: "Strict" }), 400, {
      reason: "BadRequest",
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.extra", unknown field "nosuch"',
    });
    expectRefusal(await c.api.post(mapsOf(ns), body("bad"), { fieldValidation: "Sometimes" }), 422, {
      reason: "Invalid",
      message:
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Sometimes": supported values: "", "Ignore", "Strict", "Warn"',
    });
  },
  "duplicate fields are warned of or refused, and the last counts": async (c) => {
    const ns = await c.namespace();
    const body = '{"metadata":{"name":"dup"},"data":{"a":"1"},"data":{"a":"2"}}';
    const warned = await c.api.post(mapsOf(ns), body);
    expectAnswer(warned, 201, { data: { a: "2" } });
    assert.equal(warned.headers.get("warning"), '299 - "duplicate field \\"data\\""');
    expectRefusal(
      await c.api.post(mapsOf(ns), body.replace("dup", "dup2"), { fieldValidation: "Strict" }),
      400,
      {
        reason: "BadRequest",
        message:
          'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data"',
      },
    );
  },
  "fields of other cases are unknown": async (c) => {
    const ns = await c.namespace();
    const answer = await c.api.post(mapsOf(ns), { metadata: { name: "case" }, Data: { a: "b" } });
    const made = expectAnswer(answer, 201);
    assert.equal(made.data, undefined);
    assert.equal(answer.headers.get("warning"), '299 - "unknown field \\"Data\\""');
  },
  "bytes are base64, and texts of secrets become bytes": async (c) => {
    const ns = await c.namespace();
    const path = `/api/v1/namespaces/${ns}/secrets`;
    const made = expectAnswer(
      await c.api.post(path, {
        metadata: { name: "s" },
        data: { a: "AAE=", b: "" },
        stringData: { c: "ü", a: "x" },
      }),
      201,
      { type: "Opaque" },
    );
    assert.deepEqual(made.data, { a: "eA==", b: "", c: "w7w=" });
    assert.equal(made.stringData, undefined);
    expectRefusal(await c.api.post(path, { metadata: { name: "t" }, data: { a: "not base64!" } }), 400, {
      reason: "BadRequest",
      message: 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 3',
    });
  },
  "text of any script is kept": async (c) => {
    const ns = await c.namespace();
    const data = { k: 'ünï\u0000 \u2028 日本 \u{1F600} \t\n"\\</script>' };
    const made = expectAnswer(await c.api.post(mapsOf(ns), { metadata: { name: "u" }, data }), 201);
    assert.deepEqual(made.data, data);
    assert.deepEqual(expectAnswer(await c.api.get(`${mapsOf(ns)}/u`), 200).data, data);
  },
  "keys that mean something to JavaScript are keys": async (c) => {
    const ns = await c.namespace();
    const body = '{"metadata":{"name":"p"},"data":{"__proto__":"a","constructor":"b","toString":"c"}}';
    const { text } = await c.api.post(mapsOf(ns), body);
    assert.match(text, /"__proto__":\s*"a"/);
    const read = await c.api.get(`${mapsOf(ns)}/p`);
    assert.match(read.text, /"__proto__":\s*"a"/);
    assert.equal(read.body.data.constructor, "b");
  },
});
