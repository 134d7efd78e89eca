import assert from "node:assert/strict";
import fc from "fast-check";
import { type Message, printMessage } from "../../common/model/mod.ts";
import { isObject, type Json, podOf } from "./edge_cloud.ts";
import { configMapOf, startBench } from "./edge_bench.ts";
import { readRecording } from "./edge_recording.ts";

/** A place in a JSON value, as the keys that lead there. */
function places(value: unknown, at: string[] = []): string[][] {
  const inner = Array.isArray(value)
    ? value.flatMap((item, i) => places(item, [...at, String(i)]))
    : isObject(value)
    ? Object.entries(value).flatMap(([key, item]) => places(item, [...at, key]))
    : [];
  return [at, ...inner];
}

function replaceAt(value: unknown, [key, ...rest]: string[], put: (old: unknown) => unknown): unknown {
  if (key === undefined) return put(value);
  if (Array.isArray(value)) {
    return value.map((item, i) => String(i) === key ? replaceAt(item, rest, put) : item);
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([k, item]) =>
    [k, k === key ? replaceAt(item, rest, put) : item] as const
  );
  return Object.fromEntries(entries.filter(([k, item]) => k !== key || item !== undefined));
}

/** What is put in the place of a part of a frame; undefined takes it out. */
const PUT = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    "",
    "x",
    0,
    -1,
    1e308,
    true,
    [],
    {},
    "null",
    "{}",
    "OK",
    "\u0000",
    "../../../etc",
    "9".repeat(40),
  ),
  fc.string({ maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Where upstream's frames say what they are about: changed more often than the rest. */
const ROUTE = [
  ["route", "operation"],
  ["route", "resource"],
  ["route", "group"],
  ["route", "source"],
  [
    "header",
    "parent_msg_id",
  ],
  ["header", "resourceversion"],
  ["header", "sync"],
  ["content"],
];
const RESOURCES = [
  "default/pod/witness",
  "default/pod",
  "default/podlist/x",
  "null/node/edge-1",
  "node/connection",
  "default/configmap/..",
  "default/gonepod",
  "a/b/c/d/e",
  "/",
  "",
];

Deno.test("edgecore outlives any change to the frames of upstream's cloud, with its pods, its store and its link", async () => {
  const frames = (await readRecording()).filter(({ from }) => from === "cloud").map(({ json }) => json);
  await using bench = await startBench();
  const { cloud, edge } = bench;
  const change = fc.record({
    frame: fc.nat(frames.length - 1),
    steps: fc.array(
      fc.record({
        place: fc.nat(),
        route: fc.boolean(),
        put: PUT,
        resource: fc.constantFrom(...RESOURCES),
        useResource: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    cut: fc.option(fc.nat(), { freq: 8 }),
  });
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 20, maxLength: 20 }), async (changes) => {
      for (const { frame, steps, cut } of changes) {
        let json: unknown = frames[frame]!;
        for (const { place, route, put, resource, useResource } of steps) {
          const all = places(json);
          const at = route ? ROUTE[place % ROUTE.length]! : all[place % all.length]!;
          json = replaceAt(json, at, () => useResource && at.at(-1) === "resource" ? resource : put);
        }
        if (deletesWitness(json)) continue;
        const text = JSON.stringify(json) ?? "undefined";
        cloud.sendText(cut === null ? text : text.slice(0, cut % (text.length + 1)));
        sent++;
      }
      await edge.pass(20, 10);
      await bench.healthy();
      assert.equal(cloud.sessions, 1, "the link stays up");
    }),
    { numRuns: 60, endOnFailure: true },
  );
  assert.ok(sent > 1000);
});

/** A deletion of the pod that is watched, in a form that upstream's cloud uses, is no mistake. */
function deletesWitness(json: unknown): boolean {
  if (!isObject(json) || !isObject(json.route)) return false;
  const { operation, resource } = json.route;
  return resource === "default/pod/witness" && ["delete", "update", "insert"].includes(String(operation));
}

const VOLUMES = [{ name: "v", configMap: { name: "probe" } }, { name: "s", secret: { secretName: "none" } }];

Deno.test("edgecore outlives any answer to its requests, and goes on asking", async () => {
  await using bench = await startBench();
  const { cloud, edge } = bench;
  const step = fc.record({
    place: fc.nat(),
    put: PUT,
    as: fc.constantFrom("response", "error", "update", "delete", ""),
    silent: fc.boolean(),
  });
  let spoilt = 0;
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(step), async (stream) => {
      const own = cloud.answer;
      let inside = false;
      cloud.answer = (request) => {
        if (inside) return undefined;
        const { place, put, as, silent } = stream.next().value;
        if (silent && place % 4 === 0) return "silence";
        inside = true;
        const good = cloud.wouldAnswer(request);
        inside = false;
        if (good === undefined || good === "silence") return good;
        // What a pod is to be is the cloud's to say; everything around it is not.
        const open = places(good.content).filter((at) => !at.includes("spec"));
        spoilt++;
        return {
          ...good,
          operation: as,
          content: replaceAt(good.content, open[place % open.length]!, () => put),
        };
      };
      // In time that passes so fast a link may seem dead: the edge makes another one.
      const linked = () => edge.until("there is a link", () => cloud.connected, { stepMs: 500 });
      await linked();
      const asking = podOf("asking", { version: cloud.nextVersion(), spec: { volumes: VOLUMES } });
      cloud.objects.set("default/pod/asking", asking);
      cloud.push("update", "default/pod/asking", asking);
      await edge.pass(65_000, 1000);
      cloud.answer = own;
      await linked();
      cloud.push("delete", "default/pod/asking", podOf("asking", { version: cloud.nextVersion() }));
      await edge.pass(65_000, 1000);
      await linked();
      await bench.healthy();
      const leases = cloud.requests("update", /lease/).length;
      await edge.until("the lease is renewed", () => cloud.requests("update", /lease/).length > leases, {
        stepMs: 500,
      });
    }),
    { numRuns: 12, endOnFailure: true },
  );
  assert.ok(spoilt > 60, `${spoilt} answers were spoilt`);
});

/** A frame of each type of the catalogue that comes down, with what its content is. */
const DOWNSTREAM: ReadonlyArray<{ type: string; route: Partial<Message["route"]>; content: unknown }> = [
  {
    type: "pod",
    route: { operation: "update", resource: "default/pod/x" },
    content: {
      kind: "Pod",
      metadata: { name: "x", namespace: "default", uid: "u", resourceVersion: "1" },
      spec: { nodeName: "edge-1", containers: [] },
    },
  },
  {
    type: "configmap",
    route: { operation: "update", resource: "default/configmap/x" },
    content: configMapOf("x", "1"),
  },
  {
    type: "secret",
    route: { operation: "update", resource: "default/secret/x" },
    content: { ...configMapOf("x", "1"), kind: "Secret" },
  },
  {
    type: "node",
    route: { operation: "update", resource: "null/node/edge-1" },
    content: { kind: "Node", metadata: { name: "edge-1", resourceVersion: "1" } },
  },
  {
    type: "device",
    route: { source: "devicecontroller", operation: "insert", resource: "default/device/x" },
    content: { ...configMapOf("x", "1"), kind: "Device" },
  },
];
const FORMS: ReadonlyArray<[string, (content: unknown) => unknown]> = [
  ["JSON inside a string", (content) => JSON.stringify(content)],
  ["base64", (content) => btoa(JSON.stringify(content))],
  ["null", () => null],
  ["a list", (content) => [content]],
  ["a number", () => 7],
  ["a text", () => "OK"],
  ["an empty object", () => ({})],
  ["metadata that is a list", (content) => ({ ...content as Json, metadata: [] })],
  [
    "metadata of another object",
    (content) => ({ ...content as Json, metadata: { name: "other", namespace: "default" } }),
  ],
  ["an error", () => ({ ErrStatus: { reason: "NotFound", code: 404 } })],
  ["the reply wrapper", (content) => ({ Object: content, Err: null })],
];

Deno.test("edgecore takes a pushed object as an object and in no other form, and refuses the rest without harm", async (t) => {
  await using bench = await startBench();
  const { cloud, edge } = bench;
  for (const { type, route, content } of DOWNSTREAM) {
    await t.step(type, async () => {
      for (const [form, make] of FORMS) {
        const message = {
          header: { msgId: crypto.randomUUID(), timestamp: 1 },
          route: { source: "edgecontroller", group: "resource", operation: "update", resource: "", ...route },
          content: make(content),
        };
        const key = message.route.resource;
        const before = bench.stored(key);
        cloud.sendText(printMessage(message));
        await edge.until(
          `${form} is answered`,
          () => cloud.acks(message.header.msgId).length + cloud.refusals(message.header.msgId).length > 0,
        );
        if (
          typeof message.content !== "object" || message.content === null || Array.isArray(message.content)
        ) {
          assert.equal(cloud.acks(message.header.msgId).length, 0, `${form} is not acknowledged`);
          assert.deepEqual(bench.stored(key), before, `${form} is not stored`);
        }
      }
      await bench.healthy();
    });
  }
});
