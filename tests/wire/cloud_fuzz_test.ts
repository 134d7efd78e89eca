/** A node that sends anything: recorded and hand-made frames, changed at random, against hub and edgecontroller in one process. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { TestEdge } from "../../cloud/cloudhub/_testing.ts";
import type { Event, Pod } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { type FakeCall, FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import {
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NODES,
  PODS,
  type ResourceType,
  SECRETS,
  SERVICE_ACCOUNTS,
} from "../../common/kubeclient/mod.ts";
import { InProcessCloud } from "./cloud_in_process.ts";
import { goText, NODE as MINE, UID, UP } from "./cloud_messages.ts";
import { nodeOf, podOf } from "./cloud_objects.ts";
import { readRecording, RECORDED_NODE } from "./cloud_recording.ts";

const OTHER = "edge-2";
const WRITES = new Set(["create", "update", "patch", "delete"]);

/** What one node may write; everything else that is written while it alone speaks is a defect. */
function isOwn(
  { verb, resource, namespace, name, subresource, body }: FakeCall,
  kube: FakeKubeClient,
): boolean {
  const object = body as KubeObject | undefined;
  switch (resource) {
    case "nodes":
      return (name ?? object?.metadata?.name) === MINE;
    case "leases":
      return namespace === "kube-node-lease" && (name ?? object?.metadata?.name) === MINE;
    case "pods": {
      const pod = verb === "create" ? object as Pod : kube.peek(PODS, `${namespace}/${name}`);
      return pod === undefined || pod.spec?.nodeName === MINE;
    }
    case "events": {
      const { involvedObject: about } =
        (verb === "create" ? object : kube.peek(EVENTS, `${namespace}/${name}`)) as Event;
      return about.kind === "Node"
        ? about.name === MINE
        : about.name === "web" || about.name!.endsWith(`-${MINE}`);
    }
    case "serviceaccounts":
      return subresource === "token" && name === "default" &&
        (body as { spec: { boundObjectRef: { uid: string } } }).spec.boundObjectRef.uid === UID;
    default:
      return false;
  }
}

/** A cloud with two nodes, of which one is watched. */
class Fuzzed implements AsyncDisposable {
  readonly kube: FakeKubeClient;
  readonly foreign: FakeCall[] = [];
  cloud!: InProcessCloud;
  mine!: TestEdge;
  other!: TestEdge;
  #watching = false;
  #others: unknown;

  private constructor() {
    this.kube = new FakeKubeClient({
      intercept: (call) => {
        if (this.#watching && WRITES.has(call.verb) && !isOwn(call, this.kube)) this.foreign.push(call);
      },
      createSubresource: ({ body }) => body as KubeObject,
    });
  }

  static async start(): Promise<Fuzzed> {
    const fuzzed = new Fuzzed();
    await fuzzed.#start();
    return fuzzed;
  }

  async #start(): Promise<void> {
    const { kube } = this;
    for (const node of [MINE, OTHER]) {
      kube.seed(NODES, nodeOf(node));
      kube.seed(LEASES, {
        metadata: { namespace: "kube-node-lease", name: node },
        spec: { holderIdentity: node },
      });
    }
    // What tolerates everything already is given no tolerations by cloudcore itself, however long this takes.
    const other = podOf("other", OTHER);
    kube.seed(PODS, { ...other, spec: { ...other.spec!, tolerations: [{ operator: "Exists" }] } });
    kube.seed(SECRETS, { metadata: { namespace: "default", name: "password" }, data: {} });
    kube.seed(CONFIG_MAPS, { metadata: { namespace: "default", name: "settings" }, data: {} });
    kube.seed(SERVICE_ACCOUNTS, { metadata: { namespace: "default", name: "default" } });
    this.restore();
    this.cloud = await InProcessCloud.start({ kube });
    this.other = await this.cloud.connect(OTHER);
    this.mine = await this.cloud.connect(MINE);
    await this.cloud.serves(this.other, OTHER);
    await this.cloud.serves(this.mine, MINE);
    this.#others = this.#ofOthers();
    this.#watching = true;
  }

  /** Puts back what the node may have removed of its own. */
  restore(): void {
    if (this.kube.peek(PODS, "default/web") !== undefined) return;
    const pod = podOf("web", MINE, { envFrom: [{ configMapRef: { name: "settings" } }] });
    this.kube.seed(PODS, {
      ...pod,
      metadata: { ...pod.metadata!, uid: UID },
      spec: { ...pod.spec!, tolerations: [{ operator: "Exists" }] },
    });
  }

  #ofOthers(): unknown {
    const peek = (type: ResourceType, key: string) => structuredClone(this.kube.peek(type, key));
    return [
      peek(NODES, OTHER),
      peek(LEASES, `kube-node-lease/${OTHER}`),
      peek(PODS, "default/other"),
      peek(SECRETS, "default/password"),
      peek(CONFIG_MAPS, "default/settings"),
    ];
  }

  /** What must hold whatever was sent: the node's own session may have ended, nobody else's. */
  async holds(): Promise<void> {
    await this.cloud.serves(this.other, OTHER);
    if (this.mine.socket.readyState !== this.mine.socket.OPEN) this.mine = await this.cloud.connect(MINE);
    await this.cloud.serves(this.mine, MINE);
    assert.deepEqual(this.foreign, []);
    assert.deepEqual(this.#ofOthers(), this.#others);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cloud[Symbol.asyncDispose]();
  }
}

/** Values that have been tried against programs like this one. */
const HOSTILE: readonly unknown[] = [
  null,
  "",
  0,
  -1,
  1e308,
  [],
  {},
  OTHER,
  `null/node/${OTHER}`,
  `null/nodepatch/${OTHER}`,
  `kube-node-lease/lease/${OTHER}`,
  "default/podpatch/other",
  "default/pod/other",
  "default/secret/password",
  `node/${OTHER}/default/pod/other`,
  "default/pod/../../../api/v1/nodes",
  "default/pod/web?fieldManager=x",
  "default/pod/web/status",
  "__proto__",
  "constructor",
  "x".repeat(9_000),
  "insert",
  "delete",
  "response",
  "config",
  "edgecontroller",
  "metaserver",
  JSON.stringify({ metadata: { uid: UID, labels: { a: "b" } }, spec: { nodeName: OTHER } }),
  { metadata: { name: OTHER, namespace: "kube-system" } },
  { metadata: { labels: { "node-role.kubernetes.io/control-plane": "" } }, spec: { taints: 5 } },
  {
    metadata: { annotations: { "kubernetes.io/config.mirror": "x" } },
    spec: { nodeName: OTHER, containers: [] },
  },
  { gracePeriodSeconds: -1, preconditions: [] },
  "[".repeat(500),
];

type Path = Array<string | number>;

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...at, key]))];
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((item, at) => String(at) === String(key) ? replaced(item, rest, by) : item);
  }
  return { ...(value as object), [key]: replaced((value as Record<string, unknown>)[key], rest, by) };
}

/** A frame with one part replaced, or the node's name by the other's, or a few bytes changed. */
function mutated(frames: readonly string[]): fc.Arbitrary<Uint8Array> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const frame = fc.constantFrom(...frames);
  const by = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...HOSTILE) }, {
    weight: 1,
    arbitrary: fc.jsonValue(),
  });
  const structural = fc.tuple(frame, fc.nat(), by, fc.nat(), by).map(([text, first, a, second, b]) => {
    const json = JSON.parse(text) as unknown;
    const paths = pathsOf(json);
    const once = replaced(json, paths[first % paths.length]!, a);
    const again = pathsOf(once);
    return bytes(JSON.stringify(second % 2 === 0 ? once : replaced(once, again[second % again.length]!, b)));
  });
  const renamed = frame.map((text) => bytes(text.replaceAll(MINE, OTHER)));
  const partly = fc.tuple(frame, fc.nat()).map(([text, nth]) => {
    const at = [...text.matchAll(new RegExp(MINE, "g"))].map(({ index }) => index);
    if (at.length === 0) return bytes(text);
    const from = at[nth % at.length]!;
    return bytes(text.slice(0, from) + OTHER + text.slice(from + MINE.length));
  });
  const noisy = fc.tuple(
    frame,
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
  ).map(
    ([text, changes]) => {
      const copy = bytes(text);
      for (const [at, byte] of changes) copy[at % copy.length] = byte;
      return copy;
    },
  );
  const cut = fc.tuple(frame, fc.nat()).map(([text, at]) => bytes(text).slice(0, at % text.length));
  return fc.oneof(
    { weight: 6, arbitrary: structural },
    { weight: 1, arbitrary: renamed },
    { weight: 2, arbitrary: partly },
    { weight: 2, arbitrary: noisy },
    { weight: 1, arbitrary: cut },
    { weight: 1, arbitrary: frame.map(bytes) },
  );
}

Deno.test("whatever one node sends, others are served and nothing but its own is written", async () => {
  const { frames } = await readRecording();
  const recorded = frames.filter(({ from }) => from === "edge").map(({ json }) =>
    JSON.stringify(json).replaceAll(RECORDED_NODE, MINE)
  );
  const all = [...new Set(recorded.filter((_text, at) => at % 3 === 0)), ...UP.map((row) => goText(row))];
  await using fuzzed = await Fuzzed.start();
  await fc.assert(
    fc.asyncProperty(fc.array(mutated(all), { minLength: 10, maxLength: 30 }), async (batch) => {
      fuzzed.restore();
      for (const bytes of batch) fuzzed.mine.socket.send(bytes, { binary: true });
      await fuzzed.holds();
    }),
    { numRuns: 150, endOnFailure: true },
  );
  // The node's own frames, unchanged, still do what they are for.
  for (const text of all) fuzzed.mine.socket.send(text, { binary: false });
  await fuzzed.holds();
  assert.ok(
    fuzzed.kube.calls.some(({ verb, resource, name }) =>
      verb === "patch" && resource === "pods" && name === "web"
    ),
  );
  assert.ok(fuzzed.kube.calls.some(({ verb, resource }) => verb === "delete" && resource === "pods"));
});
