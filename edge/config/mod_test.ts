import assert from "node:assert/strict";
import { ConfigError, formatProblem } from "../../common/config/mod.ts";
import {
  decideEdgeCore,
  defaultEdgeCoreConfig,
  loadEdgeCoreConfig,
  printEdgeCoreConfig,
  readEdgeCoreConfig,
} from "./mod.ts";

const HOST = { hostname: "Edge-Box", localIP: "192.0.2.7" };

function problemsOf(text: string): string[] {
  try {
    readEdgeCoreConfig(text, "x");
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => formatProblem("x", problem));
  }
  return [];
}

Deno.test("printEdgeCoreConfig() prints what loads unchanged", async (t) => {
  for (const which of ["min", "default"] as const) {
    await t.step(which, () => {
      const text = printEdgeCoreConfig(which, HOST);
      assert.match(
        text,
        /^(# .+\n){3}\napiVersion: edgecore\.config\.kubeedge\.io\/v1alpha2\nkind: EdgeCore\n/,
      );
      const { config, warnings, notes } = readEdgeCoreConfig(text);
      const decided = decideEdgeCore(defaultEdgeCoreConfig(), HOST);
      assert.deepEqual(decideEdgeCore(config, HOST), decided);
      if (which === "default") assert.deepEqual(config, decided.config);
      assert.deepEqual([warnings, notes], [[], []]);
    });
  }
});

Deno.test("printEdgeCoreConfig() enables in its small form what a beginner needs", () => {
  const text = printEdgeCoreConfig("min", HOST);
  for (const name of ["edged", "edgeHub", "eventBus", "metaManager", "deviceTwin"]) {
    assert.match(text, new RegExp(`^  ${name}:.*\\n    enable: true`, "m"), name);
  }
  assert.match(text, /^ {4}token: "" #/m);
  assert.match(text, /^ {6}server: 192\.0\.2\.7:10000 #/m);
  assert.doesNotMatch(text, /serviceBus|quic/);
});

Deno.test("defaultEdgeCoreConfig() has upstream's defaults", () => {
  const { database, modules: { edged, edgeHub, eventBus, metaManager, ...others } } = defaultEdgeCoreConfig();
  const kubelet = edged.tailoredKubeletConfig;
  assert.equal(database.dataSource, "/var/lib/kubeedge/edgecore.db");
  assert.equal(edged.podSandboxImage, "kubeedge/pause:3.6");
  assert.equal(edged.rootDirectory, "/var/lib/kubelet");
  assert.equal(kubelet.nodeStatusUpdateFrequency, 10_000);
  assert.equal(kubelet.streamingConnectionIdleTimeout, 4 * 3_600_000);
  assert.equal(kubelet.cpuCFSQuotaPeriod, 100);
  assert.equal(kubelet.memoryThrottlingFactor, 0.9);
  assert.equal(kubelet.evictionHard["imagefs.available"], "15%");
  assert.deepEqual(kubelet.enforceNodeAllocatable, ["pods"]);
  assert.deepEqual(kubelet.memorySwap, {});
  assert.equal(kubelet.clusterDNS, undefined);
  assert.equal(edgeHub.projectID, "e632aba927ea4ac2b575ec1603d56f10");
  assert.equal(edgeHub.websocket.readDeadline, 15);
  assert.equal(eventBus.mqttMode, 2);
  assert.equal(metaManager.metaServer.dummyServer, "169.254.30.10:10550");
  assert.equal(others.serviceBus.port, 9060);
  assert.equal(others.edgeStream.server, "127.0.0.1:10004");
  assert.deepEqual(
    Object.entries(others).map(([name, module]) => [name, module.enable]),
    [["serviceBus", false], ["deviceTwin", true], ["dbTest", false], ["edgeStream", false], [
      "taskManager",
      false,
    ]],
  );
});

Deno.test("defaultEdgeCoreConfig() is a fresh copy", () => {
  defaultEdgeCoreConfig().modules.edged.tailoredKubeletConfig.evictionHard["pid.available"] = "1%";
  assert.ok(!("pid.available" in defaultEdgeCoreConfig().modules.edged.tailoredKubeletConfig.evictionHard));
});

Deno.test("decideEdgeCore() fills in what the file leaves to the machine", () => {
  const given = readEdgeCoreConfig("modules: {edgeHub: {websocket: {server: 'cloud:10000'}}}").config;
  const { config, nodeName, nodeIP } = decideEdgeCore(given, HOST);
  assert.equal(nodeName, "edge-box");
  assert.equal(nodeIP, "192.0.2.7");
  assert.equal(config.modules.edgeHub.websocket.server, "cloud:10000");
  assert.equal(config.modules.edgeHub.httpServer, "https://192.0.2.7:10002");
  assert.equal(given.modules.edged.hostnameOverride, "");
});

Deno.test("decideEdgeCore() keeps what the file says", () => {
  const given =
    readEdgeCoreConfig("modules: {edged: {hostnameOverride: edge-9, nodeIP: 198.51.100.1}}").config;
  const { nodeName, nodeIP } = decideEdgeCore(given, HOST);
  assert.deepEqual([nodeName, nodeIP], ["edge-9", "198.51.100.1"]);
});

Deno.test("decideEdgeCore() has a name for a host whose own cannot be one, and brackets for IPv6", () => {
  for (const hostname of ["", "my_host", "-x", "a".repeat(300)]) {
    const { nodeName, config } = decideEdgeCore(defaultEdgeCoreConfig(), { hostname, localIP: "fd00::1" });
    assert.equal(nodeName, "default-edge-node");
    assert.equal(config.modules.edgeHub.websocket.server, "[fd00::1]:10000");
  }
});

Deno.test("readEdgeCoreConfig() refuses what cannot be", async (t) => {
  const kubelet = "modules.edged.tailoredKubeletConfig";
  const rows: Array<[string, string]> = [
    [
      "modules: {edgeHub: {websocket: {enable: false}}}",
      "x:1:11: modules.edgeHub: expected exactly one of websocket.enable and quic.enable to be true, found neither",
    ],
    [
      "modules: {edgeHub: {quic: {enable: true}}}",
      "x:1:11: modules.edgeHub: expected exactly one of websocket.enable and quic.enable to be true, found both",
    ],
    [
      "modules: {deviceTwin: {enable: false}, metaManager: {enable: false}}",
      "x:1:54: modules.metaManager.enable: expected true, since modules.edged is enabled and needs it, found false",
    ],
    [
      "modules: {edged: {tailoredKubeletConfig: {imageGCLowThresholdPercent: 85}}}",
      `x:1:43: ${kubelet}.imageGCLowThresholdPercent: expected less than imageGCHighThresholdPercent (85), found 85`,
    ],
    [
      "modules: {edged: {tailoredKubeletConfig: {evictionSoft: {memory.available: 1Gi}}}}",
      `x:1:19: ${kubelet}.evictionSoftGracePeriod: expected a grace period for memory.available, which evictionSoft names, found none`,
    ],
    [
      "modules: {edged: {tailoredKubeletConfig: {shutdownGracePeriodCriticalPods: 1s}}}",
      `x:1:43: ${kubelet}.shutdownGracePeriodCriticalPods: expected at most shutdownGracePeriod, found a longer time`,
    ],
    [
      "modules: {edged: {containerRuntime: cri, tailoredKubeletConfig: {containerRuntimeEndpoint: 'unix:///run/docker.sock'}}}",
      `x:1:66: ${kubelet}.containerRuntimeEndpoint: expected the socket of a CRI runtime, or containerRuntime "docker", ` +
      'found "unix:///run/docker.sock"',
    ],
    [
      "modules: {serviceBus: {enable: true, port: 10350}}",
      `x:1:38: modules.serviceBus.port: expected a port that ${kubelet}.readOnlyPort does not use, found 10350`,
    ],
    [
      "modules: {eventBus: {mqttMode: 1, mqttServerInternal: 'tcp://0.0.0.0:10350'}}",
      `x:1:35: modules.eventBus.mqttServerInternal: expected a port that ${kubelet}.readOnlyPort does not use, found 10350`,
    ],
    ["kind: CloudCore", 'x:1:7: kind: expected EdgeCore, found "CloudCore"'],
    [
      "featureGates: {requireAuthorisation: true}",
      "x:1:16: featureGates.requireAuthorisation: expected one of requireAuthorization, moduleRestart, " +
      'disableNodeTaskV1alpha2, AllAlpha, AllBeta, found "requireAuthorisation" (did you mean "requireAuthorization"?)',
    ],
    [
      "modules: {edged: {dockerBinary: 'docker; rm'}}",
      'x:1:33: modules.edged.dockerBinary: expected the name of a program or its absolute path, found "docker; rm"',
    ],
    [
      "modules: {edged: {hostnameOverride: ../x}}",
      'x:1:37: modules.edged.hostnameOverride: expected a name of at most 253 lower-case letters, digits, "-" and ".", ' +
      'found "../x"',
    ],
  ];
  for (const [text, expected] of rows) {
    await t.step(text, () => assert.deepEqual(problemsOf(text), [expected]));
  }
});

Deno.test("readEdgeCoreConfig() does not look at a module that is off", () => {
  const text = "modules: {edgeHub: {enable: false, websocket: {enable: false}}, serviceBus: {port: 10350}}";
  assert.deepEqual(problemsOf(text), []);
});

Deno.test("readEdgeCoreConfig() does not print the token or the password", () => {
  const text = 'modules: {edgeHub: {token: ["hunter2"]}, eventBus: {mqttPassword: "a\\nhunter2"}}';
  const problems = problemsOf(text);
  assert.equal(problems.length, 2);
  assert.doesNotMatch(problems.join(), /hunter2/);
});

Deno.test("loadEdgeCoreConfig() reads a file, and names the command that makes one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/edgecore.yaml`, "modules: {edgeHub: {heartbeat: 7}}");
    const { config } = await loadEdgeCoreConfig(`${folder}/edgecore.yaml`);
    assert.equal(config.modules.edgeHub.heartbeat, 7);
    await assert.rejects(loadEdgeCoreConfig(`${folder}/none`), { message: /edgecore --minconfig > .*none/ });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
