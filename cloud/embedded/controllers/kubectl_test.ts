import assert from "node:assert/strict";
import { NODES } from "../../../common/kubeclient/mod.ts";
import { timestamp } from "./conditions.ts";
import { hasKubectl } from "../testing.ts";
import { EDGE_NODE, playKubelet, withCluster } from "./kubectl_testing.ts";

const MANIFEST = (image: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - { name: web, image: "${image}", resources: { requests: { cpu: 100m, memory: 16Mi } } }
`;

Deno.test({
  name: "controlPlaneControllers() with kubectl: apply, rollout status, scale, update, undo, delete",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kube, kubectl }) => {
      await kube.create(NODES, {
        metadata: { name: "edge-1" },
        status: {
          allocatable: { cpu: "2", memory: "2Gi", pods: "10" },
          capacity: { cpu: "2", memory: "2Gi", pods: "10" },
          conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: timestamp(Date.now()) }],
        },
      });
      const stop = new AbortController();
      const kubelet = playKubelet(kube, stop.signal);
      try {
        const rolledOut = () => kubectl(["rollout", "status", "deployment/web", "--timeout=20s"]);
        await kubectl(["apply", "-f", "-"], MANIFEST("web:1"));
        assert.match(await rolledOut(), /successfully rolled out/);
        await kubectl(["wait", "--for=condition=Available", "deployment/web", "--timeout=10s"]);
        const nodes = await kubectl(["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"]);
        assert.equal(nodes, "edge-1 edge-1");

        await kubectl(["scale", "deployment/web", "--replicas=3"]);
        await rolledOut();
        assert.equal((await kubectl(["get", "pods", "-o", "name"])).split("\n").length, 3);

        await kubectl(["set", "image", "deployment/web", "web=web:2"]);
        await rolledOut();
        const images = async () =>
          new Set(
            (await kubectl([
              "get",
              "deployment",
              "web",
              "-o",
              "jsonpath={.spec.template.spec.containers[*].image}",
            ])).split(" "),
          );
        assert.deepEqual(await images(), new Set(["web:2"]));
        assert.match(await kubectl(["rollout", "history", "deployment/web"]), /^2 /m);

        await kubectl(["rollout", "undo", "deployment/web"]);
        await rolledOut();
        assert.deepEqual(await images(), new Set(["web:1"]));

        await kubectl(["delete", "deployment", "web", "--cascade=foreground", "--timeout=20s"]);
        const left = await kubectl(["get", "deployments,replicasets,pods", "-o", "name"]);
        assert.equal(left, "");
        const events = await kubectl(["get", "events", "-o", "jsonpath={.items[*].reason}"]);
        for (const reason of ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled"]) {
          assert.ok(events.includes(reason));
        }
      } finally {
        stop.abort();
        await kubelet;
      }
    }),
});

const DAEMON_SET = (image: string) => `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: default }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: agent, image: "${image}" }]
`;

Deno.test({
  name: "controlPlaneControllers() with kubectl: a daemon set on every node, its update and its end",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kube, kubectl }) => {
      await kube.create(NODES, EDGE_NODE("edge-1"));
      await kube.create(NODES, EDGE_NODE("edge-2"));
      const stop = new AbortController();
      const kubelet = playKubelet(kube, stop.signal);
      try {
        const rolledOut = () => kubectl(["rollout", "status", "ds/agent", "--timeout=20s"]);
        const each = async (path: string) =>
          (await kubectl(["get", "pods", "-l", "app=agent", "-o", `jsonpath={.items[*]${path}}`]))
            .split(" ").sort();
        await kubectl(["apply", "-f", "-"], DAEMON_SET("agent:1"));
        await kubectl(["wait", "ds/agent", "--for=jsonpath={.status.numberReady}=2", "--timeout=20s"]);
        assert.match(await rolledOut(), /successfully rolled out/);
        assert.deepEqual(await each(".spec.nodeName"), ["edge-1", "edge-2"]);
        const columns = (await kubectl(["get", "ds", "agent", "--no-headers"])).split(/\s+/);
        assert.deepEqual(columns.slice(0, 6), ["agent", "2", "2", "2", "2", "2"]);

        await kubectl(["apply", "-f", "-"], DAEMON_SET("agent:2"));
        assert.match(await rolledOut(), /successfully rolled out/);
        assert.deepEqual(await each(".spec.containers[0].image"), ["agent:2", "agent:2"]);

        await kubectl(["rollout", "undo", "ds/agent"]);
        assert.match(await rolledOut(), /successfully rolled out/);
        assert.deepEqual(await each(".spec.containers[0].image"), ["agent:1", "agent:1"]);
        assert.match(await kubectl(["rollout", "history", "ds/agent"]), /^3 /m);

        await kubectl(["label", "node", "edge-2", "zone=b"]);
        const only = { spec: { template: { spec: { nodeSelector: { zone: "b" } } } } };
        await kubectl(["patch", "ds", "agent", "-p", JSON.stringify(only)]);
        await kubectl([
          "wait",
          "ds/agent",
          "--for=jsonpath={.status.desiredNumberScheduled}=1",
          "--timeout=20s",
        ]);
        assert.match(await rolledOut(), /successfully rolled out/);
        await kubectl(["delete", "ds", "agent", "--cascade=foreground", "--timeout=20s"]);
        assert.equal(await kubectl(["get", "ds,pods,controllerrevisions", "-o", "name"]), "");
      } finally {
        stop.abort();
        await kubelet;
      }
    }),
});

const STATEFUL_SET = (image: string, more = "") => `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, namespace: default }
spec:
  serviceName: db
  replicas: 3
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: db, image: "${image}" }]
${more}`;

Deno.test({
  name:
    "controlPlaneControllers() with kubectl: a stateful set in order, its partitioned update, undo and end",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kube, kubectl }) => {
      await kube.create(NODES, EDGE_NODE("edge-1"));
      const stop = new AbortController();
      const kubelet = playKubelet(kube, stop.signal);
      try {
        await assert.rejects(
          kubectl(
            ["create", "-f", "-"],
            STATEFUL_SET("db:1", "  volumeClaimTemplates: [{ metadata: { name: data }, spec: {} }]\n"),
          ),
          /spec\.volumeClaimTemplates: Forbidden: the embedded control plane has no storage provisioner; use /,
        );
        const rolledOut = () => kubectl(["rollout", "status", "sts/db", "--timeout=20s"]);
        const each = (path: string) =>
          kubectl(["get", "pods", "--sort-by=.metadata.name", "-o", `jsonpath={.items[*]${path}}`]);
        await kubectl(["apply", "-f", "-"], STATEFUL_SET("db:1"));
        assert.match(await rolledOut(), /partitioned roll out complete: 3 new pods/);
        assert.equal(await each(".metadata.name"), "db-0 db-1 db-2");
        assert.equal(await each(".metadata.labels.apps\\.kubernetes\\.io/pod-index"), "0 1 2");
        assert.equal(await each(".spec.hostname"), "db-0 db-1 db-2");
        assert.match(await kubectl(["get", "sts", "db", "--no-headers"]), /^db\s+3\/3\s/);

        const partition = { spec: { updateStrategy: { rollingUpdate: { partition: 2 } } } };
        await kubectl(["patch", "sts", "db", "-p", JSON.stringify(partition)]);
        await kubectl(["set", "image", "sts/db", "db=db:2"]);
        assert.match(await rolledOut(), /partitioned roll out complete: 1 new pods/);
        await kubectl(["wait", "sts/db", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=20s"]);
        assert.equal(await each(".spec.containers[0].image"), "db:1 db:1 db:2");
        await kubectl(["delete", "pod", "db-0"]);
        await kubectl(["wait", "pod/db-0", "--for=create", "--timeout=20s"]);
        assert.equal(await each(".spec.containers[0].image"), "db:1 db:1 db:2");

        await kubectl(["rollout", "undo", "sts/db"]);
        await kubectl(["wait", "sts/db", "--for=jsonpath={.status.updatedReplicas}=3", "--timeout=20s"]);
        assert.equal(await each(".spec.containers[0].image"), "db:1 db:1 db:1");

        await kubectl(["scale", "sts/db", "--replicas=1"]);
        await kubectl(["wait", "pod/db-1", "--for=delete", "--timeout=20s"]);
        assert.equal(await each(".metadata.name"), "db-0");
        await kubectl(["delete", "sts", "db", "--cascade=foreground", "--timeout=20s"]);
        assert.equal(await kubectl(["get", "sts,pods,controllerrevisions", "-o", "name"]), "");
      } finally {
        stop.abort();
        await kubelet;
      }
    }),
});

Deno.test({
  name:
    "controlPlaneControllers() with kubectl: a namespace comes with its account and goes with its contents",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kubectl }) => {
      await kubectl(["apply", "-f", "-"], "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }");
      await kubectl(["wait", "--for=create", "serviceaccount/default", "-n", "shop", "--timeout=10s"]);
      await kubectl(["wait", "--for=create", "configmap/kube-root-ca.crt", "-n", "shop", "--timeout=10s"]);
      await kubectl(
        ["apply", "-f", "-"],
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c, namespace: shop }\ndata: { a: b }",
      );
      await kubectl(["delete", "namespace", "shop", "--timeout=20s"]);
      assert.equal(await kubectl(["get", "namespace", "shop", "--ignore-not-found"]), "");
    }),
});
