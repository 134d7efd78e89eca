import assert from "node:assert/strict";
import { ConfigError, formatProblem } from "../common/config/mod.ts";
import { defaultEdgeCoreConfig, printEdgeCoreConfig, readEdgeCoreConfig } from "./config/mod.ts";
import { checkSupported, idleModules } from "./supported.ts";

function problemsOf(text: string): string[] {
  try {
    readEdgeCoreConfig(text, "x", checkSupported);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => formatProblem("x", problem));
  }
  return [];
}

Deno.test("checkSupported() takes what --minconfig and --defaultconfig print", () => {
  const host = { hostname: "edge-1", localIP: "192.0.2.7" };
  for (const which of ["min", "default"] as const) {
    assert.deepEqual(problemsOf(printEdgeCoreConfig(which, host)), []);
  }
});

Deno.test("checkSupported() refuses what this version does not have and says what to do", async (t) => {
  const rows: Array<[key: string, text: string, instead: RegExp]> = [
    ["edged.containerRuntime", "edged: {containerRuntime: ctr}", /expected "docker".*found "ctr"/],
    ["edged.containerRuntime", "edged: {containerRuntime: cri}", /expected "docker".*found "cri"/],
    [
      "edgeHub.quic.enable",
      "edgeHub: {quic: {enable: true}, websocket: {enable: false}}",
      /modules\.edgeHub\.websocket/,
    ],
    ["edgeStream.enable", "edgeStream: {enable: true}", /docker logs/],
    ["metaManager.metaServer.enable", "metaManager: {metaServer: {enable: true}}", /ConfigMaps/],
    ["serviceBus.enable", "serviceBus: {enable: true}", /applications/],
    ["taskManager.enable", "taskManager: {enable: true}", /pull images/],
  ];
  for (const [key, text, instead] of rows) {
    await t.step(text, () => {
      const [problem, ...others] = problemsOf(`modules:\n  ${text}\n`);
      assert.deepEqual(others, []);
      assert.ok(problem!.startsWith("x:2:") && problem!.includes(` modules.${key}: expected `), problem!);
      assert.match(problem!, instead);
    });
  }
  await t.step("edged is off", () => {
    assert.deepEqual(problemsOf("modules: {edged: {enable: false, containerRuntime: ctr}}"), []);
  });
});

Deno.test("idleModules() names what is on by default and does nothing", () => {
  const config = defaultEdgeCoreConfig();
  assert.deepEqual(idleModules(config), ["modules.eventBus", "modules.deviceTwin"]);
  config.modules.eventBus.enable = false;
  assert.deepEqual(idleModules(config), ["modules.deviceTwin"]);
});
