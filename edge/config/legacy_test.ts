import fc from "fast-check";
import assert from "node:assert/strict";
import { ConfigError } from "../../common/config/mod.ts";
import { defaultEdgeCoreConfig, readEdgeCoreConfig } from "./mod.ts";

/** Every key of `modules.edged` that a file for v1.11 may have, none at its default. */
const OLD = `apiVersion: edgecore.config.kubeedge.io/v1alpha1
kind: EdgeCore
modules:
  edged:
    enable: true
    labels: {zone: north}
    annotations: {a: b}
    taints: [{key: edge, effect: NoSchedule}]
    nodeStatusUpdateFrequency: 20
    runtimeType: remote
    dockerAddress: unix:///var/run/docker.sock
    remoteRuntimeEndpoint: unix:///run/crio.sock
    remoteImageEndpoint: unix:///run/crio-images.sock
    nodeIP: 192.0.2.9
    clusterDNS: 10.96.0.10
    clusterDomain: site.local
    edgedMemoryCapacity: 7852396000
    podSandboxImage: kubeedge/pause:3.1
    imagePullProgressDeadline: 60
    runtimeRequestTimeout: 3
    hostnameOverride: old-edge
    registerNode: false
    registerNodeNamespace: edge
    customInterfaceName: eth0
    concurrentConsumers: 5
    devicePluginEnabled: false
    gpuPluginEnabled: false
    imageGCHighThreshold: 70
    imageGCLowThreshold: 40
    maximumDeadContainersPerPod: 2
    cgroupDriver: systemd
    networkPluginName: ""
    cniConfDir: /etc/cni/net.d
    cniBinDir: /opt/cni/bin
    cniCacheDirs: /var/lib/cni/cache
    networkPluginMTU: 1500
    cgroupsPerQOS: false
    cgroupRoot: /edge
    edgeCoreCgroups: /core
    systemCgroups: /system
    volumeStatsAggPeriod: 30000000000
    enableMetrics: true
`;

Deno.test("readEdgeCoreConfig() converts a v1alpha1 file and says what it did", () => {
  const { config, notes, warnings } = readEdgeCoreConfig(OLD);
  assert.deepEqual(warnings, []);
  const expected = defaultEdgeCoreConfig();
  Object.assign(expected.modules.edged, {
    nodeLabels: { zone: "north" },
    nodeIP: "192.0.2.9",
    podSandboxImage: "kubeedge/pause:3.1",
    hostnameOverride: "old-edge",
    registerNodeNamespace: "edge",
    customInterfaceName: "eth0",
    maxPerPodContainerCount: 2,
  });
  Object.assign(expected.modules.edged.tailoredKubeletConfig, {
    registerWithTaints: [{ key: "edge", effect: "NoSchedule" }],
    nodeStatusUpdateFrequency: 20_000,
    containerRuntimeEndpoint: "unix:///run/crio.sock",
    imageServiceEndpoint: "unix:///run/crio-images.sock",
    clusterDNS: ["10.96.0.10"],
    clusterDomain: "site.local",
    runtimeRequestTimeout: 180_000,
    registerNode: false,
    imageGCHighThresholdPercent: 70,
    imageGCLowThresholdPercent: 40,
    cgroupDriver: "systemd",
    cgroupsPerQOS: false,
    cgroupRoot: "/edge",
    kubeletCgroups: "/core",
    systemCgroups: "/system",
    volumeStatsAggPeriod: 30_000,
  });
  assert.deepEqual(config, expected);
  assert.match(notes[0]!, /v1alpha1 is read as .*v1alpha2/);
  assert.ok(
    notes.includes("modules.edged.labels (line 6) is read as modules.edged.nodeLabels"),
    notes.join("\n"),
  );
  assert.ok(notes.some((note) => /annotations \(line 7\) is no more: .*kubectl annotate/.test(note)));
  assert.equal(notes.length, 1 + 32);
});

Deno.test("readEdgeCoreConfig() turns runtimeType docker into the docker runtime, without dockershim's socket", () => {
  const text = OLD.replace("runtimeType: remote", "runtimeType: docker");
  const { edged } = readEdgeCoreConfig(text).config.modules;
  assert.equal(edged.containerRuntime, "docker");
  assert.equal(
    edged.tailoredKubeletConfig.containerRuntimeEndpoint,
    "unix:///run/containerd/containerd.sock",
  );
});

Deno.test("readEdgeCoreConfig() names the old key, and its line, when its value is wrong", async (t) => {
  const rows: Array<[string, string, RegExp]> = [
    [
      "nodeStatusUpdateFrequency: 20",
      "nodeStatusUpdateFrequency: soon",
      /x:9:32: .*Frequency: expected a whole number of seconds, found "soon"/,
    ],
    [
      "runtimeType: remote",
      "runtimeType: rkt",
      /x:10:18: .*runtimeType: expected docker or remote, found "rkt"/,
    ],
    [
      "clusterDNS: 10.96.0.10",
      "clusterDNS: {a: b}",
      /x:15:17: .*clusterDNS: expected an IP address, found a map/,
    ],
    [
      "clusterDNS: 10.96.0.10",
      "clusterDNS: ten",
      /x:15:17: .*clusterDNS\[0\]: expected an IP address, found "ten"/,
    ],
  ];
  for (const [before, after, expected] of rows) {
    await t.step(after, () => {
      assert.throws(() => readEdgeCoreConfig(OLD.replace(before, after), "x"), {
        name: "ConfigError",
        message: expected,
      });
    });
  }
});

Deno.test("readEdgeCoreConfig() lets the new key win where a file has both", () => {
  const text = `${OLD}    tailoredKubeletConfig: {clusterDomain: new.local, maxPods: 7}\n`;
  const { config, notes } = readEdgeCoreConfig(text);
  const kubelet = config.modules.edged.tailoredKubeletConfig;
  assert.deepEqual([kubelet.clusterDomain, kubelet.maxPods, kubelet.cgroupDriver], [
    "new.local",
    7,
    "systemd",
  ]);
  assert.ok(notes.some((note) => /clusterDomain \(line 16\) gives way/.test(note)));
});

Deno.test("readEdgeCoreConfig() finds the runtime's sockets where v1.12 wrote them", () => {
  const { config, notes, warnings } = readEdgeCoreConfig(
    "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nmodules: {edged: {remoteRuntimeEndpoint: 'unix:///run/crio.sock'}}",
  );
  assert.equal(config.modules.edged.tailoredKubeletConfig.containerRuntimeEndpoint, "unix:///run/crio.sock");
  assert.equal(notes.length, 1);
  assert.deepEqual(warnings, []);
});

Deno.test("readEdgeCoreConfig() leaves dockershim's socket where it is", () => {
  const { config, notes } = readEdgeCoreConfig(
    "modules: {edged: {remoteRuntimeEndpoint: 'unix:///var/run/dockershim.sock'}}",
  );
  assert.deepEqual(config, defaultEdgeCoreConfig());
  assert.match(notes.join(), /dockershim, which is no more/);
});

Deno.test("readEdgeCoreConfig() takes a v1alpha1 file that says nothing of edged", () => {
  const { config } = readEdgeCoreConfig("apiVersion: edgecore.config.kubeedge.io/v1alpha1\n");
  assert.deepEqual(config, defaultEdgeCoreConfig());
});

Deno.test("readEdgeCoreConfig() survives any value of any old key", () => {
  const keys = [...OLD.matchAll(/^ {4}(\w+):/gm)].map(([, key]) => key!);
  const edged = fc.oneof(
    fc.dictionary(fc.constantFrom(...keys, "tailoredKubeletConfig", "__proto__"), fc.jsonValue(), {
      noNullPrototype: true,
    }),
    fc.jsonValue(),
  );
  fc.assert(fc.property(edged, (edged) => {
    const apiVersion = "edgecore.config.kubeedge.io/v1alpha1";
    try {
      readEdgeCoreConfig(JSON.stringify({ apiVersion, modules: { edged } }));
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
    }
  }));
});
