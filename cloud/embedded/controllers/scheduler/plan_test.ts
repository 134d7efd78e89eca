import assert from "node:assert/strict";
import fc from "fast-check";
import type { Node, Pod, Toleration } from "../../../../common/api/core_v1.ts";
import { type NodeLoad, placePod, schedulingView } from "./plan.ts";
import { parseQuantity } from "../../../../common/api/quantity.ts";
import { hostPorts, podRequests } from "./requests.ts";
import { tolerates } from "./taints.ts";

function node(
  change: (node: Node & { spec: NonNullable<Node["spec"]>; status: NonNullable<Node["status"]> }) => void =
    () => {},
): Node {
  const made = {
    metadata: { name: "n1", labels: { zone: "a", cores: "8" } },
    spec: {},
    status: {
      allocatable: { cpu: "2", memory: "1Gi", pods: "3" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
  change(made);
  return made;
}

type Container = NonNullable<Pod["spec"]>["containers"][number];

function pod(spec: Partial<NonNullable<Pod["spec"]>> = {}, container: Partial<Container> = {}): Pod {
  return { metadata: { name: "p" }, spec: { containers: [{ name: "c", ...container }], ...spec } };
}

const requests = (cpu: string, memory = "0") => ({ resources: { requests: { cpu, memory } } });
const why = (given: Pod, load: NodeLoad) => {
  const placement = placePod(given, [load]);
  return placement.kind === "bind"
    ? ""
    : placement.message.replace(/^0\/1 nodes are available: 1 (.*)\.$/, "$1");
};
const required = (matchExpressions: Array<{ key: string; operator: string; values?: string[] }>) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] },
    },
  },
});
const SELECTOR = "node(s) didn't match Pod's node affinity/selector";

Deno.test("placePod() fits a pod to a node, or says why not in the real scheduler's words", async (t) => {
  const ready = (status: string) => node((n) => n.status.conditions![0]!.status = status);
  const port = (hostPort: number, hostIP?: string) => ({
    ports: [{ containerPort: 1, hostPort, ...(hostIP && { hostIP }) }],
  });
  const notReady: Toleration = { key: "node.kubernetes.io/not-ready", operator: "Exists" };
  const rows: Array<[string, Pod, NodeLoad, string]> = [
    ["nothing asked", pod(), { node: node(), pods: [] }, ""],
    ["node selector met", pod({ nodeSelector: { zone: "a" } }), { node: node(), pods: [] }, ""],
    ["node selector not met", pod({ nodeSelector: { zone: "b" } }), { node: node(), pods: [] }, SELECTOR],
    ["affinity In", pod(required([{ key: "zone", operator: "In", values: ["a"] }])), {
      node: node(),
      pods: [],
    }, ""],
    ["affinity NotIn", pod(required([{ key: "zone", operator: "NotIn", values: ["a"] }])), {
      node: node(),
      pods: [],
    }, SELECTOR],
    ["affinity Gt", pod(required([{ key: "cores", operator: "Gt", values: ["4"] }])), {
      node: node(),
      pods: [],
    }, ""],
    ["affinity Lt", pod(required([{ key: "cores", operator: "Lt", values: ["8"] }])), {
      node: node(),
      pods: [],
    }, SELECTOR],
    ["affinity Gt of text", pod(required([{ key: "zone", operator: "Gt", values: ["4"] }])), {
      node: node(),
      pods: [],
    }, SELECTOR],
    [
      "affinity Exists",
      pod(required([{ key: "gpu", operator: "Exists" }])),
      { node: node(), pods: [] },
      SELECTOR,
    ],
    ["affinity without requirements", pod(required([])), { node: node(), pods: [] }, SELECTOR],
    [
      "cordoned",
      pod(),
      { node: node((n) => n.spec.unschedulable = true), pods: [] },
      "node(s) were unschedulable",
    ],
    ["tainted", pod(), {
      node: node((n) => n.spec.taints = [{ key: "a", value: "b", effect: "NoSchedule" }]),
      pods: [],
    }, "node(s) had untolerated taint {a: b}"],
    ["tainted NoExecute", pod(), {
      node: node((n) => n.spec.taints = [{ key: "a", effect: "NoExecute" }]),
      pods: [],
    }, "node(s) had untolerated taint {a: }"],
    ["tainted PreferNoSchedule", pod(), {
      node: node((n) => n.spec.taints = [{ key: "a", effect: "PreferNoSchedule" }]),
      pods: [],
    }, ""],
    [
      "not ready",
      pod(),
      { node: ready("False"), pods: [] },
      "node(s) had untolerated taint {node.kubernetes.io/not-ready: }",
    ],
    [
      "silent",
      pod(),
      { node: ready("Unknown"), pods: [] },
      "node(s) had untolerated taint {node.kubernetes.io/unreachable: }",
    ],
    ["not ready but tolerated", pod({ tolerations: [notReady] }), { node: ready("False"), pods: [] }, ""],
    [
      "cpu",
      pod({}, requests("1500m")),
      { node: node(), pods: [pod({}, requests("600m"))] },
      "Insufficient cpu",
    ],
    ["cpu to the brim", pod({}, requests("1400m")), { node: node(), pods: [pod({}, requests("600m"))] }, ""],
    ["memory", pod({}, requests("0", "2Gi")), { node: node(), pods: [] }, "Insufficient memory"],
    ["an unknown resource", pod({}, { resources: { requests: { "x/gpu": "1" } } }), {
      node: node(),
      pods: [],
    }, "Insufficient x/gpu"],
    ["pods", pod(), { node: node(), pods: [pod(), pod(), pod()] }, "Too many pods"],
    [
      "host port taken",
      pod({}, port(80)),
      { node: node(), pods: [pod({}, port(80, "10.0.0.1"))] },
      "node(s) didn't have free ports for the requested pod ports",
    ],
    ["host port of another address", pod({}, port(80, "10.0.0.2")), {
      node: node(),
      pods: [pod({}, port(80, "10.0.0.1"))],
    }, ""],
  ];
  for (const [name, given, load, expected] of rows) {
    await t.step(name, () => assert.equal(why(given, load), expected));
  }
});

Deno.test("placePod() counts the reasons of all nodes, sorted", () => {
  const tainted = node((n) => n.spec.taints = [{ key: "a", effect: "NoSchedule" }]);
  const placement = placePod(
    pod({}, requests("3")),
    [tainted, node(), tainted].map((n) => ({ node: n, pods: [] })),
  );
  assert.deepEqual(placement, {
    kind: "unschedulable",
    message: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: }.",
  });
});

Deno.test("placePod() chooses the node with the fewest pods, then the first by name", () => {
  const named = (name: string, count: number): NodeLoad => ({
    node: { ...node(), metadata: { name } },
    pods: Array.from({ length: count }, () => pod()),
  });
  const choose = (...loads: NodeLoad[]) => {
    const placement = placePod(pod(), loads);
    return placement.kind === "bind" ? placement.nodeName : placement.message;
  };
  assert.equal(choose(named("a", 2), named("b", 1)), "b");
  assert.equal(choose(named("b", 1), named("a", 1)), "a");
});

Deno.test("placePod() refuses what it cannot judge instead of ignoring it", () => {
  const placement = placePod(pod({ resourceClaims: [{ name: "gpu" }] }), [{ node: node(), pods: [] }]);
  assert.ok(
    placement.kind === "unschedulable" && /not supported by the embedded scheduler/.test(placement.message),
  );
});

Deno.test("tolerates() covers taints as the API says", async (t) => {
  const taint = { key: "k", value: "v", effect: "NoSchedule" };
  const rows: Array<[string, Toleration, boolean]> = [
    ["equal", { key: "k", operator: "Equal", value: "v", effect: "NoSchedule" }, true],
    ["equal by default", { key: "k", value: "v" }, true],
    ["another value", { key: "k", value: "w" }, false],
    ["another effect", { key: "k", value: "v", effect: "NoExecute" }, false],
    ["exists", { key: "k", operator: "Exists" }, true],
    ["everything", { operator: "Exists" }, true],
    ["nothing", {}, false],
    ["an unknown operator", { key: "k", operator: "Near", value: "v" }, false],
  ];
  for (const [name, toleration, expected] of rows) {
    await t.step(name, () => assert.equal(tolerates([toleration], taint), expected));
  }
});

Deno.test("parseQuantity() reads quantities and nothing else", async (t) => {
  const rows: Array<[unknown, number | undefined]> = [
    ["1", 1],
    ["1500m", 1.5],
    ["1.5", 1.5],
    [".5", 0.5],
    ["128Mi", 134217728],
    ["1G", 1e9],
    ["1e3", 1000],
    ["2E", 2e18],
    ["2E2", 200],
    ["-1", -1],
    [3, 3],
    ["", undefined],
    ["1Kib", undefined],
    ["1 Gi", undefined],
    ["0x10", undefined],
    [null, undefined],
    [NaN, undefined],
  ];
  for (const [text, expected] of rows) {
    await t.step(String(text), () => assert.equal(parseQuantity(text), expected));
  }
});

Deno.test("parseQuantity() never throws", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    const number = parseQuantity(value);
    assert.ok(number === undefined || !Number.isNaN(number));
  }));
});

Deno.test("podRequests() takes the larger of the containers together and the largest init step", () => {
  const c = (cpu: string, restartPolicy?: string): Container => ({
    name: "c",
    ...requests(cpu),
    ...(restartPolicy && { restartPolicy }),
  });
  const cpu = (spec: Partial<NonNullable<Pod["spec"]>>) => podRequests(pod(spec)).get("cpu");
  assert.equal(cpu({ containers: [c("1"), c("2")] }), 3);
  assert.equal(cpu({ containers: [c("1")], initContainers: [c("5"), c("4")] }), 5);
  assert.equal(cpu({ containers: [c("1")], initContainers: [c("2", "Always"), c("3")] }), 5);
  assert.equal(
    cpu({ containers: [c("1")], initContainers: [c("2", "Always")], overhead: { cpu: "500m" } }),
    3.5,
  );
});

Deno.test("hostPorts() takes every port of a pod on the host's network", () => {
  const ports = [{ containerPort: 80 }, { containerPort: 53, hostPort: 5353, protocol: "UDP" }];
  assert.deepEqual(hostPorts(pod({}, { ports })), [{ ip: "0.0.0.0", protocol: "UDP", port: 5353 }]);
  assert.deepEqual(hostPorts(pod({ hostNetwork: true }, { ports })).map(({ port }) => port), [80, 5353]);
});

Deno.test("schedulingView() does not change with a heartbeat", () => {
  const beat = node((n) => n.status.conditions![0]!.lastHeartbeatTime = "2026-01-01T00:00:00Z");
  assert.deepEqual(schedulingView(node()), schedulingView(beat));
  assert.notDeepEqual(
    schedulingView(node()),
    schedulingView(node((n) => n.status.conditions![0]!.status = "False")),
  );
});
