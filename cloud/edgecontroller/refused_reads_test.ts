import assert from "node:assert/strict";
import type { Pod } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { EVENTS, NODES, PODS, SECRETS } from "../../common/kubeclient/mod.ts";
import { createLogger } from "../../common/module/mod.ts";
import { Rig } from "./fake_hub.ts";

Deno.test("edgeController() tells a pod once that its Secret may not be read, and sends the Secret once it may", async () => {
  let may = false;
  const lines: string[] = [];
  await using rig = new Rig({
    log: createLogger("edgecontroller", { write: (line) => lines.push(line) }),
    kube: {
      intercept: ({ verb, resource }) => {
        if (!may && resource === "secrets" && verb === "list") throw new StatusError("Forbidden", "no right");
      },
    },
  });
  rig.kube.seed(NODES, { metadata: { name: "edge-1", labels: { "node-role.kubernetes.io/edge": "" } } });
  rig.kube.seed(SECRETS, { metadata: { namespace: "default", name: "password" }, data: {} });
  const pod = (name: string, secretName: string): Pod => ({
    metadata: { namespace: "default", name },
    spec: {
      nodeName: "edge-1",
      containers: [{ name: "main", image: "i" }],
      volumes: [{ name: "v", secret: { secretName } }],
    },
  });
  rig.kube.seed(PODS, pod("web", "password"));
  await rig.connect("edge-1");
  await rig.settle();
  for (let i = 0; i < 10; i++) await rig.clock.advance(31_000);
  const [event, ...more] = rig.kube.peekAll(EVENTS);
  assert.deepEqual(more, []);
  const fix =
    "kubectl -n default create rolebinding cloudcore --clusterrole cloudcore-namespace --serviceaccount kubeedge:cloudcore";
  assert.equal(event?.reason, "ReferenceForbidden");
  assert.equal(event?.involvedObject.name, "web");
  assert.equal(event?.message, `cloudcore may not read Secret password for this pod: ${fix}`);
  assert.equal(lines.filter((line) => line.includes("May not read")).length, 1);
  may = true;
  await rig.clock.advance(60_000);
  await rig.pushed("update", "node/edge-1/default/secret/password");
});
