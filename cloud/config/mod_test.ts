import assert from "node:assert/strict";
import { ConfigError, formatProblem } from "../../common/config/mod.ts";
import {
  decideCloudCore,
  defaultCloudCoreConfig,
  loadCloudCoreConfig,
  printCloudCoreConfig,
  readCloudCoreConfig,
} from "./mod.ts";

const HOST = { localIP: "192.0.2.7" };

function problemsOf(text: string): string[] {
  try {
    readCloudCoreConfig(text, "x");
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => formatProblem("x", problem));
  }
  return [];
}

Deno.test("printCloudCoreConfig() prints what loads unchanged", async (t) => {
  for (const [which, nodeLimit] of [["min", 1000], ["default", 500]] as const) {
    await t.step(which, () => {
      const text = printCloudCoreConfig(which, HOST);
      assert.match(
        text,
        /^(# .+\n){3}\napiVersion: cloudcore\.config\.kubeedge\.io\/v1alpha1\nkind: CloudCore\n/,
      );
      const { config, warnings, notes } = readCloudCoreConfig(text);
      const expected = defaultCloudCoreConfig();
      expected.modules.cloudHub.nodeLimit = nodeLimit;
      expected.modules.cloudHub.advertiseAddress = ["192.0.2.7"];
      assert.deepEqual(config, expected);
      assert.deepEqual([warnings, notes], [[], []]);
    });
  }
});

Deno.test("printCloudCoreConfig() enables in its small form what a beginner needs", () => {
  const text = printCloudCoreConfig("min", HOST);
  for (const name of ["cloudHub", "edgeController", "deviceController", "syncController"]) {
    assert.match(text, new RegExp(`^  ${name}:.*\\n    enable: true`, "m"), name);
  }
  assert.match(text, /^ {2}embedded:.*\n {4}enable: false/m);
});

Deno.test("defaultCloudCoreConfig() has upstream's defaults", () => {
  const { commonConfig, kubeAPIConfig, modules } = defaultCloudCoreConfig();
  assert.deepEqual(commonConfig, {
    tunnelPort: 10350,
    monitorServer: { bindAddress: "127.0.0.1:9091", enableProfiling: false },
  });
  assert.deepEqual([kubeAPIConfig.qps, kubeAPIConfig.burst, kubeAPIConfig.kubeConfig], [2500, 5000, ""]);
  assert.deepEqual(kubeAPIConfig.embedded, {
    enable: false,
    dataDir: "/var/lib/kubeedge/embedded",
    address: "127.0.0.1",
    port: 6443,
    kubeConfig: "/etc/kubeedge/admin.kubeconfig",
    advertiseAddress: [],
    nodeMonitorGracePeriod: 40,
  });
  const { edgeController: { buffer, load }, cloudHub } = modules;
  assert.deepEqual([buffer.patchNode, buffer.queryNode, buffer.createLease, buffer.podEvent], [
    1274,
    1524,
    1524,
    1,
  ]);
  assert.deepEqual([load.patchNodeWorkers, load.UpdateRuleStatusWorkers, load.CreatePodWorks], [110, 4, 4]);
  assert.deepEqual(cloudHub.authorization, {
    enable: false,
    debug: true,
    modes: [{ node: { enable: true } }],
  });
  assert.deepEqual([cloudHub.edgeCertSigningDuration, cloudHub.tokenRefreshDuration], [365, 12]);
  assert.deepEqual(
    Object.entries(modules).filter(([, module]) => module.enable).map(([name]) => name),
    ["cloudHub", "edgeController", "deviceController", "syncController", "iptablesManager"],
  );
});

Deno.test("decideCloudCore() raises what depends on nodeLimit and lowers nothing", () => {
  const text = "modules: {cloudHub: {nodeLimit: 1000}, edgeController: {buffer: {queryNode: 9000}}}";
  const { config } = decideCloudCore(readCloudCoreConfig(text).config, HOST);
  const { buffer, load } = config.modules.edgeController;
  assert.deepEqual([config.kubeAPIConfig.qps, config.kubeAPIConfig.burst], [5000, 10_000]);
  assert.deepEqual([buffer.patchNode, buffer.queryNode, buffer.createLease], [1524, 9000, 2024]);
  assert.deepEqual([load.patchNodeWorkers, load.queryNodeWorkers, load.createLeaseWorkers], [
    120,
    1000,
    1000,
  ]);
});

Deno.test("decideCloudCore() advertises the machine's own address when the file has none", () => {
  for (const given of ["", "modules: {cloudHub: {advertiseAddress: ['']}}"]) {
    const { cloudHub } = decideCloudCore(readCloudCoreConfig(given).config, HOST).config.modules;
    assert.deepEqual([cloudHub.advertiseAddress, cloudHub.dnsNames], [["192.0.2.7"], []]);
  }
  const given = readCloudCoreConfig("modules: {cloudHub: {advertiseAddress: [198.51.100.1]}}").config;
  assert.deepEqual(decideCloudCore(given, HOST).config.modules.cloudHub.advertiseAddress, ["198.51.100.1"]);
});

Deno.test("decideCloudCore() chooses the Kubernetes API", () => {
  const planeOf = (text: string) => decideCloudCore(readCloudCoreConfig(text).config, HOST).controlPlane;
  assert.deepEqual(planeOf(""), { kind: "in-cluster", server: "" });
  assert.deepEqual(planeOf("kubeAPIConfig: {kubeConfig: /k, master: 'https://a:6443'}"), {
    kind: "kubeconfig",
    path: "/k",
    server: "https://a:6443",
  });
  const plane = planeOf("kubeAPIConfig: {embedded: {enable: true, port: 7443}}");
  assert.ok(plane.kind === "embedded" && plane.embedded.port === 7443);
});

Deno.test("readCloudCoreConfig() takes the version that the chart writes", () => {
  const { config, warnings } = readCloudCoreConfig(
    "apiVersion: cloudcore.config.kubeedge.io/v1alpha2\nkind: CloudCore",
  );
  assert.equal(config.apiVersion, "cloudcore.config.kubeedge.io/v1alpha2");
  assert.deepEqual(warnings, []);
});

Deno.test("readCloudCoreConfig() refuses what cannot be", async (t) => {
  const rows: Array<[string, string]> = [
    [
      "kubeAPIConfig: {kubeConfig: kube/config}",
      'x:1:29: kubeAPIConfig.kubeConfig: expected an absolute path without "..", found "kube/config"',
    ],
    [
      "kubeAPIConfig: {kubeConfig: /k, embedded: {enable: true}}",
      "x:1:17: kubeAPIConfig.kubeConfig: expected nothing, since kubeAPIConfig.embedded is enabled and is the API then, " +
      'found "/k"',
    ],
    [
      "modules: {cloudHub: {websocket: {enable: false}}}",
      "x:1:11: modules.cloudHub: expected websocket.enable or quic.enable to be true, found neither",
    ],
    [
      "modules: {cloudHub: {https: {port: 10000}}}",
      "x:1:30: modules.cloudHub.https.port: expected a port that modules.cloudHub.websocket.port does not use, found 10000",
    ],
    [
      "kubeAPIConfig: {embedded: {enable: true, port: 9091}}",
      "x:1:42: kubeAPIConfig.embedded.port: expected a port that commonConfig.monitorServer.bindAddress does not use, " +
      "found 9091",
    ],
    [
      "modules: {cloudHub: {websocket: {port: 0}}}",
      "x:1:40: modules.cloudHub.websocket.port: expected a whole number from 1 to 65535, found 0",
    ],
    [
      "modules: {cloudHub: {unixsocket: {address: /run/x}}}",
      'x:1:44: modules.cloudHub.unixsocket.address: expected unix:// followed by an absolute path, found "/run/x"',
    ],
    [
      "modules: {cloudHub: {tokenRefreshDuration: 0}}",
      "x:1:44: modules.cloudHub.tokenRefreshDuration: expected a whole number from 1 to 100000, found 0",
    ],
    [
      "modules: {iptablesManager: {mode: extrenal}}",
      "x:1:35: modules.iptablesManager.mode: expected one of internal, external, " +
      'found "extrenal" (did you mean "external"?)',
    ],
    [
      "commonConfig: {monitorServer: {bindAddress: '9091'}}",
      "x:1:45: commonConfig.monitorServer.bindAddress: expected IP:port with a port from 1 to 65535, found " +
      '"9091"',
    ],
    ["kind: EdgeCore", 'x:1:7: kind: expected CloudCore, found "EdgeCore"'],
  ];
  for (const [text, expected] of rows) {
    await t.step(text, () => assert.deepEqual(problemsOf(text), [expected]));
  }
});

Deno.test("loadCloudCoreConfig() says how to make a file that is not there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/cloudcore.yaml`;
    await Deno.writeTextFile(path, `kubeAPIConfig: {kubeConfig: ${folder}/kubeconfig}`);
    assert.equal((await loadCloudCoreConfig(path)).config.kubeAPIConfig.kubeConfig, `${folder}/kubeconfig`);
    await assert.rejects(loadCloudCoreConfig(`${folder}/none`), {
      message: /cloudcore --minconfig > .*none/,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
