import assert from "node:assert/strict";
import type { FakeCall } from "../../common/kubeclient/fake_client.ts";
import { PERSISTENT_VOLUMES, SERVICE_ACCOUNTS } from "../../common/kubeclient/mod.ts";
import { connected, node } from "./_testing.ts";
import { Rig } from "./fake_hub.ts";
import { EDGE_CONTROLLER_RULES } from "./rbac.ts";

const wanted = ({ verb, resource, subresource }: FakeCall) =>
  `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`;

Deno.test("EDGE_CONTROLLER_RULES permit what edges can ask for, and nothing that is never done", async () => {
  await using rig = new Rig({
    kube: { createSubresource: ({ body }) => body as { kind: string } },
  });
  rig.kube.seed(SERVICE_ACCOUNTS, { metadata: { namespace: "default", name: "default" } });
  rig.kube.seed(PERSISTENT_VOLUMES, { metadata: { name: "v" } });
  const orphan = { group: "reliablesyncs.kubeedge.io", version: "v1alpha1", resource: "objectsyncs" };
  rig.kube.seed({ ...orphan, kind: "ObjectSync", namespaced: true }, {
    metadata: { namespace: "default", name: "edge-8.uid" },
    ...{ spec: { objectKind: "Pod", objectName: "p" } },
  });
  await connected(rig);
  const involvedObject = { kind: "Pod", namespace: "default", name: "web", uid: "uid-web" };
  const event = { metadata: {}, involvedObject };
  const mirror = {
    metadata: { annotations: { "kubernetes.io/config.mirror": "x" } },
    spec: { nodeName: "edge-1", containers: [] },
  };
  const claimed = { spec: { volumes: [{ name: "d", persistentVolumeClaim: { claimName: "d" } }] } };
  rig.kube.seed({ group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true }, {
    metadata: { namespace: "default", name: "claimer", uid: "uid-claimer" },
    ...{ spec: { ...claimed.spec, nodeName: "edge-1", containers: [] } },
  });
  await rig.pushed("insert", "node/edge-1/default/pod/claimer");
  const asks: Array<[string, string, unknown?]> = [
    ["insert", "null/node/edge-1", node("edge-1")],
    ["query", "null/node/edge-1"],
    ["update", "null/node/edge-1", { metadata: { labels: { a: "1" } } }],
    ["patch", "null/nodepatch/edge-1", '{"status":{"phase":"Running"}}'],
    ["update", "default/nodestatus/edge-1", { Status: {} }],
    ["query", "kube-node-lease/lease/edge-1"],
    ["insert", "kube-node-lease/lease/edge-1", {}],
    ["update", "kube-node-lease/lease/edge-1", {}],
    ["insert", "default/pod/static", mirror],
    ["patch", "default/podpatch/web", '{"status":{"phase":"Running"}}'],
    ["update", "default/podstatus/web", { UID: "uid-web", Name: "web", Status: {} }],
    ["query", "default/configmap/config"],
    ["query", "default/secret/secret"],
    ["query", "default/persistentvolumeclaim/d"],
    ["query", "null/persistentvolume/v"],
    ["query", "default/volumeattachment/x"],
    ["query", "default/serviceaccounttoken/default", {
      spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "web", uid: "uid-web" } },
    }],
    ["patch", "default/podpatch/unknown", '{"status":{}}'],
    ["delete", "default/pod/web", "uid-web"],
  ];
  await rig.give("insert", "node/edge-1/default/event/e", event);
  await rig.settle();
  await rig.give("update", "node/edge-1/default/event/e", { ...event, count: 2 });
  await rig.give("patch", "node/edge-1/default/event/e", { event, patchData: '{"count":3}' });
  await rig.settle();
  for (const [operation, resource, content] of asks) {
    await rig.ask(operation, `node/edge-1/${resource}`, content);
  }
  await rig.clock.advance(10_000);
  await rig.settle();
  const done = new Set(rig.kube.calls.map(wanted));
  const permitted = new Set(
    EDGE_CONTROLLER_RULES.flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`))
    ),
  );
  assert.deepEqual([...done].filter((call) => !permitted.has(call)), []);
  assert.deepEqual([...permitted].filter((call) => !done.has(call)), []);
});
