import assert from "node:assert/strict";
import {
  errorText,
  httpStatusOf,
  isConflict,
  isNotFound,
  reasonOf,
  StatusError,
  statusErrorFrom,
} from "./mod.ts";

Deno.test("StatusError prints as a Kubernetes Status", () => {
  const error = new StatusError("NotFound", 'pods "web" not found', {
    details: { name: "web", kind: "pods" },
  });
  assert.deepEqual(error.toStatus(), {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: 'pods "web" not found',
    reason: "NotFound",
    code: 404,
    details: { name: "web", kind: "pods" },
  });
});

Deno.test("isNotFound() looks along the causes", () => {
  const inner = new StatusError("NotFound", "gone");
  assert.ok(isNotFound(new Error("outer", { cause: inner })));
  assert.ok(!isConflict(new Error("outer", { cause: inner })));
  assert.ok(!isNotFound("NotFound"));
});

Deno.test("statusErrorFrom() keeps what is given and fills the rest from the HTTP code", async (t) => {
  const rows: Array<[string, unknown, number, [string, number]]> = [
    ["whole", { reason: "AlreadyExists", code: 409, message: "x" }, 409, ["AlreadyExists", 409]],
    ["no reason", { code: 404, message: "x" }, 404, ["NotFound", 404]],
    ["not an object", "oops", 503, ["ServiceUnavailable", 503]],
    ["an unknown reason", { reason: "Sunspots", code: 500 }, 500, ["InternalError", 500]],
    ["a code out of range", { code: 7 }, 400, ["BadRequest", 400]],
  ];
  for (const [name, value, http, expected] of rows) {
    await t.step(name, () => {
      const error = statusErrorFrom(value, http);
      assert.deepEqual([error.reason, error.code], expected);
      assert.notEqual(error.message, "");
    });
  }
});

Deno.test("reasonOf() and httpStatusOf() agree", () => {
  for (const code of [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 503, 504]) {
    assert.equal(httpStatusOf(reasonOf(code)), code);
  }
});

Deno.test("errorText() joins the causes once each", () => {
  const error = new Error("Cannot open database", { cause: new Error("disk full") });
  assert.equal(errorText(error), "Cannot open database: disk full");
  assert.equal(errorText("plain"), "plain");
});
