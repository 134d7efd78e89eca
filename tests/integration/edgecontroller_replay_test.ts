import assert from "node:assert/strict";
import { Rig } from "../../cloud/edgecontroller/fake_hub.ts";
import { embeddedControlPlane } from "../../cloud/embedded/mod.ts";
import type { TokenRequest } from "../../common/api/authentication_v1.ts";
import type { Lease } from "../../common/api/coordination_v1.ts";
import type { ConfigMap, Pod, Secret, ServiceAccount } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { isAlreadyExists, isNotFound } from "../../common/errors/mod.ts";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import {
  CONFIG_MAPS,
  createKubeClient,
  type KubeClient,
  PODS,
  type ResourceType,
  SECRETS,
  SERVICE_ACCOUNTS,
} from "../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { isObjectResponse, isStatusContent, type Message, messageFromJson } from "../../common/model/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";

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

/** An API with a default service account whose tokens can be asked for. */
type WithApi = (use: (kube: KubeClient) => Promise<void>) => Promise<void>;

const withFake: WithApi = async (use) => {
  await using kube = new FakeKubeClient({
    createSubresource: ({ body, object }) => {
      const answer = {
        ...(body as TokenRequest),
        metadata: { name: object.metadata!.name!, namespace: object.metadata!.namespace! },
        status: { token: "REDACTED.JWT.TOKEN", expirationTimestamp: "2026-11-20T16:27:40Z" },
      };
      return answer;
    },
  });
  kube.seed<ServiceAccount>(SERVICE_ACCOUNTS, { metadata: { namespace: "default", name: "default" } });
  await use(kube);
};

const withEmbedded: WithApi = async (use) => {
  const dataDir = await Deno.makeTempDir();
  const plane = embeddedControlPlane({
    clock: systemClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  }, { dataDir, port: 0 });
  const stop = new AbortController();
  const ended = plane.run(stop.signal);
  try {
    const { server, caCertificate, adminToken } = await plane.endpoint;
    await using kube = createKubeClient({ server, ca: caCertificate, token: adminToken });
    await use(kube);
  } finally {
    stop.abort();
    await ended;
    await Deno.remove(dataDir, { recursive: true });
  }
};

for (const [name, withApi] of [["the fake API", withFake], ["the embedded API", withEmbedded]] as const) {
  Deno.test(`edgeController() on ${name} answers a recorded edge as upstream's cloudcore did`, async (t) => {
    await withApi((kube) => replay(kube, t));
  });
}

async function replay(kube: KubeClient, t: Deno.TestContext): Promise<void> {
  const frames = await readSession();
  const world = new World(kube);
  for (const { up, message: { route, content } } of frames) {
    if (up || route.operation !== "response") continue;
    if (/^default\/(configmap|secret)\//.test(route.resource)) await world.make(content as ConfigMap);
  }
  await using rig = new Rig({ api: kube });
  await rig.module.ready;
  await rig.connect(NODE);

  let asked = 0;
  for (const { up, message } of frames) {
    const { route, header, content } = message;
    if (!up && header.parentMsgId === undefined && route.source === "edgecontroller") {
      await world.happen(message);
      // The edge would not ask about a pod before it has it.
      if (route.resource === world.podResource) await rig.pushed("insert", `node/${NODE}/${route.resource}`);
    }
    if (!up || route.source !== "edged") continue;
    const recorded = frames.find(({ up, message: { header: h } }) => !up && h.parentMsgId === header.msgId);
    assert.ok(recorded, `the recording has no reply to ${header.msgId}`);
    asked++;
    await t.step(`${asked}: ${route.operation} ${route.resource}`, async () => {
      const reply = await rig.ask(route.operation, `node/${NODE}/${route.resource}`, world.now(content));
      assert.deepEqual(shapeOf(reply), shapeOf(recorded.message));
      world.heard(reply);
    });
  }
  assert.ok(asked > 30, "the recording has more than 30 requests");

  await t.step("pushes what upstream pushed, without the echoes", async () => {
    const recorded = frames.filter(({ up, message: { route, header } }) =>
      !up && route.source === "edgecontroller" && header.parentMsgId === undefined
    ).map(({ message: { route } }) => `${route.operation} ${route.resource}`);
    for (const push of new Set(recorded)) {
      const [operation, resource] = push.split(" ") as [string, string];
      await rig.pushed(operation, `node/${NODE}/${resource}`);
    }
    const ofPods = (list: string[]) => list.filter((push) => /\/pod\//.test(push)).length;
    assert.ok(ofPods(rig.pushes()) < ofPods(recorded), `${ofPods(rig.pushes())} pushes of pods`);
  });
}

/** The users and controllers of the recording, and what the edge remembers of their objects. */
class World {
  readonly #kube: KubeClient;
  /** UIDs are the API's to give: from the recorded one to the one given now. */
  #uids = new Map<string, string>();
  #lease: Lease | undefined;
  /** The resource of the pod, once it was made. */
  podResource: string | undefined;

  constructor(kube: KubeClient) {
    this.#kube = kube;
  }

  /** A recorded content as the edge would send it to this API. */
  now(content: unknown): unknown {
    let text = JSON.stringify(content);
    for (const [recorded, given] of this.#uids) text = text.replaceAll(recorded, given);
    const value: unknown = JSON.parse(text);
    const lease = value as Lease | null;
    if (lease?.metadata?.resourceVersion === undefined || this.#lease === undefined) return value;
    return {
      ...lease,
      metadata: { ...lease.metadata, resourceVersion: this.#lease.metadata!.resourceVersion },
    };
  }

  /** What the edge keeps of a reply. */
  heard({ route, content }: Message): void {
    if (!/\/lease\//.test(route.resource) || !isObjectResponse(content)) return;
    if (content.Object !== null) this.#lease = content.Object as Lease;
  }

  /** Makes a recorded object, unless the API has one of its name. */
  async make(object: ConfigMap | Secret | Pod): Promise<void> {
    const { uid = "", resourceVersion: _rv, managedFields: _fields, ...metadata } = object.metadata ?? {};
    const type = TYPES[object.kind as keyof typeof TYPES] as ResourceType;
    try {
      const made = await this.#kube.create(type, { ...object, metadata } as KubeObject);
      this.#uids.set(uid, made.metadata!.uid!);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  /** Does what a user or controller must have done for the recorded cloudcore to push this. */
  async happen({ route, content }: Message): Promise<void> {
    const object = content as ConfigMap | Pod;
    const { namespace = "", name = "", deletionTimestamp } = object.metadata ?? {};
    if (object.kind === "Pod") {
      if (this.podResource === undefined) {
        await this.make(object);
        this.podResource = route.resource;
      } else if (deletionTimestamp !== undefined && route.operation === "update") {
        await this.#kube.delete(PODS, { namespace, name }).catch((error) => {
          if (!isNotFound(error)) throw error;
        });
      }
    } else if (object.kind === "ConfigMap" && route.operation === "update") {
      await this.#kube.patch(CONFIG_MAPS, { namespace, name }, {
        type: "merge",
        body: { data: (object as ConfigMap).data },
      });
    } else if (route.operation === "delete") {
      await this.#kube.delete(TYPES[object.kind as "ConfigMap" | "Secret"] as ResourceType, {
        namespace,
        name,
      });
    }
  }
}

const TYPES = { ConfigMap: CONFIG_MAPS, Secret: SECRETS, Pod: PODS } as const;
