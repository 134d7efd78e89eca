import assert from "node:assert/strict";
import type { Pod, Toleration } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { NODES, PODS } from "../../common/kubeclient/mod.ts";
import type { FakeCall } from "../../common/kubeclient/fake_client.ts";
import { createLogger } from "../../common/module/mod.ts";
import { connected, contentOf, node, pod, seed } from "./_testing.ts";
import { Rig } from "./fake_hub.ts";

const toleration = (key: string, tolerationSeconds?: number): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect: "NoExecute",
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});
const DEFAULTS = [toleration("not-ready", 300), toleration("unreachable", 300)];
const KEPT = [toleration("not-ready", 300), toleration("unreachable")];
const patches = ({ kube }: Rig) =>
  kube.calls.filter(({ verb, resource, subresource }) =>
    verb === "patch" && resource === "pods" && subresource === undefined
  );
const stored = async ({ kube }: Rig, name: string) =>
  (await kube.get(PODS, { namespace: "default", name })).spec?.tolerations;

Deno.test("edgeController() takes the time limit of lost nodes from pods of edges alone, and edges hear nothing of it", async () => {
  await using rig = new Rig();
  rig.kube.seed(PODS, pod("early", "edge-2", { tolerations: DEFAULTS }));
  rig.kube.seed(PODS, pod("cloud", "node-1", { tolerations: DEFAULTS }));
  rig.kube.seed(PODS, pod("impatient", "edge-2", { tolerations: [toleration("unreachable", 5)] }));
  const from = await connected(rig);
  await rig.kube.create(PODS, pod("late", "edge-1", { tolerations: DEFAULTS }));
  await rig.pushed("insert", "node/edge-1/default/pod/late", from);
  await rig.settle();
  assert.equal(patches(rig).length, 0, "pods start first");
  await rig.clock.advance(10_000);
  await rig.settle();
  assert.deepEqual(await stored(rig, "early"), KEPT);
  assert.deepEqual(await stored(rig, "late"), KEPT);
  assert.deepEqual(await stored(rig, "cloud"), DEFAULTS);
  assert.deepEqual(await stored(rig, "impatient"), [toleration("unreachable", 5)]);
  assert.equal(patches(rig).length, 2);
  assert.deepEqual(rig.pushes(from).filter((push) => push.includes("pod/late")), ["insert default/pod/late"]);
});

Deno.test("edgeController() tries again with the newest pod after a conflict, and overwrites nothing", async () => {
  let raced = false;
  await using rig: Rig = new Rig({
    kube: {
      intercept: async (call: FakeCall) => {
        if (raced || call.verb !== "patch" || call.resource !== "pods" || call.subresource !== undefined) {
          return;
        }
        raced = true;
        const body = { spec: { tolerations: [{ key: "gpu", operator: "Exists" }, ...DEFAULTS] } };
        await rig.kube.patch(PODS, { namespace: "default", name: "early" }, { type: "merge", body });
      },
    },
  });
  rig.kube.seed(PODS, pod("early", "edge-1", { tolerations: DEFAULTS }));
  await connected(rig);
  await rig.clock.advance(10_000);
  await rig.settle();
  await rig.clock.advance(10_000);
  await rig.settle();
  assert.deepEqual(await stored(rig, "early"), [{ key: "gpu", operator: "Exists" }, ...KEPT]);
});

Deno.test("edgeController() says once which right is missing, goes on, and tries again later", async () => {
  let forbidden = true;
  const lines: string[] = [];
  await using rig = new Rig({
    log: createLogger("test", { write: (line) => lines.push(line) }),
    kube: {
      intercept: ({ verb, resource, subresource }: FakeCall) => {
        if (forbidden && verb === "patch" && resource === "pods" && subresource === undefined) {
          throw new StatusError("Forbidden", 'pods "x" is forbidden: User "u" cannot patch resource "pods"');
        }
      },
    },
  });
  for (const name of ["a", "b", "c"]) rig.kube.seed(PODS, pod(name, "edge-1", { tolerations: DEFAULTS }));
  await connected(rig);
  await rig.clock.advance(10_000);
  await rig.settle();
  assert.deepEqual(lines.filter((line) => line.includes("verb patch on pods")).length, 1);
  forbidden = false;
  await rig.clock.advance(600_000);
  await rig.settle();
  for (const name of ["a", "b", "c"]) assert.deepEqual(await stored(rig, name), KEPT);
});

Deno.test("edgeController() has pods that were bound before their node was an edge, whole", async () => {
  let failures = 2;
  await using rig = new Rig({
    kube: {
      intercept: ({ verb, resource }: FakeCall) => {
        if (verb === "list" && resource === "pods" && rig.sent.length > 0 && failures-- > 0) {
          throw new StatusError("ServiceUnavailable", "away");
        }
      },
    },
  });
  seed(rig);
  const plain = { metadata: { name: "edge-3", uid: "uid-edge-3" } };
  rig.kube.seed(NODES, plain);
  rig.kube.seed(PODS, pod("waiting", "edge-3", { tolerations: DEFAULTS }));
  const from = await (async () => {
    await rig.module.ready;
    await rig.connect("edge-1");
    await rig.pushed("insert", "node/edge-1/default/pod/web");
    await rig.settle();
    return rig.sent.length;
  })();
  await rig.connect("edge-3");
  await rig.settle();
  assert.deepEqual(rig.pushes(from), []);
  await rig.kube.update(NODES, node("edge-3"));
  await rig.settle();
  await rig.clock.advance(60_000);
  await rig.clock.advance(60_000);
  const push = await rig.pushed("insert", "node/edge-3/default/pod/waiting", from);
  assert.equal(contentOf<Pod>(push).spec?.containers[0]?.name, "c");
  await rig.clock.advance(10_000);
  await rig.settle();
  assert.deepEqual(await stored(rig, "waiting"), KEPT);
  assert.ok(!rig.pushes(from).some((text) => text.startsWith("delete")));
});
