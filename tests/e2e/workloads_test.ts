import assert from "node:assert/strict";
import { DAEMON_SETS, PODS, STATEFUL_SETS } from "../../common/kubeclient/mod.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { runToEnd, until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers } from "../support/trial.ts";

const pod = (command: string[], spec: Record<string, unknown> = {}) => busyboxPod("x", command, spec).spec;
const workload = (kind: string, name: string, spec: Record<string, unknown>) => ({
  apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
  kind,
  metadata: { name, namespace: "default" },
  spec,
});
const replicated = (name: string, podSpec: unknown) => ({
  selector: { matchLabels: { app: name } },
  template: { metadata: { labels: { app: name } }, spec: podSpec },
});

onEachControlPlane("every kind of workload runs at the edge to its end", {
  needs: [ENGINE, KUBECTL, EXECUTABLES],
  node: "work",
  steps: async (t, trial) => {
    const { site } = trial;
    await site.start();
    const kube = await site.kube();

    await t.step("Jobs complete, and fail", async () => {
      const job = (command: string[], spec: Record<string, unknown>) => ({
        ...spec,
        template: { spec: pod(command, { restartPolicy: "Never" }) },
      });
      await trial.apply(
        workload("Job", "done", job(["true"], { completions: 3, parallelism: 2 })),
        workload("Job", "failed", job(["sh", "-c", "exit 4"], { backoffLimit: 0 })),
      );
      await trial.kubectl("wait", "--for=condition=Complete", "job/done", "--timeout=60s");
      await trial.kubectl("wait", "--for=condition=Failed", "job/failed", "--timeout=60s");
    });

    await t.step("a DaemonSet runs on the node, with the node's network", async () => {
      const spec = pod(["sleep", "3600"], { hostNetwork: true });
      await trial.apply(workload("DaemonSet", "everywhere", replicated("everywhere", spec)));
      await until("it is ready", async () => {
        const { status } = await kube.get(DAEMON_SETS, { namespace: "default", name: "everywhere" });
        return status?.numberReady === 1;
      });
    });

    await t.step("a StatefulSet runs its pods in order and updates them", async () => {
      const spec = pod(["sleep", "3600"]);
      const set = { ...replicated("set", spec), replicas: 2, serviceName: "set" };
      await trial.apply(workload("StatefulSet", "set", set));
      await trial.kubectl("rollout", "status", "statefulset/set", "--timeout=60s");
      await trial.kubectl("set", "env", "statefulset/set", "COLOUR=green");
      await trial.kubectl("rollout", "status", "statefulset/set", "--timeout=60s");
      const { status } = await kube.get(STATEFUL_SETS, { namespace: "default", name: "set" });
      assert.equal(status?.readyReplicas, 2);
    });

    await t.step("a pod speaks to the API as its service account", async () => {
      await trial.apply(busyboxPod("speaker", ["sleep", "3600"]));
      const speaker = await trial.pod("speaker", isReady, "became ready");
      const [id] = await containers({ uid: speaker.metadata!.uid!, name: "main" });
      const directory = "/var/run/secrets/kubernetes.io/serviceaccount";
      using client = await clientOf(id!, directory);
      const { stdout: token } = await runToEnd("docker", ["exec", id!, "cat", `${directory}/token`]);
      const response = await fetch(`${kube.server}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
        method: "POST",
        headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }),
        client,
      });
      const { status } = await response.json();
      assert.equal(status.userInfo.username, "system:serviceaccount:default:default");
      assert.deepEqual(status.userInfo.extra["authentication.kubernetes.io/pod-name"], ["speaker"]);
    });

    await t.step("pods that cannot run say why, and the API takes it", async () => {
      const missing = { envFrom: [{ secretRef: { name: "missing" } }] };
      const { containers: [main] } = pod(["true"]) as { containers: [Record<string, unknown>] };
      await trial.apply(
        busyboxPod("no-image", [], { containers: [{ name: "main", image: "nowhere.invalid/none:1" }] }),
        busyboxPod("no-secret", [], { containers: [{ ...main, ...missing }] }),
      );
      const waiting = (reason: RegExp) => (p: Parameters<typeof isReady>[0]) =>
        reason.test(p.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? "");
      await trial.pod("no-image", waiting(/^(ErrImagePull|ImagePullBackOff)$/), "said why");
      await trial.pod("no-secret", waiting(/^CreateContainerConfigError$/), "said why");
    });

    await t.step("kubectl drain empties the node of all but the DaemonSet", async () => {
      const args = ["--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=60s"];
      await trial.kubectl("drain", site.nodeName, ...args);
      const { items } = await kube.list(PODS, { fieldSelector: `spec.nodeName=${site.nodeName}` });
      const left = items.filter((p) => p.metadata?.ownerReferences?.[0]?.kind !== "Job");
      assert.deepEqual(left.map((p) => p.metadata?.labels?.app), ["everywhere"]);
      await trial.kubectl("uncordon", site.nodeName);
      await trial.kubectl("rollout", "status", "statefulset/set", "--timeout=60s");
    });

    await t.step("everything deleted leaves no container", async () => {
      await trial.kubectl("delete", "job,daemonset,statefulset,pod", "--all", "--timeout=60s");
      await trial.noContainers();
    });
  },
});

/** A client that trusts what the container was given to trust. */
async function clientOf(id: string, directory: string): Promise<Deno.HttpClient> {
  const { stdout } = await runToEnd("docker", ["exec", id, "cat", `${directory}/ca.crt`]);
  return Deno.createHttpClient({ caCerts: [stdout] });
}
