import assert from "node:assert/strict";
import { area } from "../case.ts";
import { ABSENT, expectAnswer, expectClientFault, expectRefusal, namesOf, PRESENT } from "../expect.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

const configMap = (name: string, rest: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  ...rest,
});
const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

export const CRUD = area("objects", {
  "create answers 201 with the object and what the server gave it": async (c) => {
    const ns = await c.namespace();
    const answer = await c.api.post(
      mapsOf(ns),
      configMap("a", { metadata: { name: "a", labels: { x: "y" } }, data: { k: "v" } }),
    );
    const made = expectAnswer(answer, 201, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: "a",
        namespace: ns,
        uid: UUID,
        resourceVersion: /^[1-9]\d*$/,
        creationTimestamp: TIME,
        labels: { x: "y" },
        generation: ABSENT,
        selfLink: ABSENT,
      },
      data: { k: "v" },
    });
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.equal(answer.headers.get("cache-control"), "no-cache, private");
    assert.deepEqual(expectAnswer(await c.api.get(`${mapsOf(ns)}/a`), 200), made);
  },
  "create takes its kind and version from the path when the body has none": async (c) => {
    const ns = await c.namespace();
    const answer = await c.api.post(mapsOf(ns), { metadata: { name: "bare" } });
    expectAnswer(answer, 201, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "bare" } });
  },
  "create ignores what only the server may set": async (c) => {
    const ns = await c.namespace();
    const answer = await c.api.post(mapsOf(ns), {
      ...configMap("mine"),
      metadata: {
        name: "mine",
        uid: "11111111-1111-4111-8111-111111111111",
        creationTimestamp: "2001-01-01T00:00:00Z",
        deletionTimestamp: "2001-01-01T00:00:00Z",
        deletionGracePeriodSeconds: 7,
        generation: 9,
        selfLink: "/x",
      },
    });
    const { metadata } = expectAnswer(answer, 201, {
      metadata: { deletionTimestamp: ABSENT, deletionGracePeriodSeconds: ABSENT, selfLink: ABSENT },
    });
    assert.notEqual(metadata.uid, "11111111-1111-4111-8111-111111111111");
    assert.notEqual(metadata.creationTimestamp, "2001-01-01T00:00:00Z");
  },
  "create refuses a second object of a name": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), configMap("twice"));
    expectRefusal(await c.api.post(mapsOf(ns), configMap("twice")), 409, {
      reason: "AlreadyExists",
      message: 'configmaps "twice" already exists',
      details: { name: "twice", kind: "configmaps" },
    });
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${ns}/leases`;
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "twice" } };
    expectAnswer(await c.api.post(leases, lease), 201);
    expectRefusal(await c.api.post(leases, lease), 409, {
      reason: "AlreadyExists",
      message: 'leases.coordination.k8s.io "twice" already exists',
      details: { name: "twice", group: "coordination.k8s.io", kind: "leases" },
    });
  },
  "create refuses a resourceVersion": async (c) => {
    const ns = await c.namespace();
    const body = { ...configMap("v"), metadata: { name: "v", resourceVersion: "1" } };
    const answer = await c.api.post(mapsOf(ns), body);
    expectClientFault(c.plane.kind, answer, "resourceVersion should not be set on objects to be created");
  },
  "create refuses an object of another namespace, group or kind": async (c) => {
    const ns = await c.namespace();
    expectRefusal(
      await c.api.post(mapsOf(ns), { ...configMap("n"), metadata: { name: "n", namespace: "elsewhere" } }),
      400,
      {
        reason: "BadRequest",
        message: "the namespace of the provided object does not match the namespace sent on the request",
      },
    );
    expectRefusal(await c.api.post(mapsOf(ns), { ...configMap("n"), kind: "Secret" }), 400, {
      reason: "BadRequest",
      message:
        'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
    });
    expectRefusal(await c.api.post(mapsOf(ns), { ...configMap("n"), apiVersion: "apps/v1" }), 400, {
      reason: "BadRequest",
      message:
        /^ConfigMap in version "v1" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "apps\/v1" in scheme /,
    });
  },
  "create in a namespace that is not there is refused": async (c) => {
    const missing = c.unique("missing");
    expectRefusal(await c.api.post(mapsOf(missing), configMap("a")), 404, {
      reason: "NotFound",
      message: `namespaces "${missing}" not found`,
      details: { name: missing, kind: "namespaces" },
    });
  },
  "an object that is not there is refused by every verb": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/gone`;
    const missing = {
      reason: "NotFound",
      message: 'configmaps "gone" not found',
      details: { name: "gone", kind: "configmaps" },
    };
    expectRefusal(await c.api.get(path), 404, missing);
    expectRefusal(await c.api.delete(path), 404, missing);
    expectRefusal(await c.api.patch(path, "merge", { data: { a: "b" } }), 404, missing);
    expectRefusal(await c.api.patch(path, "json", []), 404, missing);
    expectRefusal(await c.api.patch(path, "strategic", {}), 404, missing);
    expectRefusal(
      await c.api.put(path, configMap("gone", { metadata: { name: "gone", resourceVersion: "7" } })),
      404,
      missing,
    );
    const deployment = `/apis/apps/v1/namespaces/${ns}/deployments/gone`;
    expectRefusal(await c.api.get(deployment), 404, {
      reason: "NotFound",
      message: 'deployments.apps "gone" not found',
      details: { name: "gone", group: "apps", kind: "deployments" },
    });
  },
  "a list in a namespace that is not there is empty": async (c) => {
    const list = expectAnswer(await c.api.get(mapsOf(c.unique("missing"))), 200, {
      kind: "ConfigMapList",
      apiVersion: "v1",
      metadata: { resourceVersion: /^\d+$/ },
      items: [],
    });
    assert.deepEqual(Object.keys(list.metadata), ["resourceVersion"]);
  },
  "lists are in the order of names and leave out kind and version of the items": async (c) => {
    const ns = await c.namespace();
    for (const name of ["b", "a-b", "a", "a.b", "c"]) await c.api.post(mapsOf(ns), configMap(name));
    const list = expectAnswer(await c.api.get(mapsOf(ns), { labelSelector: "!none" }), 200);
    const own = namesOf(list).filter((name) => name !== "kube-root-ca.crt");
    assert.deepEqual(own, ["a", "a-b", "a.b", "b", "c"]);
    for (const item of list.items) {
      assert.equal(item.kind, undefined);
      assert.equal(item.apiVersion, undefined);
    }
  },
  "update replaces all but what the server keeps": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(
      await c.api.post(mapsOf(ns), configMap("u", { data: { a: "1", b: "2" } })),
      201,
    );
    const answer = await c.api.put(`${mapsOf(ns)}/u`, configMap("u", { data: { c: "3" } }));
    const updated = expectAnswer(answer, 200, {
      metadata: { uid: made.metadata.uid, creationTimestamp: made.metadata.creationTimestamp },
    });
    assert.deepEqual(updated.data, { c: "3" });
    assert.ok(Number(updated.metadata.resourceVersion) > Number(made.metadata.resourceVersion));
  },
  "an update that changes nothing keeps the resourceVersion": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(mapsOf(ns), configMap("same", { data: { a: "1" } })), 201);
    const again = expectAnswer(await c.api.put(`${mapsOf(ns)}/same`, made), 200);
    assert.equal(again.metadata.resourceVersion, made.metadata.resourceVersion);
    const patched = expectAnswer(await c.api.patch(`${mapsOf(ns)}/same`, "merge", { data: { a: "1" } }), 200);
    assert.equal(patched.metadata.resourceVersion, made.metadata.resourceVersion);
  },
  "update holds the resourceVersion and uid it is given": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/held`;
    const made = expectAnswer(await c.api.post(mapsOf(ns), configMap("held")), 201);
    const { resourceVersion, uid } = made.metadata;
    const next = expectAnswer(
      await c.api.put(
        path,
        configMap("held", { metadata: { name: "held", resourceVersion, uid }, data: { n: "1" } }),
      ),
      200,
    );
    const stale = configMap("held", { metadata: { name: "held", resourceVersion }, data: { n: "2" } });
    expectRefusal(await c.api.put(path, stale), 409, {
      reason: "Conflict",
      message: `Operation cannot be fulfilled on configmaps "held": ${MODIFIED}`,
      details: { name: "held", kind: "configmaps" },
    });
    const other = "22222222-2222-4222-8222-222222222222";
    expectRefusal(await c.api.put(path, configMap("held", { metadata: { name: "held", uid: other } })), 409, {
      reason: "Conflict",
      message: new RegExp(
        `^Operation cannot be fulfilled on configmaps "held": .*Precondition failed: UID in precondition: ${other}, UID in object meta: ${uid}$`,
      ),
      details: { name: "held", kind: "configmaps" },
    });
    expectAnswer(await c.api.get(path), 200, { metadata: next.metadata, data: { n: "1" } });
  },
  "update must name the object of the path": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), configMap("one"));
    const path = `${mapsOf(ns)}/one`;
    expectRefusal(await c.api.put(path, configMap("two")), 400, {
      reason: "BadRequest",
      message: "the name of the object (two) does not match the name on the URL (one)",
    });
    expectRefusal(
      await c.api.put(path, configMap("one", { metadata: { name: "one", namespace: "elsewhere" } })),
      400,
      {
        reason: "BadRequest",
        message: "the namespace of the provided object does not match the namespace sent on the request",
      },
    );
    expectRefusal(await c.api.put(path, configMap("", { metadata: {} })), 400, {
      reason: "BadRequest",
      message: "the name of the object (one based on URL) was undeterminable: name must be provided",
    });
  },
  "update of what can be made by update": async (c) => {
    // Leases of no resourceVersion may be created by PUT.
    const ns = await c.namespace();
    const path = `/apis/coordination.k8s.io/v1/namespaces/${ns}/leases/made`;
    const lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "made" },
      spec: { holderIdentity: "me" },
    };
    expectAnswer(await c.api.put(path, lease), 201, { metadata: { uid: PRESENT } });
    const { metadata } = expectAnswer(await c.api.get(path), 200);
    const next = { ...lease, spec: { holderIdentity: "you" } };
    expectRefusal(await c.api.put(path, next), 422, {
      reason: "Invalid",
      message:
        'leases.coordination.k8s.io "made" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update',
      details: {
        name: "made",
        group: "coordination.k8s.io",
        kind: "leases",
        causes: [{
          reason: "FieldValueInvalid",
          message: "Invalid value: 0x0: must be specified for an update",
          field: "metadata.resourceVersion",
        }],
      },
    });
    const { resourceVersion } = metadata;
    expectAnswer(await c.api.put(path, { ...next, metadata: { name: "made", resourceVersion } }), 200, {
      spec: { holderIdentity: "you" },
    });
  },
  "immutable metadata stays": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(mapsOf(ns), configMap("fixed")), 201);
    const path = `${mapsOf(ns)}/fixed`;
    const metadata = { name: "fixed", creationTimestamp: "2001-01-01T00:00:00Z", generation: 7 };
    const updated = expectAnswer(await c.api.put(path, configMap("fixed", { metadata })), 200);
    assert.equal(updated.metadata.creationTimestamp, made.metadata.creationTimestamp);
    assert.equal(updated.metadata.generation, undefined);
  },
  "a Secret has what its type needs": async (c) => {
    const ns = await c.namespace();
    const post = (type: string, stringData: object) =>
      c.api.post(`/api/v1/namespaces/${ns}/secrets`, {
        metadata: { name: "a" },
        type: `kubernetes.io/${type}`,
        stringData,
      }, { dryRun: "All" });
    const missing = (...keys: string[]) =>
      keys.map((key) => ({ reason: "FieldValueRequired", message: "Required value", field: `data[${key}]` }));
    const rows: Array<[type: string, given: object, causes: object[]]> = [
      ["tls", { "tls.crt": "x" }, missing("tls.key")],
      ["ssh-auth", {}, missing("ssh-privatekey")],
      ["basic-auth", { a: "b" }, missing("username", "password")],
      ["dockerconfigjson", { a: "b" }, missing(".dockerconfigjson")],
      ...[".dockerconfigjson", ".dockercfg"].map((key): [string, object, object[]] => [
        key.slice(1),
        { [key]: "no JSON" },
        [{
          reason: "FieldValueInvalid",
          message: /^Invalid value: "<secret contents redacted>": /,
          field: `data[${key}]`,
        }],
      ]),
    ];
    for (const [type, given, causes] of rows) {
      expectAnswer(await post(type, given), 422, { reason: "Invalid", details: { causes } });
    }
    expectAnswer(await post("basic-auth", { password: "p" }), 201);
    expectAnswer(await post("dockerconfigjson", { ".dockerconfigjson": "{}" }), 201);
  },
  "immutable ConfigMaps and Secrets refuse changes of their data": async (c) => {
    const ns = await c.namespace();
    const body = configMap("im", { data: { a: "1" }, immutable: true });
    await c.api.post(mapsOf(ns), body);
    expectRefusal(await c.api.put(`${mapsOf(ns)}/im`, { ...body, data: { a: "2" } }), 422, {
      reason: "Invalid",
      message: 'ConfigMap "im" is invalid: data: Forbidden: field is immutable when `immutable` is set',
      details: {
        name: "im",
        kind: "ConfigMap",
        causes: [{
          reason: "FieldValueForbidden",
          field: "data",
          message: "Forbidden: field is immutable when `immutable` is set",
        }],
      },
    });
    expectRefusal(await c.api.patch(`${mapsOf(ns)}/im`, "merge", { immutable: false }), 422, {
      reason: "Invalid",
      message: 'ConfigMap "im" is invalid: immutable: Forbidden: field is immutable when `immutable` is set',
    });
    expectAnswer(await c.api.patch(`${mapsOf(ns)}/im`, "merge", { metadata: { labels: { a: "b" } } }), 200);
  },
  "delete answers a Status with the object's identity, and it is gone": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(mapsOf(ns), configMap("d")), 201);
    const answer = await c.api.delete(`${mapsOf(ns)}/d`);
    assert.deepEqual(expectAnswer(answer, 200), {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: { name: "d", kind: "configmaps", uid: made.metadata.uid },
    });
    assert.equal((await c.api.get(`${mapsOf(ns)}/d`)).status, 404);
  },
  "delete of a service account or service answers the object or a Status as upstream does": async (c) => {
    const ns = await c.namespace();
    const accounts = `/api/v1/namespaces/${ns}/serviceaccounts`;
    await c.api.post(accounts, { metadata: { name: "robot" } });
    expectAnswer(await c.api.delete(`${accounts}/robot`), 200, {
      kind: "ServiceAccount",
      metadata: { name: "robot" },
    });
    const services = `/api/v1/namespaces/${ns}/services`;
    expectAnswer(
      await c.api.post(services, {
        metadata: { name: "web" },
        spec: { clusterIP: "None", selector: { a: "b" } },
      }),
      201,
    );
    expectAnswer(await c.api.delete(`${services}/web`), 200, { kind: "Service", metadata: { name: "web" } });
  },
  "delete holds its preconditions": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(mapsOf(ns), configMap("p")), 201);
    const { uid, resourceVersion } = made.metadata;
    const path = `${mapsOf(ns)}/p`;
    const other = "33333333-3333-4333-8333-333333333333";
    expectRefusal(await c.api.delete(path, { preconditions: { uid: other } }), 409, {
      reason: "Conflict",
      message:
        `Operation cannot be fulfilled on ConfigMap "p": the UID in the precondition (${other}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      details: { name: "p", kind: "ConfigMap" },
    });
    expectRefusal(await c.api.delete(path, { preconditions: { resourceVersion: "1" } }), 409, {
      reason: "Conflict",
      message:
        `Operation cannot be fulfilled on ConfigMap "p": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      details: { name: "p", kind: "ConfigMap" },
    });
    expectAnswer(await c.api.delete(path, { preconditions: { uid, resourceVersion } }), 200);
  },
  "delete takes its options from the query too, and refuses bad ones": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), configMap("q"));
    const path = `${mapsOf(ns)}/q`;
    expectRefusal(await c.api.delete(path, undefined, { propagationPolicy: "Sometimes" }), 422, {
      reason: "Invalid",
      message:
        'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sometimes": supported values: "Foreground", "Background", "Orphan", "nil"',
    });
    expectRefusal(
      await c.api.delete(path, { propagationPolicy: "Orphan", orphanDependents: true }),
      422,
      {
        reason: "Invalid",
        message:
          'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
      },
    );
    const pod = await c.api.delete(path, { kind: "Pod", apiVersion: "v1" });
    expectClientFault(c.plane.kind, pod, /no kind "Pod" is registered for version "v1" in scheme /);
    expectAnswer(await c.api.delete(path, undefined, { gracePeriodSeconds: 0 }), 200, { status: "Success" });
  },
  "generation counts changes of the spec only": async (c) => {
    const ns = await c.namespace();
    const path = `/apis/apps/v1/namespaces/${ns}/replicasets`;
    const set = {
      metadata: { name: "r" },
      spec: {
        replicas: 0,
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i:1" }] } },
      },
    };
    expectAnswer(await c.api.post(path, set), 201, { metadata: { generation: 1 } });
    expectAnswer(await c.api.patch(`${path}/r`, "merge", { metadata: { labels: { l: "1" } } }), 200, {
      metadata: { generation: 1 },
    });
    expectAnswer(await c.api.patch(`${path}/r`, "merge", { spec: { minReadySeconds: 3 } }), 200, {
      metadata: { generation: 2 },
    });
    expectAnswer(
      await c.api.patch(`${path}/r`, "merge", { metadata: { generation: 40 }, spec: { minReadySeconds: 4 } }),
      200,
      { metadata: { generation: 3 } },
    );
  },
});
