import assert from "node:assert/strict";
import type { DaemonSet, Deployment, StatefulSet } from "../../../common/api/apps_v1.ts";
import type { Pod } from "../../../common/api/core_v1.ts";
import { StatusError } from "../../../common/errors/mod.ts";
import { type FakeCall, FakeKubeClient } from "../../../common/kubeclient/fake_client.ts";
import {
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  EVENTS,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "../../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../../common/metrics/mod.ts";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { silentLogger } from "../../../common/module/mod.ts";
import { findCondition, timestamp } from "./conditions.ts";
import { controlPlaneControllers } from "./mod.ts";

interface Cluster {
  kube: FakeKubeClient;
  clock: FakeClock;
  /** Lets time pass a little at a time until the condition holds. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Plays the kubelet: scheduled pods become ready, pods that are to go are gone. */
  kubelet(): Promise<void>;
}

async function withCluster(
  body: (cluster: Cluster) => Promise<void>,
  intercept?: (call: FakeCall) => void,
): Promise<void> {
  const clock = new FakeClock();
  await using kube = new FakeKubeClient({ now: () => clock.now(), ...(intercept && { intercept }) });
  kube.seed(NAMESPACES, { metadata: { name: "default" } });
  await withControllers(kube, clock, body);
}

async function withControllers(
  kube: FakeKubeClient,
  clock: FakeClock,
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const components = { kube, clock, log: silentLogger, metrics: new MetricsRegistry() };
  const module = controlPlaneControllers(components);
  const stop = new AbortController();
  const running = module.run(stop.signal);
  let isReady = false;
  module.ready.then(() => isReady = true);
  while (!isReady) await clock.advance(100);
  const until = async (what: string, condition: () => boolean) => {
    for (let i = 0; i < 2000; i++) {
      await clock.advance(10);
      if (condition()) return;
    }
    assert.fail(`${what} did not come about`);
  };
  const kubelet = async () => {
    for (const pod of kube.peekAll(PODS)) {
      if (!pod.spec?.nodeName) continue;
      const ref = { name: pod.metadata!.name!, namespace: pod.metadata!.namespace! };
      if (pod.metadata?.deletionTimestamp !== undefined) {
        await kube.delete(PODS, ref, { gracePeriodSeconds: 0 });
      } else if (pod.status?.phase !== "Running") {
        const ready = { type: "Ready", status: "True", lastTransitionTime: timestamp(clock.now()) };
        const body = { status: { phase: "Running", conditions: [ready] } };
        await kube.patch(PODS, ref, { type: "strategic", body }, { subresource: "status" });
      }
    }
  };
  try {
    await body({ kube, clock, until, kubelet });
  } finally {
    stop.abort();
    await running;
  }
}

const node = (name: string) => ({
  metadata: { name },
  status: {
    allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
    conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2026-01-01T00:00:00Z" }],
  },
});

const deployment = (replicas: number, image = "web:1"): Deployment => ({
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } },
  },
});

const web = (kube: FakeKubeClient) => kube.peek(DEPLOYMENTS, "default/web");
const images = (kube: FakeKubeClient) =>
  kube.peekAll(PODS).map((pod) => pod.spec?.containers[0]?.image).sort();
const isRolledOut = (kube: FakeKubeClient, replicas: number) => {
  const { status = {}, metadata = {} } = web(kube) ?? {};
  return status.observedGeneration === metadata.generation && (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas && (status.availableReplicas ?? 0) === replicas;
};

Deno.test("controlPlaneControllers() makes, scales, rolls and deletes what a deployment stands for", () =>
  withCluster(async ({ kube, until, kubelet, clock }) => {
    kube.seed(NODES, node("edge-1"));
    await kube.create(DEPLOYMENTS, deployment(3));
    await until(
      "pods on the node",
      () => kube.peekAll(PODS).filter((p) => p.spec?.nodeName === "edge-1").length === 3,
    );
    await until("a status", () => web(kube)?.status?.unavailableReplicas === 3);
    assert.equal(findCondition(web(kube)?.status?.conditions, "Available")?.status, "False");
    await kubelet();
    await until("the rollout", () => isRolledOut(kube, 3));
    const { conditions } = web(kube)!.status!;
    assert.equal(findCondition(conditions, "Available")?.status, "True");
    assert.equal(findCondition(conditions, "Progressing")?.reason, "NewReplicaSetAvailable");
    assert.equal(web(kube)?.metadata?.annotations?.["deployment.kubernetes.io/revision"], "1");

    const scaled = { type: "merge", body: { spec: { replicas: 5 } } } as const;
    await kube.patch(DEPLOYMENTS, { name: "web", namespace: "default" }, scaled);
    await until("five pods", () => kube.peekAll(PODS).length === 5);
    await kubelet();
    await until("five replicas", () => isRolledOut(kube, 5));

    const next = {
      type: "merge",
      body: { spec: { template: deployment(5, "web:2").spec!.template } },
    } as const;
    await kube.patch(DEPLOYMENTS, { name: "web", namespace: "default" }, next);
    let least = Infinity;
    let most = 0;
    for (let i = 0; i < 60 && !isRolledOut(kube, 5); i++) {
      await clock.advance(50);
      const pods = kube.peekAll(PODS);
      const serving = (pod: Pod) =>
        pod.metadata?.deletionTimestamp === undefined &&
        findCondition(pod.status?.conditions, "Ready")?.status === "True";
      least = Math.min(least, pods.filter(serving).length);
      most = Math.max(most, pods.filter((pod) => pod.metadata?.deletionTimestamp === undefined).length);
      await kubelet();
    }
    assert.ok(isRolledOut(kube, 5));
    assert.deepEqual(images(kube), Array(5).fill("web:2"));
    // 25 % of 5: two more while rolling, one fewer that serves.
    assert.equal(most, 7);
    assert.equal(least, 4);
    assert.equal(web(kube)?.metadata?.annotations?.["deployment.kubernetes.io/revision"], "2");
    assert.deepEqual(kube.peekAll(REPLICA_SETS).map((r) => r.spec?.replicas).sort(), [0, 5]);

    await kube.delete(DEPLOYMENTS, { name: "web", namespace: "default" }, {
      propagationPolicy: "Background",
    });
    await until(
      "pods to be told to go",
      () => kube.peekAll(PODS).every((p) => p.metadata?.deletionTimestamp),
    );
    await kubelet();
    await until("nothing left", () => kube.peekAll(PODS).length + kube.peekAll(REPLICA_SETS).length === 0);
    const reasons = new Set(kube.peekAll(EVENTS).map((event) => event.reason));
    for (const reason of ["ScalingReplicaSet", "SuccessfulCreate", "SuccessfulDelete", "Scheduled"]) {
      assert.ok(reasons.has(reason), reason);
    }
  }));

Deno.test("controlPlaneControllers() goes back to an earlier template and counts the revision on", () =>
  withCluster(async ({ kube, until, kubelet }) => {
    kube.seed(NODES, node("edge-1"));
    const ref = { name: "web", namespace: "default" };
    const setImage = (image: string) =>
      kube.patch(DEPLOYMENTS, ref, {
        type: "merge",
        body: { spec: { template: deployment(1, image).spec!.template } },
      });
    await kube.create(DEPLOYMENTS, deployment(1));
    const settle = async (image: string) => {
      for (let i = 0; i < 100 && !(isRolledOut(kube, 1) && images(kube).join() === image); i++) {
        await kubelet();
        await until("a step", () => true);
      }
      assert.deepEqual(images(kube), [image]);
    };
    await settle("web:1");
    await setImage("web:2");
    await settle("web:2");
    await setImage("web:1");
    await settle("web:1");
    assert.equal(kube.peekAll(REPLICA_SETS).length, 2);
    assert.equal(web(kube)?.metadata?.annotations?.["deployment.kubernetes.io/revision"], "3");
    const current = kube.peekAll(REPLICA_SETS).find((r) => r.spec?.replicas === 1);
    assert.equal(current?.metadata?.annotations?.["deployment.kubernetes.io/revision-history"], "1");
  }));

Deno.test("controlPlaneControllers() tells why a pod fits nowhere and places it once it does", () =>
  withCluster(async ({ kube, until }) => {
    await kube.create(PODS, { metadata: { name: "p", namespace: "default" }, spec: { containers: [] } });
    const scheduled = () => findCondition(kube.peek(PODS, "default/p")?.status?.conditions, "PodScheduled");
    await until("the condition", () => scheduled()?.status === "False");
    assert.equal(scheduled()?.reason, "Unschedulable");
    assert.equal(scheduled()?.message, "no nodes available to schedule pods");
    kube.seed(NODES, {
      ...node("edge-1"),
      spec: { taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] },
    });
    await until(
      "the other reason",
      () => scheduled()?.message === "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.",
    );
    await kube.patch(NODES, { name: "edge-1" }, { type: "merge", body: { spec: { taints: null } } });
    await until("the binding", () => kube.peek(PODS, "default/p")?.spec?.nodeName === "edge-1");
    assert.equal(scheduled()?.status, "True");
    const failed = kube.peekAll(EVENTS).filter((event) => event.reason === "FailedScheduling");
    assert.deepEqual(failed.map((event) => event.type), ["Warning", "Warning"]);
  }));

Deno.test("controlPlaneControllers() gives up a silent node: conditions, taints, its pods not ready, then gone", () =>
  withCluster(async ({ kube, until, kubelet, clock }) => {
    kube.seed(NODES, node("edge-1"));
    await kube.create(PODS, {
      metadata: { name: "p", namespace: "default" },
      spec: {
        containers: [],
        tolerations: [{
          key: "node.kubernetes.io/unreachable",
          operator: "Exists",
          effect: "NoExecute",
          tolerationSeconds: 300,
        }],
      },
    });
    await until("the binding", () => kube.peek(PODS, "default/p")?.spec?.nodeName === "edge-1");
    await kubelet();
    const ready = () => findCondition(kube.peek(NODES, "edge-1")?.status?.conditions, "Ready");
    await clock.advance(39_000);
    assert.equal(ready()?.status, "True");
    await clock.advance(3_000);
    assert.equal(ready()?.status, "Unknown");
    assert.equal(ready()?.reason, "NodeStatusUnknown");
    assert.equal(ready()?.message, "Kubelet stopped posting node status.");
    await until("the taints", () => kube.peek(NODES, "edge-1")?.spec?.taints?.length === 2);
    assert.deepEqual(kube.peek(NODES, "edge-1")?.spec?.taints?.map((t) => `${t.key}:${t.effect}`), [
      "node.kubernetes.io/unreachable:NoSchedule",
      "node.kubernetes.io/unreachable:NoExecute",
    ]);
    const pod = () => kube.peek(PODS, "default/p");
    await until(
      "the pod out of service",
      () => findCondition(pod()?.status?.conditions, "Ready")?.status === "False",
    );
    await clock.advance(290_000);
    assert.equal(pod()?.metadata?.deletionTimestamp, undefined);
    await clock.advance(15_000);
    assert.ok(pod()?.metadata?.deletionTimestamp);
    assert.equal(
      findCondition(pod()?.status?.conditions, "DisruptionTarget")?.reason,
      "DeletionByTaintManager",
    );
    await kube.delete(NODES, { name: "edge-1" });
    await clock.advance(45_000);
    assert.equal(pod(), undefined);
  }));

Deno.test("controlPlaneControllers() takes a node back when it speaks again", () =>
  withCluster(async ({ kube, until, clock }) => {
    kube.seed(NODES, node("edge-1"));
    await clock.advance(45_000);
    await until("the taints", () => kube.peek(NODES, "edge-1")?.spec?.taints?.length === 2);
    const back = { type: "Ready", status: "True", lastHeartbeatTime: timestamp(clock.now()) };
    await kube.patch(NODES, { name: "edge-1" }, {
      type: "strategic",
      body: { status: { conditions: [back] } },
    }, {
      subresource: "status",
    });
    await until("no taints", () => (kube.peek(NODES, "edge-1")?.spec?.taints ?? []).length === 0);
  }));

Deno.test("controlPlaneControllers() carries out foreground deletion and orphaning", () =>
  withCluster(async ({ kube, until, kubelet }) => {
    kube.seed(NODES, node("edge-1"));
    const ref = { name: "web", namespace: "default" };
    await kube.create(DEPLOYMENTS, deployment(1));
    await until("the pod on its node", () => kube.peekAll(PODS)[0]?.spec?.nodeName === "edge-1");
    await kube.delete(DEPLOYMENTS, ref, { propagationPolicy: "Foreground" });
    await until(
      "the pod to go",
      () => kube.peekAll(PODS).every((p) => p.metadata?.deletionTimestamp !== undefined),
    );
    assert.ok(web(kube), "the deployment waits for its pod");
    await kubelet();
    await until("the deployment to go", () => web(kube) === undefined);
    assert.equal(kube.peekAll(REPLICA_SETS).length, 0);

    await kube.create(DEPLOYMENTS, deployment(1));
    await until("the pod", () => kube.peekAll(PODS).length === 1);
    await kube.delete(DEPLOYMENTS, ref, { propagationPolicy: "Orphan" });
    await until("the deployment to go", () => web(kube) === undefined);
    const [left] = kube.peekAll(REPLICA_SETS);
    assert.equal(left?.metadata?.ownerReferences, undefined);
    await kube.create(DEPLOYMENTS, deployment(1));
    await until("adoption", () => kube.peekAll(REPLICA_SETS)[0]?.metadata?.ownerReferences?.length === 1);
    assert.equal(kube.peekAll(REPLICA_SETS).length, 1);
    assert.equal(kube.peekAll(PODS).length, 1);
  }));

Deno.test("controlPlaneControllers() recreates without ever having two templates at a time", () =>
  withCluster(async ({ kube, clock, until, kubelet }) => {
    kube.seed(NODES, node("edge-1"));
    const recreate = (image: string): Deployment => {
      const given = deployment(2, image);
      return { ...given, spec: { ...given.spec!, strategy: { type: "Recreate" } } };
    };
    await kube.create(DEPLOYMENTS, recreate("web:1"));
    await until("the pods", () => kube.peekAll(PODS).filter((pod) => pod.spec?.nodeName).length === 2);
    await kubelet();
    await until("the rollout", () => isRolledOut(kube, 2));
    const body = { spec: { template: recreate("web:2").spec!.template } };
    await kube.patch(DEPLOYMENTS, { name: "web", namespace: "default" }, { type: "merge", body });
    await until(
      "the old to be told to go",
      () => kube.peekAll(PODS).every((pod) => pod.metadata?.deletionTimestamp),
    );
    await clock.advance(5000);
    assert.deepEqual(images(kube), ["web:1", "web:1"]);
    await kubelet();
    await until("the new", () => images(kube).join() === "web:2,web:2");
  }));

Deno.test("controlPlaneControllers() hold a paused deployment and go on when it is resumed", () =>
  withCluster(async ({ kube, clock, until, kubelet }) => {
    kube.seed(NODES, node("edge-1"));
    const ref = { name: "web", namespace: "default" };
    const change = (spec: object) => kube.patch(DEPLOYMENTS, ref, { type: "merge", body: { spec } });
    const progressing = () => findCondition(web(kube)?.status?.conditions, "Progressing")?.reason;
    await kube.create(DEPLOYMENTS, deployment(2));
    await until("the pods", () => kube.peekAll(PODS).filter((pod) => pod.spec?.nodeName).length === 2);
    await kubelet();
    await until("the rollout", () => isRolledOut(kube, 2));
    await change({ paused: true, template: deployment(2, "web:2").spec!.template });
    await until("the condition", () => progressing() === "DeploymentPaused");
    await clock.advance(5000);
    assert.deepEqual(images(kube), ["web:1", "web:1"]);
    await change({ replicas: 3 });
    await until("scaling all the same", () => images(kube).length === 3);
    await change({ paused: null });
    await until("the new template", () => images(kube).includes("web:2"));
  }));

Deno.test("controlPlaneControllers() tell when a rollout has not moved for too long", () =>
  withCluster(async ({ kube, clock, until }) => {
    const given = deployment(1);
    await kube.create(DEPLOYMENTS, { ...given, spec: { ...given.spec!, progressDeadlineSeconds: 30 } });
    const progressing = () => findCondition(web(kube)?.status?.conditions, "Progressing");
    await until("the replica set", () => progressing()?.reason === "ReplicaSetUpdated");
    await clock.advance(29_000);
    assert.equal(progressing()?.status, "True");
    await clock.advance(3_000);
    assert.equal(progressing()?.status, "False");
    assert.equal(progressing()?.reason, "ProgressDeadlineExceeded");
  }));

const agent: DaemonSet = {
  metadata: { name: "agent", namespace: "default" },
  spec: {
    selector: { matchLabels: { app: "agent" } },
    template: {
      metadata: { labels: { app: "agent" } },
      spec: { containers: [{ name: "a", image: "agent:1" }] },
    },
  },
};

const db: StatefulSet = {
  metadata: { name: "db", namespace: "default" },
  spec: {
    serviceName: "db",
    replicas: 2,
    selector: { matchLabels: { app: "db" } },
    template: { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "d", image: "db:1" }] } },
  },
};

Deno.test("controlPlaneControllers() follow the nodes with the pods of a daemon set", () =>
  withCluster(async ({ kube, clock, until, kubelet }) => {
    const on = () => kube.peekAll(PODS).map((pod) => pod.spec?.nodeName).sort();
    const hasPodsOn = (...names: string[]) => () => JSON.stringify(on()) === JSON.stringify(names);
    kube.seed(NODES, node("edge-1"));
    await kube.create(DAEMON_SETS, agent);
    await until("the pod of the first node", hasPodsOn("edge-1"));
    await kube.create(NODES, node("edge-2"));
    await until("the pod of the second node", hasPodsOn("edge-1", "edge-2"));
    await kubelet();
    const status = () => kube.peek(DAEMON_SETS, "default/agent")?.status;
    await until("both ready", () => status()?.numberAvailable === 2);

    const failed = kube.peekAll(PODS)[0]!.metadata!;
    const fail = async (name: string) => {
      await kube.patch(PODS, { name, namespace: "default" }, {
        type: "merge",
        body: { status: { phase: "Failed" } },
      }, { subresource: "status" });
    };
    await fail(failed.name!);
    await until(
      "the failed pod going",
      () =>
        kube.peek(PODS, `default/${failed.name}`)?.status?.phase !== "Failed" ||
        kube.peek(PODS, `default/${failed.name}`)?.metadata?.deletionTimestamp !== undefined,
    );
    await kubelet();
    await until("another in its place", hasPodsOn("edge-1", "edge-2"));
    assert.ok(kube.peekAll(PODS).every((pod) => pod.metadata?.uid !== failed.uid));

    const taints = [{ key: "gpu", effect: "NoExecute" }];
    await kube.patch(NODES, { name: "edge-2" }, { type: "merge", body: { spec: { taints } } });
    await until("the tainted node being left", () => status()?.desiredNumberScheduled === 1);
    await clock.advance(100);
    await kubelet();
    await until("one pod", hasPodsOn("edge-1"));
  }));

Deno.test("controlPlaneControllers() make a stateful set in order though the server fails again and again", async () => {
  let count = 0;
  await withCluster(async ({ kube, until }) => {
    kube.seed(NODES, node("edge-1"));
    kube.seed(STATEFUL_SETS, db);
    kube.seed(DAEMON_SETS, agent);
    const done = () => kube.peek(STATEFUL_SETS, "default/db")?.status?.availableReplicas === 2;
    let outOfOrder = false;
    for (let i = 0; i < 4000 && !done(); i++) {
      const first = kube.peek(PODS, "default/db-0");
      outOfOrder ||= kube.peek(PODS, "default/db-1") !== undefined && first?.status?.phase !== "Running";
      for (const pod of kube.peekAll(PODS).filter((p) => p.spec?.nodeName && p.status?.phase !== "Running")) {
        const body = { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } };
        const ref = { name: pod.metadata!.name!, namespace: "default" };
        await kube.patch(PODS, ref, { type: "merge", body }, { subresource: "status" }).catch((error) =>
          assert.ok(error instanceof StatusError)
        );
      }
      await until("a step", () => true);
    }
    assert.ok(done());
    assert.ok(!outOfOrder);
    await until("the daemon pod", () => kube.peekAll(PODS).length === 3);
    assert.equal(kube.peekAll(CONTROLLER_REVISIONS).length, 2);
    assert.ok(count > 30);
  }, (call) => {
    if (++count % 3 !== 0) return;
    const reason = call.verb === "patch" || call.verb === "update" ? "Conflict" : "ServiceUnavailable";
    throw new StatusError(reason, "not now");
  });
});

Deno.test("controlPlaneControllers() tell why a stateful set with claims has no pods", () =>
  withCluster(async ({ kube, until }) => {
    kube.seed(STATEFUL_SETS, {
      ...db,
      spec: { ...db.spec!, volumeClaimTemplates: [{ metadata: { name: "data" } }] },
    });
    await until(
      "the event",
      () => kube.peekAll(EVENTS).some(({ message }) => /volumeClaimTemplates/.test(message ?? "")),
    );
    assert.deepEqual(kube.peekAll(PODS), []);
  }));

Deno.test("controlPlaneControllers() gets there though the server fails again and again", async () => {
  let count = 0;
  let failures = 0;
  await withCluster(async ({ kube, until }) => {
    kube.seed(NODES, node("edge-1"));
    kube.seed(DEPLOYMENTS, deployment(4));
    // Two minutes: what fails again and again is tried again at growing intervals.
    for (let i = 0; i < 12_000 && !isRolledOut(kube, 4); i++) {
      for (const pod of kube.peekAll(PODS).filter((p) => p.spec?.nodeName && p.status?.phase !== "Running")) {
        const ready = { type: "Ready", status: "True" };
        const ref = { name: pod.metadata!.name!, namespace: "default" };
        const body = { status: { phase: "Running", conditions: [ready] } };
        await kube.patch(PODS, ref, { type: "merge", body }, { subresource: "status" }).catch((error) =>
          assert.ok(error instanceof StatusError)
        );
      }
      await until("a step", () => true);
    }
    assert.ok(isRolledOut(kube, 4));
    assert.equal(kube.peekAll(PODS).length, 4);
    assert.equal(kube.peekAll(REPLICA_SETS).length, 1);
    assert.ok(failures > 10);
  }, (call) => {
    if (++count % 3 !== 0) return;
    failures++;
    const reason = call.verb === "patch" || call.verb === "update" ? "Conflict" : "ServiceUnavailable";
    throw new StatusError(reason, "not now");
  });
});

Deno.test("controlPlaneControllers() started anew write nothing when all is as it should be", async () => {
  const clock = new FakeClock();
  await using kube = new FakeKubeClient({ now: () => clock.now() });
  kube.seed(NAMESPACES, { metadata: { name: "default" } });
  await withControllers(kube, clock, async ({ until, kubelet }) => {
    kube.seed(NODES, node("edge-1"));
    await kube.create(DEPLOYMENTS, deployment(2));
    await kube.create(DAEMON_SETS, agent);
    await kube.create(STATEFUL_SETS, { ...db, spec: { ...db.spec!, replicas: 1 } });
    await until("the pods", () => kube.peekAll(PODS).filter((p) => p.spec?.nodeName).length === 4);
    await kubelet();
    await until("the rollout", () => isRolledOut(kube, 2));
    await until("the daemon", () => kube.peek(DAEMON_SETS, "default/agent")?.status?.numberAvailable === 1);
    await until("the set", () => kube.peek(STATEFUL_SETS, "default/db")?.status?.availableReplicas === 1);
    await clock.advance(100);
  });
  const before = kube.calls.length;
  await withControllers(kube, clock, async () => {
    await clock.advance(5000);
  });
  const writes = kube.calls.slice(before)
    .filter((call) => !["get", "list", "watch"].includes(call.verb) && call.resource !== "events");
  assert.deepEqual(writes, []);
});
