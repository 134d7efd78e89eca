import assert from "node:assert/strict";
import { ENDPOINT_SLICES, NODES, PODS } from "../../common/kubeclient/mod.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers, DEMO, type Trial } from "../support/trial.ts";

const TAINT = "example.com/reserved";

function cronJob(name: string): unknown {
  const containers = [{ name: "main", ...DEMO, command: ["true"] }];
  const template = { spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers } };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name, namespace: "default" },
    spec: { schedule: "* * * * *", jobTemplate: { spec: { template } } },
  };
}

function requesting(name: string, cpu: string): Record<string, unknown> {
  const resources = { requests: { cpu } };
  return busyboxPod(name, [], {
    containers: [{ name: "main", ...DEMO, command: ["sleep", "3600"], resources }],
  });
}

async function moreWorkloads(t: Deno.TestContext, trial: Trial): Promise<void> {
  const { site } = trial;
  await site.start();
  const kube = await site.kube();
  const isPending = (reason: RegExp) => (pod: Parameters<typeof isReady>[0]) => {
    const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    return scheduled?.status === "False" && reason.test(scheduled.message ?? "");
  };
  const remove = (...pods: string[]) => trial.kubectl("delete", "pod", ...pods, "--timeout=60s");

  // Its minute comes while the rest is tried.
  await trial.apply(cronJob("minutely"));

  await t.step("a pod that does not tolerate a NoSchedule taint waits, one that does runs", async () => {
    await trial.kubectl("taint", "node", site.nodeName, `${TAINT}=yes:NoSchedule`);
    const tolerations = [{ key: TAINT, operator: "Equal", value: "yes", effect: "NoSchedule" }];
    await trial.apply(
      busyboxPod("waits", ["sleep", "3600"]),
      busyboxPod("tolerates", ["sleep", "3600"], { tolerations }),
    );
    await trial.pod("tolerates", isReady, "became ready");
    await trial.pod("waits", isPending(/untolerated taint/), "waits");
    await trial.kubectl("taint", "node", site.nodeName, `${TAINT}-`);
    await trial.pod("waits", isReady, "became ready");
  });

  await t.step(
    "a NoExecute taint ends the pods at the edge that do not tolerate it, after their time",
    async () => {
      const tolerations = [{ key: TAINT, operator: "Exists", effect: "NoExecute" }];
      await trial.apply(busyboxPod("stays", ["sleep", "3600"], { tolerations }));
      const stays = await trial.pod("stays", isReady, "became ready");
      await trial.kubectl("taint", "node", site.nodeName, `${TAINT}=yes:NoExecute`);
      await trial.noPods("app=waits");
      await trial.noPods("app=tolerates");
      await until("their containers are gone", async () => {
        return (await containers({ node: site.nodeName, name: "main" })).length === 1;
      });
      assert.equal((await trial.pod("stays", isReady, "is ready")).metadata?.uid, stays.metadata?.uid);
      await trial.kubectl("taint", "node", site.nodeName, `${TAINT}-`);
      await remove("stays");
    },
  );

  await t.step("requests that do not fit wait until there is room", async () => {
    const { status } = await kube.get(NODES, { name: site.nodeName });
    const cpus = Number(status!.allocatable!.cpu);
    assert.ok(cpus >= 1, `allocatable processors ${status!.allocatable!.cpu}`);
    const most = `${Math.floor(cpus * 1000 * 0.7)}m`;
    await trial.apply(requesting("large", most));
    await trial.pod("large", isReady, "became ready");
    await trial.apply(requesting("later", most));
    await trial.pod("later", isPending(/Insufficient cpu/), "waits");
    await remove("large");
    await trial.pod("later", isReady, "became ready");
    await remove("later");
  });

  await t.step(
    "a Service has the addresses of its ready pods at the edge, and loses them with the pods",
    async () => {
      const service = {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web", namespace: "default" },
        spec: { selector: { app: "served" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
      };
      await trial.apply(service, busyboxPod("served", [], { containers: [{ name: "main", ...DEMO }] }));
      const { status } = await trial.pod("served", isReady, "became ready");
      const slices = async () => {
        const labelSelector = "kubernetes.io/service-name=web";
        return (await kube.list(ENDPOINT_SLICES, { namespace: "default", labelSelector })).items;
      };
      const addresses = async () =>
        (await slices()).flatMap(({ endpoints }) =>
          (endpoints ?? []).filter(({ conditions }) => conditions?.ready).map((each) =>
            `${each.addresses[0]} ${each.nodeName}`
          )
        );
      await until("its address is there", async () => {
        return (await addresses()).join() === `${status!.podIP} ${site.nodeName}`;
      });
      const endpoints = await trial.kubectl(
        "get",
        "endpoints",
        "web",
        "-o",
        "jsonpath={.subsets[0].addresses[0].ip}",
      );
      assert.equal(endpoints.trim(), status!.podIP);
      assert.deepEqual((await slices())[0]?.ports?.map(({ port }) => port), [8080]);
      await remove("served");
      await until("its address is gone", async () => (await addresses()).length === 0);
      await trial.kubectl("delete", "service", "web");
    },
  );

  await t.step("a CronJob's Job runs to its end at the edge, at its minute", async () => {
    await until("a job of it has completed", async () => {
      const jobs = await trial.kubectl(
        "get",
        "jobs",
        "-o",
        "jsonpath={.items[?(@.status.succeeded==1)].metadata.name}",
      );
      return jobs.includes("minutely-");
    }, { timeoutMs: 120_000, everyMs: 500 });
    await trial.kubectl("delete", "cronjob", "minutely", "--cascade=foreground", "--timeout=60s");
  });

  await t.step("nothing is left at the edge", async () => {
    await trial.noContainers();
    assert.deepEqual((await kube.list(PODS, { namespace: "default" })).items, []);
  });
}

onEachControlPlane("schedules, taints, requests and services work with an edge node", {
  needs: [ENGINE, KUBECTL, EXECUTABLES],
  node: "planned",
  steps: moreWorkloads,
});
