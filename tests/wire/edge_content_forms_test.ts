import assert from "node:assert/strict";
import { printMessage } from "../../common/model/mod.ts";
import { podIn, startBench, untilGone } from "./edge_bench.ts";
import { type Frame, isObject, type Json } from "./edge_cloud.ts";

/** How a content is written on the wire. */
type Form = "object" | "JSON text" | "null" | "text";

/** What this edge sends, of `reference/cloud-edge-protocol.md` §4.5 and §5.2, with the form of its content. */
const UPSTREAM: ReadonlyArray<
  { what: string; source: string; group: string; verb: RegExp; resource: RegExp; form: Form; answers?: true }
> = [
  {
    what: "keepalive",
    source: "websocket",
    group: "resource",
    verb: /^keepalive$/,
    resource: /^node$/,
    form: "text",
  },
  {
    what: "node",
    source: "edged",
    group: "meta",
    verb: /^insert$/,
    resource: /^null\/node\/edge-1$/,
    form: "object",
  },
  {
    what: "node status",
    source: "edged",
    group: "meta",
    verb: /^patch$/,
    resource: /^null\/nodepatch\/edge-1$/,
    form: "JSON text",
  },
  {
    what: "lease query",
    source: "edged",
    group: "meta",
    verb: /^query$/,
    resource: /^kube-node-lease\/lease\/edge-1$/,
    form: "null",
  },
  {
    what: "lease",
    source: "edged",
    group: "meta",
    verb: /^(insert|update)$/,
    resource: /^kube-node-lease\/lease\/edge-1$/,
    form: "object",
  },
  {
    what: "pod status",
    source: "edged",
    group: "meta",
    verb: /^patch$/,
    resource: /^default\/podpatch\/[\w-]+$/,
    form: "JSON text",
  },
  {
    what: "pod deletion",
    source: "edged",
    group: "meta",
    verb: /^delete$/,
    resource: /^default\/pod\/[\w-]+$/,
    form: "object",
  },
  {
    what: "ConfigMap and Secret query",
    source: "edged",
    group: "meta",
    verb: /^query$/,
    resource: /^default\/(configmap|secret)\/[\w-]+$/,
    form: "null",
  },
  {
    what: "token",
    source: "edged",
    group: "meta",
    verb: /^query$/,
    resource: /^default\/serviceaccounttoken\/[\w-]+$/,
    form: "object",
  },
  {
    what: "event",
    source: "edged",
    group: "meta",
    verb: /^(insert|patch)$/,
    resource: /^default\/event\/[\w-]+\.[0-9a-f]{16}$/,
    form: "object",
  },
  {
    what: "acknowledgement",
    source: "edgecontroller",
    group: "resource",
    verb: /^response$/,
    resource: /./,
    form: "text",
    answers: true,
  },
  {
    what: "refusal",
    source: "metamanager",
    group: "resource",
    verb: /^error$/,
    resource: /./,
    form: "text",
    answers: true,
  },
];

function formOf(content: unknown): Form | "other" {
  if (content === null) return "null";
  if (typeof content === "string") return /^[[{]/.test(content) ? "JSON text" : "text";
  return isObject(content) ? "object" : "other";
}

const rowOf = ({ message: { header, route }, json }: Frame) =>
  UPSTREAM.find(({ source, group, verb, resource, form, answers }) =>
    source === route.source && group === route.group && verb.test(route.operation) &&
    resource.test(route.resource) &&
    form === formOf(json.content) && (header.parentMsgId !== undefined) === (answers ?? false)
  );

Deno.test("everything edgecore sends has the source, the group and the form that upstream's edgecore gives it", async (t) => {
  await using bench = await startBench();
  const { cloud, edge } = bench;
  const spec = {
    serviceAccountName: "default",
    volumes: [
      { name: "c", configMap: { name: "shown" } },
      { name: "s", secret: { secretName: "shown" } },
      {
        name: "t",
        projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3607 } }] },
      },
    ],
  };
  for (const [type, kind] of [["configmap", "ConfigMap"], ["secret", "Secret"]]) {
    cloud.objects.set(`default/${type}/shown`, {
      kind,
      apiVersion: "v1",
      metadata: {
        name: "shown",
        namespace: "default",
        uid: `u-${type}`,
        resourceVersion: cloud.nextVersion(),
      },
    });
  }
  const pod = podIn(bench, "shows", { spec: { ...podIn(bench, "plain").spec as Json, ...spec } });
  await bench.acknowledged("update", "default/pod/shows", pod);
  await bench.running("shows");
  const metadata = {
    ...pod.metadata as Json,
    resourceVersion: cloud.nextVersion(),
    deletionTimestamp: new Date(edge.clock.now()).toISOString(),
    deletionGracePeriodSeconds: 1,
  };
  cloud.objects.set("default/pod/shows", { ...pod, metadata });
  await bench.acknowledged("update", "default/pod/shows", { ...pod, metadata });
  await edge.until("it is deleted", () => cloud.requests("delete", "default/pod/shows").length > 0);
  cloud.push("delete", "default/pod/shows", { ...pod, metadata });
  await untilGone(bench, "shows");
  cloud.push("update", "default/configmap/bad", "no object");
  await edge.pass(25_000, 250);
  for (const { what } of UPSTREAM) {
    await t.step(
      what,
      () => assert.ok(cloud.frames.some((frame) => rowOf(frame)?.what === what), "it was sent"),
    );
  }
  for (const frame of cloud.frames) {
    assert.ok(rowOf(frame) !== undefined, `no form is known for ${JSON.stringify(frame.json).slice(0, 400)}`);
    const { header, route } = frame.json as { header: Json; route: Json };
    const keys = [
      "msg_id",
      ...frame.message.header.parentMsgId === undefined ? [] : ["parent_msg_id"],
      "timestamp",
    ];
    assert.deepEqual(Object.keys(header), keys, "no other key in the header");
    assert.deepEqual(Object.keys(route), ["source", "group", "operation", "resource"]);
    assert.deepEqual(JSON.parse(printMessage(frame.message)), frame.json, "it reads back as it was");
  }
});

/** What comes as an answer, each in forms that upstream never uses; none may be taken for success, none may end the edge. */
const MALFORMED: ReadonlyArray<[string, (good: unknown) => unknown]> = [
  ["base64 of the JSON", (good) => btoa(JSON.stringify(good))],
  ["a list of it", (good) => [good]],
  ["a number", () => 3],
  ["a truth value", () => true],
  ["the wrapper twice", (good) => ({ Object: good, Err: null })],
  [
    "the wrapper without its error",
    (good) => isObject(good) && "Err" in good ? { Object: good.Object } : good,
  ],
  [
    "the wrapper with text for the error",
    (good) => isObject(good) ? { Object: good.Object ?? good, Err: "failed" } : good,
  ],
  ["an error without a reason", () => ({ ErrStatus: {} })],
  [
    "an error whose fields are of wrong types",
    () => ({ Object: {}, Err: { ErrStatus: { reason: 5, code: "x", message: [] } } }),
  ],
  ["an empty object", () => ({})],
];

Deno.test("answers in other forms than upstream's do no harm, and what they answered is asked again", async (t) => {
  await using bench = await startBench();
  const { cloud, edge } = bench;
  for (const [form, make] of MALFORMED) {
    await t.step(form, async () => {
      let spoilt = 0;
      cloud.answer = (request) => {
        const good = cloud.wouldAnswer(request);
        if (good === undefined || good === "silence" || /\/(event|node)\//.test(request.route.resource)) {
          return good;
        }
        spoilt++;
        return { ...good, content: make(good.content) };
      };
      const name = `form-${MALFORMED.findIndex(([f]) => f === form)}`;
      const key = `default/secret/${name}`;
      const metadata = { name, namespace: "default", uid: `u-${name}`, resourceVersion: cloud.nextVersion() };
      cloud.objects.set(key, { kind: "Secret", apiVersion: "v1", metadata, data: {} });
      const pod = podIn(bench, name);
      (pod.spec as Json).volumes = [{ name: "s", secret: { secretName: name } }];
      await bench.acknowledged("update", `default/pod/${name}`, pod);
      await edge.pass(12_000, 200);
      assert.ok(spoilt > 0);
      cloud.answer = () => undefined;
      await bench.running(name);
      assert.deepEqual(bench.stored(key)?.metadata, metadata, "what is stored is the object");
      cloud.push("delete", `default/pod/${name}`, pod);
      await untilGone(bench, name);
      await bench.healthy();
    });
  }
});
