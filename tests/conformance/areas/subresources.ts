import assert from "node:assert/strict";
import { until } from "../../../scripts/trial/program.ts";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectRefusal, PRESENT } from "../expect.ts";

const SPEC = {
  replicas: 0,
  selector: { matchLabels: { app: "d" } },
  template: { metadata: { labels: { app: "d" } }, spec: { containers: [{ name: "c", image: "i:1" }] } },
};

async function replicaSet(c: CaseContext): Promise<{ ns: string; path: string }> {
  const ns = await c.namespace();
  const path = `/apis/apps/v1/namespaces/${ns}/replicasets`;
  expectAnswer(await c.api.post(path, { metadata: { name: "d" }, spec: SPEC }), 201);
  await until("its controller has seen it", async () => {
    return (await c.api.get(`${path}/d`)).body.status.observedGeneration === 1;
  }, { timeoutMs: 60_000 });
  return { ns, path: `${path}/d` };
}

async function node(c: CaseContext): Promise<string> {
  const name = c.unique("node");
  expectAnswer(await c.api.post("/api/v1/nodes", { metadata: { name }, status: { phase: "Running" } }), 201);
  return `/api/v1/nodes/${name}`;
}

export const SUBRESOURCES = area("subresources", {
  "an update of the object leaves the status alone": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const body = {
      metadata: { name: "p" },
      spec: { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] },
      status: { message: "from the start" },
    };
    expectAnswer(await c.api.post(pods, body), 201, { status: { phase: "Pending", message: ABSENT } });
    expectAnswer(
      await c.api.patch(`${pods}/p`, "merge", {
        metadata: { labels: { a: "b" } },
        status: { message: "hi" },
      }),
      200,
      { metadata: { labels: { a: "b" } }, status: { message: ABSENT } },
    );
  },
  "an update of the status leaves the rest alone": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    const made = expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201);
    made.status = {
      ...made.status,
      phase: "Running",
      message: "hi",
      podIP: "10.0.0.7",
      podIPs: [{ ip: "10.0.0.7" }],
    };
    made.spec.containers[0].image = "other:2";
    made.metadata.labels = { a: "b" };
    expectAnswer(await c.api.put(`${pods}/p/status`, made), 200, {
      spec: { containers: [{ image: "i:1" }] },
      status: { phase: "Running", message: "hi", podIP: "10.0.0.7" },
    });
    expectAnswer(await c.api.get(`${pods}/p/status`), 200, { kind: "Pod", status: { message: "hi" } });
    expectAnswer(await c.api.patch(`${pods}/p/status`, "strategic", { status: { reason: "Because" } }), 200, {
      status: { message: "hi", reason: "Because" },
    });
    expectAnswer(
      await c.api.patch(`${pods}/p/status`, "json", [{ op: "remove", path: "/status/message" }]),
      200,
      {
        status: { message: ABSENT, reason: "Because" },
      },
    );
  },
  "conditions of a status are merged by type": async (c) => {
    const path = await node(c);
    const condition = (type: string, status: string) => ({ type, status, reason: "R", message: "m" });
    await c.api.patch(`${path}/status`, "strategic", {
      status: { conditions: [condition("Ready", "True"), condition("MemoryPressure", "False")] },
    });
    const patched = expectAnswer(
      await c.api.patch(`${path}/status`, "strategic", {
        status: { conditions: [{ type: "Ready", status: "False" }] },
      }),
      200,
    );
    const ready = patched.status.conditions.find((x: { type: string }) => x.type === "Ready");
    assert.deepEqual([ready.status, ready.message], ["False", "m"]);
    assert.ok(patched.status.conditions.some((x: { type: string }) => x.type === "MemoryPressure"));
    await c.api.delete(path);
  },
  "a status holds a resourceVersion": async (c) => {
    const path = await node(c);
    const made = expectAnswer(await c.api.get(path), 200);
    await c.api.patch(`${path}/status`, "merge", { status: { nodeInfo: { kernelVersion: "x" } } });
    made.metadata.resourceVersion = "1";
    expectRefusal(await c.api.put(`${path}/status`, made), 409, {
      reason: "Conflict",
      message:
        `Operation cannot be fulfilled on nodes "${made.metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
    });
    await c.api.delete(path);
  },
  "what has no such subresource has no such path": async (c) => {
    const ns = await c.namespace();
    const maps = `/api/v1/namespaces/${ns}/configmaps`;
    await c.api.post(maps, { metadata: { name: "a" } });
    for (const subresource of ["status", "scale", "nosuch"]) {
      expectRefusal(await c.api.get(`${maps}/a/${subresource}`), 404, {
        reason: "NotFound",
        message: "the server could not find the requested resource",
        details: {},
      });
    }
  },
  "scale shows and changes replicas only": async (c) => {
    const { ns, path } = await replicaSet(c);
    const made = expectAnswer(await c.api.get(path), 200);
    expectAnswer(await c.api.get(`${path}/scale`), 200, {
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      metadata: {
        name: "d",
        namespace: ns,
        uid: made.metadata.uid,
        resourceVersion: made.metadata.resourceVersion,
        creationTimestamp: made.metadata.creationTimestamp,
      },
      spec: {},
      status: { replicas: 0, selector: "app=d" },
    });
    const scale = (replicas: number, metadata: object = {}) => ({
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "d", namespace: ns, ...metadata },
      spec: { replicas },
    });
    expectAnswer(await c.api.put(`${path}/scale`, scale(2), { dryRun: "All" }), 200, {
      spec: { replicas: 2 },
    });
    expectAnswer(await c.api.get(path), 200, { spec: { replicas: 0 }, metadata: { generation: 1 } });
    expectAnswer(await c.api.put(`${path}/scale`, scale(2)), 200, { spec: { replicas: 2 } });
    expectAnswer(await c.api.get(path), 200, { spec: { replicas: 2 }, metadata: { generation: 2 } });
    expectAnswer(await c.api.patch(`${path}/scale`, "merge", { spec: { replicas: 1 } }), 200, {
      kind: "Scale",
      spec: { replicas: 1 },
    });
    expectAnswer(
      await c.api.patch(`${path}/scale`, "json", [{ op: "replace", path: "/spec/replicas", value: 3 }]),
      200,
      { spec: { replicas: 3 } },
    );
    expectRefusal(await c.api.put(`${path}/scale`, scale(1, { resourceVersion: "1" })), 409, {
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on replicasets.apps "d": the object has been modified; please apply your changes to the latest version and try again',
    });
  },
  "scale refuses less than nothing": async (c) => {
    const { ns, path } = await replicaSet(c);
    const message = "Invalid value: -1: must be greater than or equal to 0";
    expectRefusal(
      await c.api.put(`${path}/scale`, { metadata: { name: "d", namespace: ns }, spec: { replicas: -1 } }),
      422,
      {
        reason: "Invalid",
        message: `Scale.autoscaling "d" is invalid: spec.replicas: ${message}`,
        details: {
          name: "d",
          group: "autoscaling",
          kind: "Scale",
          causes: [{ reason: "FieldValueInvalid", field: "spec.replicas", message }],
        },
      },
    );
  },
  "scale of the kinds that have one": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[string, object]> = [
      ["deployments", SPEC],
      ["replicasets", SPEC],
      ["statefulsets", { ...SPEC, serviceName: "d" }],
    ];
    for (const [resource, spec] of rows) {
      const path = `/apis/apps/v1/namespaces/${ns}/${resource}`;
      expectAnswer(await c.api.post(path, { metadata: { name: "s" }, spec }), 201);
      expectAnswer(await c.api.get(`${path}/s/scale`), 200, { kind: "Scale", status: { selector: "app=d" } });
      await c.api.delete(`${path}/s`);
    }
  },
  "binding puts a pod on a node once": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const [one, two] = [c.unique("one"), c.unique("two")];
    expectAnswer(await c.api.post("/api/v1/nodes", { metadata: { name: one } }), 201);
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    await c.api.post(pods, { metadata: { name: "p" }, spec });
    const bind = (name: string) =>
      c.api.post(`${pods}/p/binding`, { metadata: { name: "p" }, target: { kind: "Node", name } });
    expectAnswer(await bind(one), 201, { kind: "Status", status: "Success", code: 201 });
    expectRefusal(await bind(two), 409, {
      reason: "Conflict",
      message:
        `Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "${one}"`,
    });
    expectAnswer(await c.api.get(`${pods}/p`), 200, {
      spec: { nodeName: one },
      status: { conditions: (all: object[]) => JSON.stringify(all).includes('"type":"PodScheduled"') },
    });
    await c.api.delete(`${pods}/p`, { gracePeriodSeconds: 0 });
    await c.api.delete(`/api/v1/nodes/${one}`);
  },
  "a binding without a pod in its path is of old": async (c) => {
    const ns = await c.podNamespace();
    const path = `/api/v1/namespaces/${ns}/bindings`;
    const binding = { metadata: { name: "nosuch" }, target: { kind: "Node", name: "n" } };
    const answer = await c.api.post(path, binding);
    if (c.plane.kind === "kubernetes") {
      expectRefusal(answer, 404, { reason: "NotFound", message: 'pods "nosuch" not found' });
      return;
    }
    expectRefusal(answer, 404, {
      reason: "NotFound",
      message: "the server could not find the requested resource",
      details: {},
    });
  },
  "eviction deletes a pod": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    await c.api.post(pods, { metadata: { name: "p" }, spec });
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p", namespace: ns } };
    expectAnswer(await c.api.post(`${pods}/p/eviction`, eviction), 201, {
      kind: "Status",
      status: "Success",
    });
    assert.equal((await c.api.get(`${pods}/p`)).status, 404);
    expectRefusal(await c.api.post(`${pods}/p/eviction`, eviction), 404, {
      reason: "NotFound",
      message: 'pods "p" not found',
    });
  },
  "containers of a pod can change their images, and little else": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    await c.api.post(pods, { metadata: { name: "p" }, spec });
    expectAnswer(
      await c.api.patch(`${pods}/p`, "strategic", { spec: { containers: [{ name: "c", image: "i:2" }] } }),
      200,
      { spec: { containers: [{ image: "i:2" }] } },
    );
    expectRefusal(await c.api.patch(`${pods}/p`, "strategic", { spec: { hostNetwork: true } }), 422, {
      reason: "Invalid",
      message:
        /^Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`/,
      details: { name: "p", kind: "Pod", causes: PRESENT },
    });
  },
});
