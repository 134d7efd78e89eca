import assert from "node:assert/strict";
import { Rig } from "../../cloud/edgecontroller/fake_hub.ts";
import type { ConfigMap, Pod, Secret, ServiceAccount } from "../../common/api/core_v1.ts";
import type { Lease } from "../../common/api/coordination_v1.ts";
import { CONFIG_MAPS, LEASES, NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from "../../common/kubeclient/mod.ts";
import { isObjectResponse, isStatusContent, type Message, messageFromJson } from "../../common/model/mod.ts";

const NODE = "edge-ke";
const SESSION = new URL("../testdata/upstream/v1.23.1/session.jsonl", import.meta.url);

interface Frame {
  up: boolean;
  message: Message;
}

async function readSession(): Promise<Frame[]> {
  const text = await Deno.readTextFile(SESSION);
  return text.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ json }) => json !== undefined)
    .map(({ dir, json }) => ({ up: dir === "edge->cloud", message: messageFromJson(json) }));
}

/** What an edge can tell apart in a reply. */
function shapeOf({ header, route, content }: Message): unknown {
  const resource = route.resource.startsWith(`node/${NODE}/`)
    ? route.resource.slice(`node/${NODE}/`.length)
    : route.resource;
  return {
    source: route.source,
    group: route.group,
    operation: route.operation,
    resource,
    versioned: header.resourceVersion !== undefined,
    content: contentShape(content),
  };
}

function contentShape(content: unknown): unknown {
  if (isObjectResponse(content)) {
    return {
      Object: objectShape(content.Object),
      Err: content.Err === null ? null : contentShape(content.Err),
    };
  }
  if (isStatusContent(content)) {
    const { reason, code, status } = content.ErrStatus as Record<string, unknown>;
    return { ErrStatus: { reason, code, status } };
  }
  if (typeof content === "string") return content;
  const { apiVersion, kind } = content as Record<string, unknown>;
  return { apiVersion, kind, ...objectShape(content) };
}

function objectShape(object: unknown): Record<string, unknown> | null {
  if (object === null) return null;
  const { metadata, spec, data, status } = object as Record<string, Record<string, unknown> | undefined>;
  return {
    name: metadata?.name,
    namespace: metadata?.namespace,
    spec: spec !== undefined,
    status: status !== undefined,
    keys: Object.keys(data ?? {}).sort(),
  };
}

Deno.test("edgeController() answers every request of a recorded upstream edge as upstream's cloudcore did", async (t) => {
  const frames = await readSession();
  await using rig = new Rig({
    kube: {
      createSubresource: ({ body, subresource, object }) =>
        subresource === "token"
          ? {
            ...(body as Record<string, unknown>),
            metadata: { name: object.metadata!.name!, namespace: object.metadata!.namespace! },
            status: { token: "REDACTED.JWT.TOKEN", expirationTimestamp: "2026-11-20T16:27:40Z" },
          } as never
          : undefined,
    },
  });
  const { kube } = rig;
  kube.seed<ServiceAccount>(SERVICE_ACCOUNTS, { metadata: { namespace: "default", name: "default" } });
  for (const { message: { route, content } } of frames.filter(({ up }) => !up)) {
    if (route.operation !== "response") continue;
    const { metadata } = content as ConfigMap;
    const key = `${metadata?.namespace}/${metadata?.name}`;
    if (/^default\/configmap\//.test(route.resource) && !kube.peek(CONFIG_MAPS, key)) {
      kube.seed(CONFIG_MAPS, content as ConfigMap);
    }
    if (/^default\/secret\//.test(route.resource)) kube.seed(SECRETS, content as Secret);
  }
  await rig.module.ready;
  await rig.connect(NODE);

  let asked = 0;
  for (const { up, message } of frames) {
    const { route, header, content } = message;
    if (!up) await happen(rig, message);
    if (!up || route.source !== "edged") continue;
    const recorded = frames.find(({ up, message: { header: h } }) => !up && h.parentMsgId === header.msgId);
    assert.ok(recorded, `the recording has no reply to ${header.msgId}`);
    asked++;
    await t.step(`${asked}: ${route.operation} ${route.resource}`, async () => {
      const reply = await rig.ask(route.operation, `node/${NODE}/${route.resource}`, renewed(rig, content));
      assert.deepEqual(shapeOf(reply), shapeOf(recorded.message));
    });
  }
  assert.ok(asked > 30, "the recording has more than 30 requests");

  await t.step("pushes what upstream pushed, without the echoes", async () => {
    await rig.settle();
    const pushes = rig.pushes();
    const recorded = frames.filter(({ up, message: { route, header } }) =>
      !up && route.source === "edgecontroller" && header.parentMsgId === undefined
    ).map(({ message: { route } }) => `${route.operation} ${route.resource}`);
    for (const push of new Set(recorded)) assert.ok(pushes.includes(push), `${push} was not pushed`);
    const ofPods = (list: string[]) => list.filter((push) => /\/pod\//.test(push)).length;
    assert.ok(ofPods(pushes) < ofPods(recorded), `${ofPods(pushes)} pushes of pods`);
  });
});

/** What an edge sends back is what it was answered last, not what upstream's API had then. */
function renewed(rig: Rig, content: unknown): unknown {
  const lease = content as Lease | null;
  if (typeof lease !== "object" || lease?.metadata?.resourceVersion === undefined) return content;
  const { namespace, name } = lease.metadata;
  const stored = rig.kube.peek(LEASES, `${namespace}/${name}`);
  return { ...lease, metadata: { ...lease.metadata, resourceVersion: stored?.metadata?.resourceVersion } };
}

/** What a user or a controller must have done for the recorded cloudcore to push this. */
async function happen({ kube }: Rig, { route, header, content }: Message): Promise<void> {
  if (header.parentMsgId !== undefined || route.source !== "edgecontroller") return;
  const [, type] = route.resource.split("/");
  const object = content as ConfigMap;
  const { namespace = "", name = "", deletionTimestamp } = object.metadata ?? {};
  const key = `${namespace}/${name}`;
  if (type === "pod" && route.operation === "update" && kube.peek(PODS, key) === undefined) {
    kube.seed(PODS, object as Pod);
  } else if (type === "pod" && deletionTimestamp !== undefined) {
    const pod = kube.peek(PODS, key);
    if (pod !== undefined && pod.metadata?.deletionTimestamp === undefined) {
      await kube.delete(PODS, { namespace, name });
    }
  } else if (type === "configmap" && route.operation === "update") {
    const { resourceVersion: _, ...metadata } = object.metadata!;
    await kube.update(CONFIG_MAPS, { ...object, metadata });
  } else if (type === "configmap" && route.operation === "delete") {
    await kube.delete(CONFIG_MAPS, { namespace, name });
  } else if (type === "secret" && route.operation === "delete") {
    await kube.delete(SECRETS, { namespace, name });
  }
  assert.ok(kube.peek(NODES, NODE), `the node is not registered before ${route.resource}`);
}
