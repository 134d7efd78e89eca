import assert from "node:assert/strict";
import { CONFIG_MAPS, PODS } from "../../common/kubeclient/mod.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers, DEMO, type Trial } from "../support/trial.ts";

const WEB = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{
          name: "web",
          ...DEMO,
          env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "web-password", key: "password" } } }],
          volumeMounts: [{ name: "pages", mountPath: "/www" }],
        }],
        volumes: [{ name: "pages", configMap: { name: "web-pages" } }],
      },
    },
  },
};
const PAGES = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "web-pages" },
  data: { "index.html": "first" },
};
const PASSWORD = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "web-password" },
  stringData: { password: "swordfish" },
};

async function text(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  return await response.text();
}

async function mainLine(t: Deno.TestContext, trial: Trial): Promise<void> {
  const { site } = trial;
  await site.start();
  const kube = await site.kube();
  let uid = "";
  let name = "";
  let ip = "";

  await t.step("the node is there as the kubelet reports it", async () => {
    const table = await trial.kubectl("get", "nodes");
    assert.match(table, new RegExp(`^${site.nodeName} +Ready +(agent,edge|edge,agent) `, "m"));
    const node = JSON.parse(await trial.kubectl("get", "node", site.nodeName, "-o", "json"));
    assert.match(node.status.nodeInfo.kubeletVersion, /^v1\.\d+\.\d+-kubeedge-v/);
    assert.ok(Number(node.status.capacity.cpu) >= 1);
    assert.match(node.status.nodeInfo.containerRuntimeVersion, /^docker:\/\//);
    const lease = await trial.kubectl(
      "-n",
      "kube-node-lease",
      "get",
      "lease",
      site.nodeName,
      "-o",
      "jsonpath={.spec.holderIdentity}",
    );
    assert.equal(lease, site.nodeName);
  });

  await t.step("apply: the pod becomes Ready with the page and the secret", async () => {
    await trial.apply(PAGES, PASSWORD, WEB);
    await trial.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
    const { items } = await kube.list(PODS, { namespace: "default", labelSelector: "app=web" });
    assert.equal(items.length, 1);
    const pod = items[0]!;
    assert.ok(isReady(pod));
    uid = pod.metadata!.uid!;
    name = pod.metadata!.name!;
    ip = pod.status!.podIP!;
    assert.match(pod.status!.containerStatuses![0]!.containerID!, /^docker:\/\/[0-9a-f]{64}$/);
    assert.equal(await until("the page", () => text(`http://${ip}:8080/`)), "first");
    assert.match(await text(`http://${ip}:8081/`), /^PASSWORD=swordfish$/m);
  });

  await t.step("kubectl shows it in every way", async () => {
    assert.match(
      await trial.kubectl("get", "pods", "-o", "wide"),
      new RegExp(`${name} +1/1 +Running +0 .* ${ip} +${site.nodeName}`),
    );
    assert.match(await trial.kubectl("get", "deployment", "web"), /web +1\/1 +1 +1 /);
    const described = await trial.kubectl("describe", "pod", name);
    assert.match(described, /Status: +Running/);
    assert.match(described, /QoS Class: +BestEffort/);
    assert.equal(await trial.kubectl("get", "pod", name, "-o", "name"), `pod/${name}\n`);
  });

  await t.step("a changed ConfigMap reaches the running container", async () => {
    await kube.patch(CONFIG_MAPS, { namespace: "default", name: "web-pages" }, {
      type: "merge",
      body: { data: { "index.html": "second" } },
    });
    await until("the second page", async () => (await text(`http://${ip}:8080/`)) === "second", {
      timeoutMs: 90_000,
    });
    assert.equal((await containers({ uid, name: "web" })).length, 1);
  });

  await t.step("a rolling update replaces the pod", async () => {
    await trial.kubectl("set", "env", "deployment/web", "COLOUR=green");
    await trial.kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    await trial.noContainers(uid);
    const { items } = await kube.list(PODS, { namespace: "default", labelSelector: "app=web" });
    const pod = items.find((p) => p.metadata?.deletionTimestamp === undefined)!;
    assert.notEqual(pod.metadata!.uid, uid);
    assert.match(await text(`http://${pod.status!.podIP}:8081/`), /^COLOUR=green$/m);
  });

  await t.step("a pod that ends is Succeeded, one that fails restarts with backoff", async () => {
    await trial.apply(
      busyboxPod("done", ["true"], { restartPolicy: "Never" }),
      busyboxPod("failing", ["sh", "-c", "exit 3"]),
    );
    await trial.pod("done", (p) => p.status?.phase === "Succeeded", "succeeded");
    const failing = await trial.pod("failing", (p) => {
      const status = p.status?.containerStatuses?.[0];
      return status?.state?.waiting?.reason === "CrashLoopBackOff" && status.restartCount >= 1;
    }, "was in CrashLoopBackOff");
    assert.equal(failing.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 3);
    await trial.kubectl("delete", "pod", "done", "failing", "--wait=true", "--timeout=60s");
  });

  await t.step("init containers run first, in order", async () => {
    const volumeMounts = [{ name: "work", mountPath: "/work" }];
    const image = { ...DEMO, volumeMounts };
    const pod = busyboxPod("ordered", [], {
      initContainers: [
        { name: "one", ...image, command: ["sh", "-c", "echo one > /work/order"] },
        { name: "two", ...image, command: ["sh", "-c", "echo two >> /work/order"] },
      ],
      containers: [{
        name: "main",
        ...image,
        command: ["sh", "-c", 'test "$(cat /work/order | wc -l)" = 2 && sleep 3600'],
      }],
      volumes: [{ name: "work", emptyDir: {} }],
    });
    await trial.apply(pod);
    const running = await trial.pod("ordered", isReady, "became ready");
    assert.deepEqual(running.status?.initContainerStatuses?.map((s) => s.state?.terminated?.reason), [
      "Completed",
      "Completed",
    ]);
    await trial.kubectl("delete", "pod", "ordered", "--timeout=60s");
  });

  await t.step("delete: nothing is left at the edge", async () => {
    await trial.kubectl("delete", "deployment", "web");
    await trial.noPods("app=web");
    await trial.noContainers();
    const left = [...Deno.readDirSync(`${site.directory}/edge/kubelet/pods`)].map((e) => e.name);
    assert.deepEqual(left, []);
  });

  await t.step("metrics and health are served", async () => {
    assert.match(
      await text(`http://127.0.0.1:${site.ports.monitor}/metrics`),
      /^KubeEdge_CloudHub_connected_nodes 1$/m,
    );
  });

  await t.step("both programs end within 5 s of SIGTERM", async () => {
    for (const program of [site.edge, site.cloud]) {
      const start = Date.now();
      assert.deepEqual(await program.stop(), { code: 0, signal: null });
      assert.ok(Date.now() - start < 5000, `${program.name} took ${Date.now() - start} ms`);
    }
  });
}

onEachControlPlane("kubectl runs a Deployment in real containers at the edge, changes it and removes it", {
  needs: [ENGINE, KUBECTL, EXECUTABLES],
  node: "main",
  steps: mainLine,
});
