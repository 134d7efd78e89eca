import assert from "node:assert/strict";
import { type Message, messageFromJson } from "../../common/model/mod.ts";
import { fromEdged, startMetaManager } from "./_harness.ts";

interface Frame {
  dir: string;
  message: Message;
}

async function readSession(): Promise<Frame[]> {
  const file = new URL("../../tests/testdata/upstream/v1.23.1/session.jsonl", import.meta.url);
  const lines = (await Deno.readTextFile(file)).trim().split("\n").map((line) => JSON.parse(line));
  return lines.filter((line) => line.json !== undefined)
    .map((line) => ({ dir: line.dir, message: messageFromJson(line.json) }));
}

const isDevice = ({ route }: Message) => route.source === "devicecontroller" || route.group === "twin";

Deno.test("metaManager() acknowledges a recorded session as upstream's edge did and stores the same", async () => {
  const frames = await readSession();
  const directory = await Deno.makeTempDir();
  try {
    await using edge = await startMetaManager({
      databasePath: `${directory}/edgecore.db`,
      nodeName: "edge-ke",
      // Upstream's edge asked for nothing twice in this session either, but for reasons of its own.
      recentMs: 1,
    });
    await edge.setConnected(true);
    await edge.edged();
    /** Ids of requests in the recording to those sent now. */
    const ids = new Map<string, string>();
    const acknowledged = new Set<string>();
    for (const { dir, message } of frames) {
      const { route, header } = message;
      if (dir === "edge->cloud" && route.source === "edged") {
        const request = fromEdged(route.operation, route.resource, message.content);
        await edge.give(request);
        const sent = await edge.cloud();
        assert.deepEqual(sent.route, route, "the request goes out as upstream sent it");
        assert.deepEqual(sent.content, message.content);
        ids.set(header.msgId, sent.header.msgId);
      } else if (dir === "cloud->edge" && !isDevice(message)) {
        const parent = header.parentMsgId === undefined ? undefined : ids.get(header.parentMsgId);
        await edge.give({
          ...message,
          header: parent === undefined ? header : { ...header, parentMsgId: parent },
        });
        await edge.clock.advance(0);
        const recorded = frames.find((f) =>
          f.dir === "edge->cloud" && f.message.header.parentMsgId === header.msgId
        );
        if (recorded === undefined) {
          assert.equal(
            (await edge.idle()).cloud,
            0,
            `${route.operation} ${route.resource} is not acknowledged`,
          );
        } else {
          const ack = await edge.cloud();
          assert.deepEqual(ack.route, recorded.message.route);
          assert.equal(ack.content, recorded.message.content);
          assert.equal(ack.header.parentMsgId, header.msgId);
          acknowledged.add(header.msgId);
        }
        while ((await edge.idle()).edged > 0) await edge.edged();
      }
    }
    assert.equal(acknowledged.size, 43, "every acknowledgement of the recording that is not about a device");

    const ask = async (resource: string) => {
      await edge.give(fromEdged("query", resource));
      return (await edge.edged()).content;
    };
    await edge.setConnected(false);
    await edge.edged();
    assert.deepEqual(await ask("default/pod"), [], "the pod was deleted in the end");
    const node = await ask("default/node/edge-ke") as { kind: string; metadata: { resourceVersion: string } };
    assert.equal(node.kind, "Node");
    assert.equal(node.metadata.resourceVersion, "1461");
    const root = await ask("default/configmap/kube-root-ca.crt") as { metadata: { name: string } };
    assert.equal(root.metadata.name, "kube-root-ca.crt");
    assert.match(String(await ask("default/configmap/web-config")), /not connected/);
    assert.match(String(await ask("default/secret/web-secret")), /not connected/);
    assert.match(
      String(await ask("default/serviceaccounttoken/default")),
      /not connected/,
      "it went with its pod",
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
