import assert from "node:assert/strict";
import { StatusError } from "../../common/errors/mod.ts";
import { EVENTS, PODS } from "../../common/kubeclient/mod.ts";
import { createLogger } from "../../common/module/mod.ts";
import { connected, errorOf, pod } from "./_testing.ts";
import { Rig } from "./fake_hub.ts";

Deno.test("edgeController() tells by an Event and one line that the API refuses what an edge reports, and goes on", async () => {
  const lines: string[] = [];
  await using rig = new Rig({
    log: createLogger("test", { write: (line) => lines.push(line) }),
    kube: {
      intercept: ({ verb, resource, name, subresource }) => {
        if (verb !== "patch" || subresource !== "status") return;
        if (resource === "nodes") {
          throw new StatusError("RequestEntityTooLarge", "etcdserver: request is too large");
        }
        if (name === "web") throw new StatusError("Invalid", "status.phase: Unsupported value");
      },
    },
  });
  await connected(rig);
  rig.kube.seed(PODS, pod("other", "edge-1"));
  const report = (name: string) =>
    rig.ask("patch", `node/edge-1/default/podpatch/${name}`, '{"status":{"phase":"x"}}');
  for (let i = 0; i < 3; i++) assert.equal(errorOf(await report("web")).reason, "Invalid");
  const refused = await rig.ask(
    "patch",
    "node/edge-1/null/nodepatch/edge-1",
    '{"status":{"phase":"Running"}}',
  );
  assert.equal(errorOf(refused).reason, "RequestEntityTooLarge");
  assert.ok((await report("other")).content, "another pod's report is taken");
  await rig.settle();
  const events = rig.kube.peekAll(EVENTS);
  assert.deepEqual(
    events.map(({ reason, involvedObject }) => [reason, involvedObject.kind, involvedObject.uid]).sort(),
    [
      ["ReportRefused", "Node", "edge-1"],
      ["ReportRefused", "Pod", "uid-web"],
    ],
  );
  assert.match(
    events.find(({ involvedObject }) => involvedObject.kind === "Pod")!.message!,
    /status\.phase: Unsupported/,
  );
  assert.equal(lines.filter((line) => line.includes("The API refused what an edge reports")).length, 2);
  await rig.clock.advance(600_000);
  await report("web");
  await rig.settle();
  assert.equal(rig.kube.peekAll(EVENTS).length, 3);
});
