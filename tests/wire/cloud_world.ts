/** The users and controllers of the recording, at work on the API of a cloudcore under test. For tests only. */
import type { ConfigMap, Pod, Secret } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import {
  CONFIG_MAPS,
  type KubeClient,
  PODS,
  type ResourceType,
  SECRETS,
} from "../../common/kubeclient/mod.ts";
import { isObjectResponse } from "../../common/model/mod.ts";
import { type Recording, typeOf, type WireMessage } from "./cloud_recording.ts";

type Json = Record<string, unknown>;

const TYPES: Readonly<Record<string, ResourceType>> = {
  configmap: CONFIG_MAPS,
  secret: SECRETS,
  pod: PODS,
};

/** What the recorded API had, made again, and what its identifiers are called here. */
export class World {
  readonly #kube: KubeClient;
  readonly #recording: Recording;
  /** From a recorded UID, or version of a lease, to the one given now. */
  readonly #given = new Map<string, string>();

  constructor(kube: KubeClient, recording: Recording) {
    this.#kube = kube;
    this.#recording = recording;
  }

  /** A recorded message as the edge would send it to this cloud. */
  now(message: WireMessage): WireMessage {
    let text = JSON.stringify(message);
    for (const [recorded, given] of this.#given) text = text.replaceAll(recorded, given);
    return JSON.parse(text) as WireMessage;
  }

  /** Remembers what an object that both clouds sent is called in each. */
  learn(recorded: WireMessage, ours: WireMessage): void {
    const [theirs, mine] = [recorded, ours].map(({ content }) =>
      (isObjectResponse(content) ? content.Object : content) as { metadata?: Json } | null
    );
    const learn = (key: "uid" | "resourceVersion", quote: string) => {
      const [from, to] = [theirs?.metadata?.[key], mine?.metadata?.[key]];
      if (typeof from === "string" && typeof to === "string") {
        this.#given.set(quote + from + quote, quote + to + quote);
      }
    };
    learn("uid", "");
    if (typeOf(recorded) === "lease") learn("resourceVersion", '"');
  }

  /** Does what somebody must have done for the recorded cloud to push this. */
  async happen(message: WireMessage): Promise<void> {
    const type = TYPES[typeOf(message)];
    if (type === undefined) return;
    const object = message.content as KubeObject;
    const { namespace = "", name = "", deletionTimestamp, annotations } = object.metadata ?? {};
    if (message.route.operation === "delete") {
      // A pod's end is the edge's own work.
      if (type !== PODS) await this.#kube.delete(type, { namespace, name });
    } else if (type !== PODS) {
      const { data } = object as ConfigMap;
      await this.#kube.patch(type, { namespace, name }, {
        type: "merge",
        body: { metadata: { annotations }, data },
      });
    } else if (deletionTimestamp !== undefined) await this.#kube.delete(PODS, { namespace, name });
    else await this.#applyPod(object as Pod);
  }

  /** The ConfigMaps and Secrets the pod refers to, then the pod; the scheduler binds it. */
  async #applyPod(pod: Pod): Promise<void> {
    for (const reply of this.#recording.replies.values()) {
      const type = TYPES[typeOf(reply)];
      if (type !== CONFIG_MAPS && type !== SECRETS) continue;
      const { name, namespace, annotations } = (reply.content as ConfigMap).metadata!;
      // The control plane makes this one itself.
      if (name === "kube-root-ca.crt") continue;
      const { data } = reply.content as ConfigMap | Secret;
      const metadata = { name: name!, namespace: namespace!, ...(annotations ? { annotations } : {}) };
      await this.#kube.create(type, { metadata, data } as KubeObject);
    }
    const { name, generateName, namespace, labels } = pod.metadata!;
    const { nodeName: _node, priority: _priority, preemptionPolicy: _policy, ...spec } = pod.spec!;
    const metadata = { name: name!, generateName: generateName!, namespace: namespace!, labels: labels! };
    await this.#kube.create(PODS, { metadata, spec } as Pod);
  }
}
