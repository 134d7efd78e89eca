import assert from "node:assert/strict";
import { containerConfig, linuxResources, qosClass, rootRefusal, sandboxConfig } from "./container_config.ts";
import { testPod } from "./testing.ts";

const SETTINGS = {
  nodeName: "edge-1",
  sandboxImage: "pause",
  clusterDNS: ["10.96.0.10"],
  clusterDomain: "cluster.local",
  cgroupParent: "",
  memoryBytes: 4 * 2 ** 30,
};

Deno.test("sandboxConfig() gives host name, ports and name servers", () => {
  const containers = [{
    name: "web",
    image: "busybox:1",
    ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }],
  }];
  const config = sandboxConfig(testPod({ spec: { containers } }), 3, SETTINGS);
  assert.equal(config.hostname, "web");
  assert.deepEqual(config.portMappings, [{ protocol: "TCP", containerPort: 80, hostPort: 8080, hostIP: "" }]);
  assert.deepEqual(config.dns, {
    servers: ["10.96.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
    options: ["ndots:5"],
  });
  assert.equal(config.labels["io.kubernetes.pod.uid"], "u1");
  const host = sandboxConfig(testPod({ spec: { containers, hostNetwork: true } }), 0, SETTINGS);
  assert.deepEqual([host.hostname, host.portMappings, host.dns], ["edge-1", [], undefined]);
  const long = sandboxConfig(testPod({ metadata: { name: `${"a".repeat(62)}.b` } }), 0, SETTINGS);
  assert.equal(long.hostname, "a".repeat(62));
});

Deno.test("containerConfig() expands commands and writes down what a restart needs", () => {
  const pod = testPod({
    spec: {
      containers: [{
        name: "web",
        image: "busybox:1",
        command: ["echo", "$(GREETING)", "$(NONE)"],
        args: ["$$(A)"],
      }],
    },
  });
  const config = containerConfig(pod, pod.spec.containers[0]!, {
    attempt: 2,
    image: "busybox:1",
    env: [{ name: "GREETING", value: "hello; rm -rf /" }],
    mounts: [],
    settings: SETTINGS,
  });
  assert.deepEqual(config.command, ["echo", "hello; rm -rf /", "$(NONE)"]);
  assert.deepEqual(config.args, ["$(A)"]);
  assert.equal(config.annotations["io.kubernetes.container.restartCount"], "2");
  assert.match(config.annotations["io.kubernetes.container.hash"]!, /^[0-9a-f]+$/);
});

Deno.test("linuxResources() bounds as the kubelet does", () => {
  const of = (resources: unknown) => {
    const pod = testPod({ spec: { containers: [{ name: "web", image: "busybox:1", resources }] } });
    return { qos: qosClass(pod), ...linuxResources(pod, pod.spec.containers[0]!, SETTINGS.memoryBytes) };
  };
  assert.deepEqual(of({}), { qos: "BestEffort", cpuShares: 2, oomScoreAdj: 1000 });
  assert.deepEqual(of({ limits: { cpu: "500m", memory: "128Mi" } }), {
    qos: "Guaranteed",
    cpuShares: 512,
    cpuPeriodMicros: 100_000,
    cpuQuotaMicros: 50_000,
    memoryLimitBytes: 128 * 2 ** 20,
    oomScoreAdj: -997,
  });
  assert.deepEqual(of({ requests: { memory: "1Gi" } }), { qos: "Burstable", cpuShares: 2, oomScoreAdj: 750 });
});

Deno.test("rootRefusal() keeps root out where the spec says so", () => {
  const image = (user: string) => ({ id: "i", repoTags: [], repoDigests: [], sizeBytes: 1, user });
  const refusal = (securityContext: unknown, user: string) => {
    const pod = testPod({ spec: { containers: [{ name: "web", image: "busybox:1", securityContext }] } });
    return rootRefusal(pod, pod.spec.containers[0]!, image(user));
  };
  assert.equal(refusal({}, ""), undefined);
  assert.match(refusal({ runAsNonRoot: true }, "")!, /image will run as root/);
  assert.match(refusal({ runAsNonRoot: true }, "nobody")!, /non-numeric user/);
  assert.match(refusal({ runAsNonRoot: true, runAsUser: 0 }, "1000")!, /breaks non-root policy/);
  assert.equal(refusal({ runAsNonRoot: true }, "1000:1000"), undefined);
});

Deno.test("sandboxConfig() takes host aliases over, but for a pod on the host's network", () => {
  const hostAliases = [{ ip: "10.1.2.3", hostnames: ["db", "db.local"] }];
  const containers = [{ name: "main", image: "image:1" }];
  assert.deepEqual(
    sandboxConfig(testPod({ spec: { containers, hostAliases } }), 0, SETTINGS).hostAliases,
    hostAliases,
  );
  const host = testPod({ spec: { containers, hostAliases, hostNetwork: true } });
  assert.deepEqual(sandboxConfig(host, 0, SETTINGS).hostAliases, []);
});
