/** Every type of message through the hub, to the module it is for and into what edgecontroller reads, and back to the text it was. */
import assert from "node:assert/strict";
import { deliveryClassOf } from "../../cloud/cloudhub/delivery_class.ts";
import { startHub } from "../../cloud/cloudhub/_testing.ts";
import { decideUpstream } from "../../cloud/cloudhub/upstream.ts";
import { parseRequests, routeMessage } from "../../cloud/edgecontroller/request.ts";
import { findStatusError } from "../../common/errors/mod.ts";
import { type Message, messageToJson, parseMessage, printMessage, withNode } from "../../common/model/mod.ts";
import { Mailbox } from "../../common/module/mod.ts";
import { goText, NODE, UP, type UpRow } from "./cloud_messages.ts";
import { DOWN, JOB } from "./cloud_messages_down.ts";

const wait = () => ({ signal: AbortSignal.timeout(30_000) });

Deno.test("every message of an edge and of a cloud parses, and prints as Go prints it", () => {
  for (const row of [...UP, ...DOWN, JOB]) {
    const text = goText(row, "version" in row ? row.version : undefined);
    assert.equal(printMessage(parseMessage(text)), text, row.name);
  }
});

Deno.test("every message of an edge reaches the module it is for, its content unchanged", async (t) => {
  const boxes = {
    deviceController: new Mailbox<Message>("devices", 16),
    dynamicController: new Mailbox<Message>("dynamic", 16),
    router: new Mailbox<Message>("router", 16),
    taskManager: new Mailbox<Message>("tasks", 16),
  };
  await using hub = await startHub({ clusterCa: "PEM\n" }, {
    deviceController: boxes.deviceController.send,
    dynamicController: boxes.dynamicController.send,
    router: boxes.router.send,
    taskManager: boxes.taskManager.send,
  });
  await using edge = await hub.connect(NODE, { acknowledge: false });
  assert.equal((await hub.upstream.receive(wait()))?.route.operation, "connected");
  for (const row of UP) {
    await t.step(row.name, async () => {
      const text = goText(row);
      const action = decideUpstream(parseMessage(text), NODE);
      assert.equal(action.kind === "forward" ? action.to : action.kind, row.to);
      edge.socket.send(text);
      if (row.to === "clusterCa") {
        const answer = await edge.received.receive(wait());
        assert.equal(answer?.content, "PEM\n");
      }
      const box = row.to === "edgeController"
        ? hub.upstream
        : (boxes as Record<string, Mailbox<Message>>)[row.to];
      if (box === undefined) return;
      const got = await box.receive(wait());
      const named = row.to === "taskManager" ? row.resource : withNode(NODE, row.resource);
      const sent = JSON.parse(text);
      assert.deepEqual(messageToJson(got!), { ...sent, route: { ...sent.route, resource: named } });
    });
  }
  await t.step("and nothing else reaches anybody", async () => {
    edge.socket.send(goText(UP.find(({ resource }) => resource === "k8s/ca.crt")!));
    await edge.received.receive(wait());
    for (const box of [hub.upstream, ...Object.values(boxes)]) assert.equal(box.length, 0);
  });
});

const OWN = UP.filter((row): row is UpRow & { reads: Record<string, unknown> } => row.reads !== undefined);

function read(row: UpRow, content: unknown): Record<string, unknown> {
  const message = parseMessage(goText({ ...row, content }));
  const how = routeMessage(row.resource.split("/")[1]!, row.operation);
  assert.ok(how, row.name);
  const resource = withNode(NODE, row.resource);
  const requests = parseRequests(how, { ...message, route: { ...message.route, resource } });
  assert.equal(requests.length, 1);
  const { kind: _kind, nodeName, namespace: _namespace, name: _name, ...rest } = requests[0]!;
  assert.equal(nodeName, NODE);
  return JSON.parse(JSON.stringify(rest));
}

Deno.test("parseRequests() reads every request of an edge in the form it has on the wire", async (t) => {
  for (const row of OWN) {
    await t.step(row.name, () => {
      const got = read(row, row.content);
      for (const [key, value] of Object.entries(row.reads)) {
        assert.deepEqual(withoutNulls(got[key]), withoutNulls(value), key);
      }
    });
  }
});

Deno.test("parseRequests() reads an object, its JSON in a string, and that in base64 alike", async (t) => {
  for (const row of OWN.filter(({ form }) => form === "object" || form === "json text")) {
    if (row.reads.entry !== undefined || Object.keys(row.reads).length === 0) continue;
    await t.step(row.name, () => {
      const object = typeof row.content === "string" ? JSON.parse(row.content) : row.content;
      const text = JSON.stringify(object);
      const base64 = new TextEncoder().encode(text).toBase64();
      assert.deepEqual(
        [text, base64].map((content) => read(row, content)),
        [object, object].map((o) => read(row, o)),
      );
    });
  }
});

Deno.test("parseRequests() refuses contents of another form with BadRequest", async (t) => {
  const wrong: Array<[string, unknown]> = [
    ["a number", 7],
    ["a truth value", true],
    ["a list of numbers", [1, 2]],
    ["text that is no JSON", "{not json"],
    ["base64 of no JSON", btoa("{not json")],
    ["base64 of bytes that are no text", "/////w=="],
    ["JSON of a list", "[]"],
    ["metadata that is a list", { metadata: [], spec: {}, status: {} }],
    ["metadata that is a text, in a string", '{"metadata":"x"}'],
    ["nested too deep", "[".repeat(300) + "]".repeat(300)],
  ];
  // The rest reads nothing in the content; of patches the API server looks at the parts.
  const readers = OWN.filter(({ reads }) => Object.keys(reads).length > 0);
  const tolerated = new Set(["patch nodepatch, json text", "patch podpatch, json text"]);
  for (const row of readers) {
    await t.step(row.name, () => {
      for (const [name, content] of wrong) {
        if (tolerated.has(row.name) && name.startsWith("metadata")) continue;
        // An empty list of pods reports nothing.
        if ("entry" in row.reads && name === "JSON of a list") continue;
        // DeleteOptions and status reports have no metadata.
        if (
          name.startsWith("metadata") && !("node" in row.reads || "lease" in row.reads || "pod" in row.reads)
        ) continue;
        assert.throws(
          () => read(row, content),
          (error) => findStatusError(error)?.reason === "BadRequest",
          `${row.name}: ${name}`,
        );
      }
    });
  }
});

Deno.test("every message to an edge goes over the wire as it is, without the node, and as often as its class says", async (t) => {
  for (const row of DOWN) {
    await t.step(row.name, () => {
      const { ack, version } = row;
      if (ack === "end") return;
      const message = parseMessage(goText(row, version));
      assert.equal(deliveryClassOf(message, row.resource).kind, ack === "A" ? "acknowledged" : "once");
    });
  }
  await using hub = await startHub();
  await using edge = await hub.connect(NODE);
  const texts: string[] = [];
  edge.socket.on("message", (data) => texts.push(String(data)));
  const uids = new Map<string, number>();
  for (const row of [...DOWN.filter(({ ack }) => ack !== "end"), JOB]) {
    await t.step(`${row.name} ${row.operation} on the wire`, async () => {
      // Every object is another one, and newer: else it would say nothing new.
      const at = uids.size + 100;
      uids.set(`${row.name} ${row.operation}`, at);
      const text = goText(row, row.version).replaceAll('"7"', `"${at}"`)
        .replace(/4000-8000-000000000001/g, `4000-8000-${String(at).padStart(12, "0")}`);
      const message = parseMessage(text);
      const named = row === JOB ? row.resource : withNode(NODE, row.resource);
      await hub.inbox.send({ ...message, route: { ...message.route, resource: named } });
      await edge.received.receive(wait());
      assert.equal(texts.pop(), text);
    });
  }
  await t.step("the end of the Node ends the session and is not sent", async () => {
    const row = DOWN.find(({ ack }) => ack === "end")!;
    const message = parseMessage(goText(row));
    await hub.inbox.send({ ...message, route: { ...message.route, resource: withNode(NODE, row.resource) } });
    assert.equal((await edge.closed).reason, "the node was deleted");
    assert.deepEqual(texts, []);
  });
});

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined)
      .map(([key, inner]) => [key, withoutNulls(inner)]),
  );
}
