import assert from "node:assert/strict";
import type { Answer, Json } from "../api.ts";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectPart, expectRefusal, PRESENT } from "../expect.ts";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

type Applied = { fieldManager?: string; force?: boolean; dryRun?: string };

function apply(c: CaseContext, path: string, body: object | string, query: Applied = {}): Promise<Answer> {
  return c.api.patch(path, "apply", body, { fieldManager: "one", ...query });
}

const map = (name: string, rest: object) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  ...rest,
});

/** Who manages what: the fields of each manager's entry. */
function managersOf(object: Json): Record<string, Json> {
  return Object.fromEntries(
    object.metadata.managedFields.map((
      entry: Json,
    ) => [`${entry.manager} ${entry.operation}`, entry.fieldsV1]),
  );
}

const deployment = (containers: object[], spec: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "d" },
  spec: {
    selector: { matchLabels: { app: "d" } },
    template: { metadata: { labels: { app: "d" } }, spec: { containers } },
    ...spec,
  },
});

export const APPLYING = area("server-side apply", {
  "creates what is not there and says who manages it": async (c) => {
    const ns = await c.namespace();
    const answer = await apply(c, `${mapsOf(ns)}/a`, map("a", { data: { k: "v" } }));
    const made = expectAnswer(answer, 201, { data: { k: "v" }, metadata: { uid: PRESENT } });
    expectPart(made.metadata.managedFields, [{
      manager: "one",
      operation: "Apply",
      apiVersion: "v1",
      time: PRESENT,
      fieldsType: "FieldsV1",
      subresource: ABSENT,
    }]);
    assert.deepEqual(managersOf(made), { "one Apply": { "f:data": { "f:k": {} } } });
    const again = await apply(c, `${mapsOf(ns)}/a`, map("a", { data: { k: "v" } }));
    expectAnswer(again, 200, { metadata: { resourceVersion: made.metadata.resourceVersion } });
  },
  "takes YAML": async (c) => {
    const ns = await c.namespace();
    const body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n";
    expectAnswer(await apply(c, `${mapsOf(ns)}/a`, body), 201, { data: { k: "v" } });
  },
  "removes what its manager does not name any more, and nothing else": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v", l: "w" } }));
    await apply(c, path, map("a", { data: { m: "x" } }), { fieldManager: "two" });
    const left = expectAnswer(await apply(c, path, map("a", { data: { k: "v" } })), 200);
    assert.deepEqual(left.data, { k: "v", m: "x" });
    const none = expectAnswer(await apply(c, path, map("a", {})), 200);
    assert.deepEqual(none.data, { m: "x" });
  },
  "keeps a field that another manages too": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v" } }));
    expectAnswer(await apply(c, path, map("a", { data: { k: "v" } }), { fieldManager: "two" }), 200);
    const left = expectAnswer(await apply(c, path, map("a", {})), 200);
    assert.deepEqual(left.data, { k: "v" });
    assert.deepEqual(managersOf(left), { "two Apply": { "f:data": { "f:k": {} } } });
  },
  "refuses to change what another manages": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v" } }));
    const refused = await apply(c, path, map("a", { data: { k: "w" } }), { fieldManager: "two" });
    expectRefusal(refused, 409, {
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "one": .data.k',
      details: {
        causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.k" }],
      },
    });
    expectAnswer(await c.api.get(path), 200, { data: { k: "v" } });
  },
  "takes a field over by force": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v", l: "1" } }));
    const taken = expectAnswer(
      await apply(c, path, map("a", { data: { k: "w" } }), { fieldManager: "two", force: true }),
      200,
      { data: { k: "w", l: "1" } },
    );
    assert.deepEqual(managersOf(taken), {
      "one Apply": { "f:data": { "f:l": {} } },
      "two Apply": { "f:data": { "f:k": {} } },
    });
  },
  "conflicts with what an update wrote, all of them named": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    const body = map("a", { data: { k: "v", l: "w" } });
    expectAnswer(await c.api.post(mapsOf(ns), body, { fieldManager: "editor" }), 201);
    expectRefusal(await apply(c, path, map("a", { data: { k: "x", l: "y" } })), 409, {
      reason: "Conflict",
      message: 'Apply failed with 2 conflicts: conflicts with "editor" using v1:\n- .data.k\n- .data.l',
      details: {
        causes: [
          { reason: "FieldManagerConflict", message: 'conflict with "editor" using v1', field: ".data.k" },
          { reason: "FieldManagerConflict", message: 'conflict with "editor" using v1', field: ".data.l" },
        ],
      },
    });
  },
  "an update takes fields over from an apply": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v" } }));
    const patched = expectAnswer(
      await c.api.patch(path, "merge", { data: { k: "w" } }, { fieldManager: "editor" }),
      200,
    );
    assert.deepEqual(managersOf(patched), { "editor Update": { "f:data": { "f:k": {} } } });
  },
  "merges lists by their keys": async (c) => {
    const ns = await c.namespace();
    const path = `/apis/apps/v1/namespaces/${ns}/deployments/d`;
    const spec = { replicas: 0 };
    expectAnswer(await apply(c, path, deployment([{ name: "a", image: "a:1" }], spec)), 201);
    const both = expectAnswer(
      await apply(c, path, deployment([{ name: "b", image: "b:1" }]), { fieldManager: "two" }),
      200,
    );
    const names = (d: Json) => d.spec.template.spec.containers.map((x: Json) => x.name);
    assert.deepEqual(names(both), ["a", "b"]);
    const env = [{ name: "X", value: "1" }];
    const more = expectAnswer(
      await apply(c, path, deployment([{ name: "a", image: "a:1", env }]), { fieldManager: "three" }),
      200,
    );
    expectPart(more.spec.template.spec.containers[0], { name: "a", image: "a:1", env });
    const left = expectAnswer(
      await apply(c, path, deployment([{ name: "b", image: "b:1" }], spec)),
      200,
    );
    // Another manages fields of the item, so the item stays.
    assert.deepEqual(names(left), ["a", "b"]);
  },
  "conflicts name list items by their keys": async (c) => {
    const ns = await c.namespace();
    const path = `/apis/apps/v1/namespaces/${ns}/deployments/d`;
    expectAnswer(await apply(c, path, deployment([{ name: "a", image: "a:1" }], { replicas: 0 })), 201);
    expectRefusal(
      await apply(c, path, deployment([{ name: "a", image: "a:2" }], { replicas: 3 }), {
        fieldManager: "two",
      }),
      409,
      {
        reason: "Conflict",
        message:
          'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.replicas\n- .spec.template.spec.containers[name="a"].image',
      },
    );
  },
  "of a status is apart from the rest": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    await c.api.post(pods, { metadata: { name: "p" }, spec }, { fieldManager: "maker" });
    const body = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, status: { message: "hi" } };
    const applied = expectAnswer(await apply(c, `${pods}/p/status`, body), 200, {
      status: { message: "hi" },
    });
    const entry = applied.metadata.managedFields.find((e: Json) => e.manager === "one");
    expectPart(entry, {
      operation: "Apply",
      subresource: "status",
      fieldsV1: { "f:status": { "f:message": {} } },
    });
  },
  "needs a manager, and an object that says what it is": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    expectRefusal(await c.api.patch(path, "apply", map("a", {})), 422, {
      reason: "Invalid",
      message:
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    });
    expectRefusal(await apply(c, path, { metadata: { name: "a" } }), 400, {
      reason: "BadRequest",
      message: /apiVersion|kind|Kind/,
    });
    expectRefusal(await apply(c, path, map("b", {})), 400, {
      reason: "BadRequest",
      message: /^the name of the object \(b\) does not match the name on the URL \(a\)$|metadata\.name/,
    });
    expectRefusal(
      await apply(c, path, { ...map("a", {}), metadata: { name: "a", managedFields: [{ manager: "x" }] } }),
      400,
      { reason: "BadRequest", message: "metadata.managedFields must be nil" },
    );
  },
  "force is for apply only": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), map("a", {}));
    expectRefusal(await c.api.patch(`${mapsOf(ns)}/a`, "merge", {}, { force: true }), 422, {
      reason: "Invalid",
      message:
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    });
  },
  "holds a resourceVersion and a uid, and does not create with them": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v" } }));
    const stale = { ...map("a", { data: { k: "w" } }), metadata: { name: "a", resourceVersion: "1" } };
    expectRefusal(await apply(c, path, stale), 409, {
      reason: "Conflict",
      message: /the object has been modified/,
    });
    const uid = "66666666-6666-4666-8666-666666666666";
    const answer = await apply(c, `${mapsOf(ns)}/b`, { ...map("b", {}), metadata: { name: "b", uid } });
    expectRefusal(answer, 409, {
      reason: "Conflict",
      message: /uid mismatch: the provided object specified uid .*, and no existing object was found/,
    });
  },
  "unknown fields are refused": async (c) => {
    const ns = await c.namespace();
    const answer = await apply(c, `${mapsOf(ns)}/a`, map("a", { nosuch: 1 }));
    assert.ok(answer.status === 500 || answer.status === 400 || answer.status === 422, answer.text);
    assert.match(answer.body.message, /\.nosuch: field not declared in schema/);
  },
  "dry run changes nothing": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    expectAnswer(await apply(c, path, map("a", { data: { k: "v" } }), { dryRun: "All" }), 201);
    assert.equal((await c.api.get(path)).status, 404);
    const made = expectAnswer(await apply(c, path, map("a", { data: { k: "v" } })), 201);
    expectAnswer(await apply(c, path, map("a", { data: { k: "w" } }), { dryRun: "All" }), 200, {
      data: { k: "w" },
    });
    assert.deepEqual((await c.api.get(path)).body, made);
  },
  "managedFields can be taken away": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    await apply(c, path, map("a", { data: { k: "v" } }));
    const bare = expectAnswer(
      await c.api.patch(path, "json", [{ op: "replace", path: "/metadata/managedFields", value: [{}] }]),
      200,
    );
    expectPart(bare.metadata, { managedFields: ABSENT });
  },
  "creates, updates and patches leave their managers": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(
      await c.api.post(mapsOf(ns), map("a", { data: { k: "v" } }), { fieldManager: "maker" }),
      201,
    );
    assert.deepEqual(managersOf(made), { "maker Update": { "f:data": { ".": {}, "f:k": {} } } });
    const patched = expectAnswer(
      await c.api.patch(`${mapsOf(ns)}/a`, "merge", { data: { l: "w" } }, { fieldManager: "patcher" }),
      200,
    );
    assert.deepEqual(managersOf(patched), {
      "maker Update": { "f:data": { ".": {}, "f:k": {} } },
      "patcher Update": { "f:data": { "f:l": {} } },
    });
  },
});
