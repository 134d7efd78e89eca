import assert from "node:assert/strict";
import { type KubeClient, NODES, PODS } from "../../../common/kubeclient/mod.ts";
import { hasKubectl } from "../testing.ts";
import { EDGE_NODE, playKubelet, withCluster } from "./kubectl_testing.ts";

const JOB = `
apiVersion: batch/v1
kind: Job
metadata: { name: work }
spec:
  completions: 2
  parallelism: 2
  template:
    spec: { restartPolicy: Never, containers: [{ name: c, image: i }] }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: tick }
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      template:
        spec: { restartPolicy: Never, containers: [{ name: c, image: i }] }
`;

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: web, image: "web:1", ports: [{ name: http, containerPort: 8080 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { minAvailable: 2, selector: { matchLabels: { app: web } } }
`;

/** Ends every pod of a Job as a kubelet would. */
async function finishPods(kube: KubeClient, job: string): Promise<void> {
  const { items } = await kube.list(PODS, { labelSelector: `job-name=${job}` });
  for (const { metadata } of items) {
    const ref = { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
    await kube.patch(PODS, ref, { type: "merge", body: { status: { phase: "Succeeded" } } }, {
      subresource: "status",
    });
  }
}

Deno.test({
  name:
    "controlPlaneControllers() with kubectl: jobs are applied, made from cron jobs, waited for and described",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kube, kubectl }) => {
      await kubectl(["apply", "--validate=strict", "-f", "-"], JOB);
      await kubectl(["create", "job", "--from=cronjob/tick", "now"]);
      await kubectl(["wait", "--for=jsonpath={.status.active}=2", "job/work", "--timeout=10s"]);
      await kubectl(["wait", "--for=jsonpath={.status.active}=1", "job/now", "--timeout=10s"]);
      assert.match(await kubectl(["get", "jobs"]), /^work +Running +0\/2 /m);
      await finishPods(kube, "work");
      await kubectl(["wait", "--for=condition=Complete", "job/work", "--timeout=10s"]);
      assert.match(await kubectl(["get", "jobs"]), /^work +Complete +2\/2 /m);
      const described = await kubectl(["describe", "job", "work"]);
      assert.match(described, /Pods Statuses: +0 Active \(0 Ready\) \/ 2 Succeeded \/ 0 Failed/);
      assert.match(described, /Completed +\S+ +job-controller +Job completed/);
      assert.match(await kubectl(["get", "cronjobs"]), /^tick +0 0 1 1 \* +<none> +False +/m);
      await kubectl(["delete", "job", "now", "--cascade=foreground", "--timeout=20s"]);
      await kubectl(["delete", "job", "work", "--timeout=20s"]);
      await kubectl(["wait", "--for=delete", "pods", "-l", "job-name", "--timeout=20s"]);
    }),
});

Deno.test({
  name: "controlPlaneControllers() with kubectl: services have endpoints, and budgets hold a drain back",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kube, kubectl, refused }) => {
      await kube.create(NODES, EDGE_NODE("edge-1"));
      const stop = new AbortController();
      const kubelet = playKubelet(kube, stop.signal);
      try {
        await kubectl(["apply", "-f", "-"], WEB);
        await kubectl(["rollout", "status", "deployment/web", "--timeout=20s"]);
        for (const pod of (await kube.list(PODS)).items) {
          const ref = { name: pod.metadata?.name ?? "", namespace: "default" };
          const body = { status: { podIP: "10.1.0.1", podIPs: [{ ip: "10.1.0.1" }] } };
          await kube.patch(PODS, ref, { type: "merge", body }, { subresource: "status" });
        }
        const slices = ["endpointslices", "-l", "kubernetes.io/service-name=web"];
        await kubectl(["wait", "--for=jsonpath={.ports[0].port}=8080", ...slices, "--timeout=10s"]);
        await kubectl([
          "wait",
          "--for=jsonpath={.subsets[0].ports[0].port}=8080",
          "endpoints/web",
          "--timeout=10s",
        ]);
        assert.match(await kubectl(["get", ...slices]), /IPv4 +8080 +10\.1\.0\.1/);
        assert.match(await kubectl(["describe", "service", "web"]), /Endpoints: +10\.1\.0\.1:8080/);
        assert.match(await kubectl(["get", "all"]), /service\/web +ClusterIP +10\.\d+\.\d+\.\d+/);

        await kubectl(["wait", "--for=jsonpath={.status.currentHealthy}=2", "pdb/web", "--timeout=10s"]);
        const drain = ["drain", "edge-1", "--force", "--timeout=3s"];
        assert.match(await refused(drain), /global timeout reached/);
        assert.equal((await kube.list(PODS)).items.length, 2);
        await kubectl(["uncordon", "edge-1"]);
        await kubectl(["patch", "pdb", "web", "-p", '{"spec":{"minAvailable":0}}']);
        await kubectl(["wait", "--for=jsonpath={.status.disruptionsAllowed}=2", "pdb/web", "--timeout=10s"]);
        await kubectl(["drain", "edge-1", "--force", "--timeout=20s"]);
      } finally {
        stop.abort();
        await kubelet;
      }
    }),
});

Deno.test({
  name: "controlPlaneControllers() with kubectl: rights are granted, asked for and refused",
  ignore: !await hasKubectl(),
  fn: () =>
    withCluster(async ({ kubectl, refused }) => {
      await kubectl(["create", "role", "reader", "--verb=get,list", "--resource=pods"]);
      await kubectl(["create", "rolebinding", "bob", "--role=reader", "--user=bob"]);
      const bob = ["--as=bob"];
      assert.equal(await kubectl(["auth", "can-i", "list", "pods", ...bob]), "yes");
      assert.match(await refused(["auth", "can-i", "list", "secrets", "-q", ...bob]), /^$/);
      assert.match(await kubectl(["auth", "can-i", "--list", ...bob]), /^pods +\[\] +\[\] +\[get list\]/m);
      assert.match(await kubectl(["auth", "whoami", ...bob]), /Username +bob/);
      assert.equal(await kubectl(["get", "pods", "-o", "name", ...bob]), "");
      assert.match(
        await refused(["create", "configmap", "x", ...bob]),
        /configmaps is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "default"/,
      );
      assert.match(
        await kubectl(["describe", "clusterrole", "view"]),
        /endpointslices.discovery.k8s.io +\[\] +\[\] +\[get list watch\]/,
      );
      assert.match(await refused(["top", "pods"]), /Metrics API not available/);
      for (const output of ["plaintext", "plaintext-openapiv2"]) {
        assert.match(await kubectl(["explain", "job.spec.backoffLimit", `--output=${output}`]), /integer/);
      }
      assert.match(
        await kubectl(["create", "deployment", "x", "--image=y", "--dry-run=server"]),
        /created \(server dry run\)/,
      );
    }),
});
