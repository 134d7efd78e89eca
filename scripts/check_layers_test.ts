import assert from "node:assert/strict";
import { importsOf, violationOf } from "./check_layers.ts";

Deno.test("violationOf() tells allowed imports from others", async (t) => {
  const rows: Array<[from: string, to: string, expected: RegExp | undefined]> = [
    ["cloud/cloudhub/server.ts", "edge/edgehub/mod.ts", /cloud\/ must not import edge\//],
    ["edge/edgecore.ts", "cloud/config/mod.ts", /edge\/ must not import cloud\//],
    ["common/model/mod.ts", "edge/config/mod.ts", /common\/ must not import edge\//],
    ["common/model/mod.ts", "keadm/main.ts", /common\/ must not import keadm\//],
    ["keadm/main.ts", "cloud/config/mod.ts", /keadm\/ must not import cloud\//],
    ["edge/edged/mod.ts", "tests/support/x.ts", /edge\/ must not import tests\//],
    ["edge/edged/mod.ts", "edge/edged/runtime/docker.ts", undefined],
    ["cloud/embedded/api/get.ts", "cloud/embedded/storage/store.ts", undefined],
    ["edge/edged/mod.ts", "edge/metamanager/mod.ts", /sibling edge\/metamanager/],
    ["edge/metamanager/mod.ts", "edge/edged/kube_api.ts", /sibling edge\/edged/],
    ["edge/edgecore.ts", "edge/edged/mod.ts", undefined],
    ["edge/main.ts", "edge/edgecore.ts", undefined],
    ["edge/compartments/link.ts", "edge/edgehub/mod.ts", undefined],
    ["edge/edgehub/mod.ts", "edge/compartments/link.ts", /composition root/],
    ["edge/edged/testing.ts", "common/module/fake_clock.ts", undefined],
    ["edge/edged/mod.ts", "edge/edged/testing.ts", /only tests/],
    ["edge/edged/mod.ts", "edge/edgecore.ts", /composition root/],
    ["edge/edged/mod.ts", "common/errors/mod.ts", undefined],
    ["edge/edged/mod.ts", "common/errors/status_error.ts", /common\/errors is entered through its mod\.ts/],
    ["common/pki/csr.ts", "common/errors/status_error.ts", /entered through its mod\.ts/],
    ["common/pki/csr.ts", "common/pki/certificate.ts", undefined],
    ["edge/edged/mod.ts", "common/api/core_v1.ts", undefined],
    ["edge/edged/mod.ts", "common/kubeclient/types.ts", undefined],
    ["edge/edged/mod.ts", "common/kubeclient/prototypes.ts", /entered through its mod\.ts/],
    ["edge/edged/mod.ts", "common/module/fake_clock.ts", /only tests/],
    ["edge/edged/mod.ts", "edge/edged/runtime/fake.ts", /only tests/],
    ["edge/edged/mod_test.ts", "common/module/fake_clock.ts", undefined],
    ["edge/edged/mod_test.ts", "edge/metamanager/mod.ts", undefined],
    ["keadm/testdata/connected.ts", "keadm/connect.ts", undefined],
    ["edge/edged/mod.ts", "edge/edged/testdata/program.ts", /only tests/],
    ["edge/edged/runtime/runtime_suite.ts", "common/module/fake_clock.ts", undefined],
    ["tests/e2e/pod_test.ts", "cloud/main.ts", undefined],
    ["scripts/quickstart.ts", "common/kubeclient/client.ts", undefined],
  ];
  for (const [from, to, expected] of rows) {
    await t.step(`${from} → ${to}`, () => {
      const violation = violationOf({ from, to });
      if (expected === undefined) assert.equal(violation, undefined);
      else assert.match(violation ?? "", expected);
    });
  }
});

Deno.test("importsOf() takes the imports between files of the project, types too, each once", () => {
  const at = (path: string) => ({ specifier: `file:///p/${path}` });
  const graph = {
    modules: [
      { ...at("a.ts"), dependencies: [{ code: at("b.ts"), type: at("b.ts") }, { type: at("c.ts") }] },
      {
        ...at("b.ts"),
        dependencies: [{ code: { specifier: "npm:yaml@2" } }, { code: { specifier: "node:net" } }],
      },
      { specifier: "file:///p-other/x.ts", dependencies: [{ code: at("a.ts") }] },
      at("c.ts"),
    ],
  };
  assert.deepEqual(importsOf(graph, "/p"), {
    imports: [{ from: "a.ts", to: "b.ts" }, { from: "a.ts", to: "c.ts" }],
    faults: [],
  });
});

Deno.test("importsOf() does not pass over what cannot be read", () => {
  const dependencies = [{ code: { error: "bad specifier" } }];
  const modules = [{ specifier: "file:///p/a.ts", error: "gone" }, {
    specifier: "file:///p/b.ts",
    dependencies,
  }];
  assert.deepEqual(importsOf({ modules }, "/p").faults, [
    "Cannot read file:///p/a.ts: gone",
    "Cannot follow an import of file:///p/b.ts: bad specifier",
  ]);
});
