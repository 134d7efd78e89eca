import assert from "node:assert/strict";
import { ConfigError, formatProblem } from "../common/config/mod.ts";
import { defaultCloudCoreConfig, printCloudCoreConfig, readCloudCoreConfig } from "./config/mod.ts";
import { checkSupported, idleModules } from "./supported.ts";

function problemsOf(text: string): string[] {
  try {
    readCloudCoreConfig(text, "x", checkSupported);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map((problem) => formatProblem("x", problem));
  }
  return [];
}

Deno.test("checkSupported() takes what --minconfig and --defaultconfig print", () => {
  for (const which of ["min", "default"] as const) {
    assert.deepEqual(problemsOf(printCloudCoreConfig(which, { localIP: "192.0.2.7" })), []);
  }
});

Deno.test("checkSupported() refuses modules this version does not have, with their place", async (t) => {
  for (const name of ["cloudStream", "router", "dynamicController", "taskManager"]) {
    await t.step(name, () => {
      const [problem, ...others] = problemsOf(`modules:\n  ${name}:\n    enable: true\n`);
      assert.deepEqual(others, []);
      assert.match(
        problem!,
        new RegExp(`^x:3:5: modules\\.${name}\\.enable: expected false, .*, found true$`),
      );
    });
  }
  await t.step("quic", () => {
    const text = (enable: boolean) => `modules: {cloudHub: {enable: ${enable}, quic: {enable: true}}}`;
    assert.match(
      problemsOf(text(true))[0]!,
      /modules\.cloudHub\.quic\.enable: .*modules\.cloudHub\.websocket/,
    );
    assert.deepEqual(problemsOf(text(false)), []);
  });
});

Deno.test("idleModules() names what is on by default and does nothing", () => {
  const config = defaultCloudCoreConfig();
  assert.deepEqual(idleModules(config), [
    "modules.cloudHub.unixsocket",
    "modules.deviceController",
    "modules.syncController",
    "modules.iptablesManager",
  ]);
  config.modules.deviceController.enable = false;
  config.modules.cloudHub.enable = false;
  assert.deepEqual(idleModules(config), ["modules.syncController", "modules.iptablesManager"]);
});
