/**
 * The quirks of upstream that `reference/cloud-edge-protocol.md` marks [Q]. Those of an edge must do this cloud no harm; those of a
 * cloud this one must not have, and where it has no module for what the quirk is in, that module is refused or nobody suffers.
 */
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { defaultCloudCoreConfig } from "../../cloud/config/mod.ts";
import { checkSupported, idleModules } from "../../cloud/supported.ts";
import { deliveryClassOf } from "../../cloud/cloudhub/delivery_class.ts";
import { join, UpgradeRefused } from "../../cloud/cloudhub/_testing.ts";
import { CONFIG_MAPS, EVENTS, NODES, PODS, SECRETS } from "../../common/kubeclient/mod.ts";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { type Message, newMessage, Operation } from "../../common/model/mod.ts";
import { Mailbox } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { startHub } from "../../cloud/cloudhub/_testing.ts";
import { createNodeRequest, parseJoinToken } from "../../common/pki/mod.ts";
import { InProcessCloud } from "./cloud_in_process.ts";
import { goText, NODE, UID, UP } from "./cloud_messages.ts";
import { nodeOf, podOf } from "./cloud_objects.ts";

interface Quirk {
  /** Section of the reference. */
  section: string;
  /** Whose it is; "unmarked" ones are told there without the mark. */
  of: "edge" | "cloud" | "both" | "unmarked";
  quirk: string;
  act: () => Promise<void>;
}

const seed = (kube: FakeKubeClient) => {
  kube.seed(NODES, nodeOf(NODE));
  const pod = podOf("web", NODE, { envFrom: [{ configMapRef: { name: "settings" } }] });
  kube.seed(PODS, { ...pod, metadata: { ...pod.metadata!, uid: UID } });
  kube.seed(CONFIG_MAPS, { metadata: { namespace: "default", name: "settings" }, data: {} });
};
const start = () => InProcessCloud.start({}, seed);
const row = (name: string) => {
  const found = UP.find((each) => each.name === name);
  assert.ok(found, name);
  return goText(found);
};

const QUIRKS: readonly Quirk[] = [
  {
    section: "1.3",
    of: "cloud",
    quirk: "the join token is not refreshed any more after one failed refresh",
    act: async () => {
      const clock = new FakeClock();
      let failures = 0;
      const kube = new FakeKubeClient({
        now: () => clock.now(),
        intercept: ({ verb, resource }) => {
          if (verb === "update" && resource === "secrets" && failures++ === 0) throw new Error("down");
        },
      });
      await using hub = await startHub({ tokenRefreshHours: 0.05 }, { kube, clock });
      const before = await hub.token();
      // Signing takes real time, however far the clock is moved.
      const expiry = parseJoinToken(before).expiresAt!;
      await settled(async () => {
        await clock.advance(20_000);
        return parseJoinToken(await hub.token()).expiresAt! > expiry;
      });
      assert.ok(failures >= 2);
    },
  },
  {
    section: "1.4",
    of: "cloud",
    quirk: "the status of an old upgrade loses its task and its node",
    act: async () => {
      const tasks = new Mailbox<Message>("tasks", 4);
      await using hub = await startHub({}, { taskManager: tasks.send });
      const body = JSON.stringify({ UpgradeID: "u-1", NodeName: NODE, Status: "upgrade_success" });
      assert.equal((await hub.request("/nodeupgrade", { method: "POST", body })).status, 200);
      assert.equal((await tasks.receive())?.route.resource, `task/u-1/node/${NODE}`);
    },
  },
  {
    section: "1.5",
    of: "cloud",
    quirk: "whatever subject a certificate request has is signed, whoever made it",
    act: async () => {
      await using hub = await startHub();
      const headers = { Authorization: `Bearer ${parseJoinToken(await hub.token()).jwt}`, NodeName: NODE };
      const { csr } = await createNodeRequest("edge-2");
      assert.equal((await hub.request("/edge.crt", { headers, body: csr })).status, 403);
      assert.equal((await join(hub, NODE)).status, 200);
    },
  },
  {
    section: "2.1",
    of: "cloud",
    quirk: "a connection for another use stays open and is never read",
    act: async () => {
      await using cloud = await start();
      for (const use of ["str", ""]) {
        await assert.rejects(
          cloud.connect(NODE, { headers: { ConnectionUse: use } }),
          (error) =>
            error instanceof UpgradeRefused && error.status === 400 && /ConnectionUse/.test(error.text),
        );
      }
    },
  },
  {
    section: "2.1",
    of: "edge",
    quirk: "from its second attempt on edgecore repeats the header ConnectionUse",
    act: async () => {
      await using cloud = await start();
      for (let times = 1; times <= 5; times++) {
        assert.match(await upgradeWith(cloud, "Connectionuse: msg\r\n".repeat(times)), /^HTTP\/1\.1 101 /);
      }
    },
  },
  {
    section: "2.2",
    of: "cloud",
    quirk: "a session that is refused leaves its socket open and is still read",
    act: async () => {
      await using cloud = await start();
      const credentials = await cloud.hub.issue("edge-2");
      await assert.rejects(
        cloud.connect(NODE, { credentials }),
        (error) =>
          error instanceof UpgradeRefused && error.status === 403 && /join it again/.test(error.text),
      );
    },
  },
  {
    section: "2.2",
    of: "cloud",
    quirk: "where nodes are authorized, their events and the states of their jobs are rejected",
    act: async () => {
      const tasks = new Mailbox<Message>("tasks", 4);
      await using cloud = await InProcessCloud.start({ modules: { taskManager: tasks.send } }, seed);
      const edge = await cloud.connect(NODE);
      edge.socket.send(row("insert event"));
      edge.socket.send(row("the state of a node job"));
      assert.equal(
        (await tasks.receive({ signal: AbortSignal.timeout(30_000) }))?.route.operation,
        "UpdateNodeActionStatus",
      );
      await cloud.serves(edge, NODE);
      await settled(() => cloud.kube.peek(EVENTS, "default/web.1") !== undefined);
    },
  },
  {
    section: "2.6",
    of: "edge",
    quirk: "an edge whose connection was ended goes on writing, and reacts only up to 15 s later",
    act: async () => {
      await using cloud = await start();
      const old = await cloud.connect(NODE);
      await cloud.serves(old, NODE);
      // It reads nothing any more, not even that it was ended.
      old.socket.pause();
      const edge = await cloud.connect(NODE);
      const before = cloud.kube.calls.length;
      old.socket.send(row("insert lease"));
      await cloud.serves(edge, NODE);
      const writes = cloud.kube.calls.slice(before).filter(({ verb, resource }) =>
        verb === "create" && resource === "leases"
      );
      assert.deepEqual(writes, []);
      assert.match(cloud.hub.metrics(), /^KubeEdge_CloudHub_connected_nodes 1$/m);
    },
  },
  {
    section: "3.1",
    of: "both",
    quirk: "a byte slice is base64 on the wire, and upstream's reader does not decode it",
    act: async () => {
      await using cloud = await start();
      const edge = await cloud.connect(NODE);
      const options = { gracePeriodSeconds: 0, preconditions: { uid: UID } };
      const { content } = await cloud.ask(edge, "delete", "default/pod/web", btoa(JSON.stringify(options)));
      assert.equal(content, "OK");
      assert.equal(cloud.kube.peek(PODS, "default/web"), undefined);
    },
  },
  {
    section: "4.4",
    of: "cloud",
    quirk: "a device without a model breaks the check of models",
    act: async () => {
      // No module here looks at devices; where one is, it is told in the configuration.
      await Promise.resolve(
        assert.ok(idleModules(defaultCloudCoreConfig()).includes("modules.deviceController")),
      );
    },
  },
  {
    section: "4.5",
    of: "edge",
    quirk: "membership/detail is said again every minute, with the same id, as long as it is not confirmed",
    act: async () => {
      await using cloud = await start();
      const edge = await cloud.connect(NODE);
      const text = row("get membership/detail");
      const answers: string[] = [];
      edge.socket.on("message", (data) => answers.push(String(data)));
      const before = cloud.hub.logged.length;
      for (let times = 0; times < 200; times++) edge.socket.send(text);
      await cloud.serves(edge, NODE);
      const about = cloud.hub.logged.slice(before).filter((line) => line.includes("membership"));
      assert.equal(about.length, 1, "it is told of once");
      assert.ok(!answers.some((answer) => answer.includes(JSON.parse(text).header.msg_id)));
    },
  },
  {
    section: "4.5",
    of: "edge",
    quirk: "an error that is an object is stored by the edge as the object it asked for",
    act: async () => {
      await using cloud = await InProcessCloud.start({}, (kube) => {
        kube.seed(NODES, nodeOf(NODE));
        kube.seed(
          PODS,
          podOf("web", NODE, {
            envFrom: [{ secretRef: { name: "missing" } }, { configMapRef: { name: "gone" } }],
          }),
        );
      });
      const edge = await cloud.connect(NODE);
      for (
        const resource of ["default/secret/missing", "default/configmap/gone", "default/secret/not-allowed"]
      ) {
        const { route, content } = await cloud.ask(edge, "query", resource);
        assert.deepEqual([route.operation, typeof content], [Operation.error, "string"], resource);
      }
      cloud.kube.seed(SECRETS, { metadata: { namespace: "default", name: "missing" }, data: {} });
      const { route } = await cloud.ask(edge, "query", "default/secret/missing");
      assert.equal(route.operation, Operation.response);
    },
  },
  {
    section: "4.5",
    of: "cloud",
    quirk: "the first value of a twin's property is lost",
    act: async () => {
      // Twins are not taken here: the edge is not told "OK", so it keeps the value and says it again.
      await using cloud = await start();
      const edge = await cloud.connect(NODE);
      edge.socket.send(row("a twin report"));
      edge.socket.send(row("a state report"));
      await cloud.serves(edge, NODE);
      assert.match(cloud.hub.metrics(), /rejected_frames_total\{reason="no_module"\} 2/);
    },
  },
  {
    section: "4.5",
    of: "both",
    quirk: "the body of a ServiceBus call is base64, which upstream hands on undecoded",
    act: async () => {
      const router = new Mailbox<Message>("router", 4);
      await using cloud = await InProcessCloud.start({ modules: { router: router.send } }, seed);
      const edge = await cloud.connect(NODE);
      edge.socket.send(row("a call of the service bus"));
      const got = await router.receive({ signal: AbortSignal.timeout(30_000) });
      assert.equal(atob(String(got?.content)), "body");
      await using without = await start();
      const alone = await without.connect(NODE);
      alone.socket.send(row("a call of the service bus"));
      await without.serves(alone, NODE);
    },
  },
  {
    section: "4.5",
    of: "both",
    quirk: "the result of a CSI call is an object where upstream's cloud expects base64",
    act: async () => {
      await using cloud = await start();
      const edge = await cloud.connect(NODE);
      edge.socket.send(row("the result of a CSI call"));
      await cloud.serves(edge, NODE);
    },
  },
  {
    section: "4.6",
    of: "cloud",
    quirk: "a list whose first item is an EndpointSlice is rewritten as a whole",
    act: async () => {
      await Promise.resolve(
        assert.deepEqual(refusals("dynamicController"), ["modules.dynamicController.enable"]),
      );
    },
  },
  {
    section: "5.1",
    of: "cloud",
    quirk: "an object whose name contains a certain word is sent once, acknowledged or not",
    act: async () => {
      for (const word of ["podlist", "membership", "twin", "serviceaccounttoken", "ca.crt"]) {
        const content = { metadata: { namespace: "default", name: word, uid: UID } };
        const route = {
          source: "edgecontroller",
          group: "resource",
          operation: "update",
          resource: `default/configmap/${word}`,
        };
        const message = newMessage(route, content, { resourceVersion: "1" });
        assert.equal(deliveryClassOf(message, route.resource).kind, "acknowledged", word);
      }
      await Promise.resolve();
    },
  },
  {
    section: "5.7",
    of: "cloud",
    quirk: "the jobs of nodes that are connected to another cloudcore are marked as failed",
    act: async () => {
      await Promise.resolve(assert.deepEqual(refusals("taskManager"), ["modules.taskManager.enable"]));
    },
  },
  {
    section: "4.5, note 1",
    of: "unmarked",
    quirk: "the edge acknowledges replies of which nobody keeps account",
    act: async () => {
      await using cloud = await start();
      const edge = await cloud.connect(NODE);
      const reply = await cloud.ask(edge, "query", `kube-node-lease/lease/${NODE}`);
      for (let times = 0; times < 3; times++) {
        edge.send(
          newMessage({ ...reply.route, operation: "response" }, "OK", { parentMsgId: reply.header.msgId }),
        );
      }
      await cloud.serves(edge, NODE);
    },
  },
  {
    section: "2.6",
    of: "unmarked",
    quirk: "the edge holds 100 messages and drops the oldest: more must not be on their way unacknowledged",
    act: async () => {
      await using cloud = await InProcessCloud.start({}, (kube) => {
        kube.seed(NODES, nodeOf(NODE));
        for (let pod = 0; pod < 150; pod++) kube.seed(PODS, podOf(`web-${pod}`, NODE));
      });
      const edge = await cloud.connect(NODE, { acknowledge: false });
      let pushes = 0;
      edge.socket.on("message", (data) => {
        if (!String(data).includes("parent_msg_id")) pushes++;
      });
      for (let asked = 0; asked < 5; asked++) await cloud.serves(edge, NODE);
      assert.equal(pushes, 1);
    },
  },
  {
    section: "2.2",
    of: "unmarked",
    quirk: "edgecore that stops sends messages without anything in them",
    act: async () => {
      await using cloud = await start();
      const edge = await cloud.connect(NODE);
      const before = cloud.hub.logged.length;
      edge.socket.send('{"header":{"msg_id":"","timestamp":0},"route":{},"content":null}\n');
      await cloud.serves(edge, NODE);
      assert.deepEqual(cloud.hub.logged.slice(before).filter((line) => /^[WE]/.test(line)), []);
    },
  },
];

/** How often the reference has the mark. */
const MARKED = 18;

Deno.test("cloudcore comes to no harm by the quirks of upstream's edge, and has none of those of its cloud", async (t) => {
  await t.step("every marked quirk has its row", () => {
    assert.equal(QUIRKS.filter((quirk) => quirk.of !== "unmarked").length, MARKED);
    assert.equal(new Set(QUIRKS.map((quirk) => quirk.quirk)).size, QUIRKS.length);
  });
  for (const quirk of QUIRKS) {
    await t.step(`${quirk.section} (${quirk.of}): ${quirk.quirk}`, () => quirk.act());
  }
});

/** Keys that are refused when a module is turned on. */
function refusals(module: "dynamicController" | "taskManager"): string[] {
  const config = defaultCloudCoreConfig();
  config.modules[module].enable = true;
  const keys: string[] = [];
  checkSupported(config, (key) => keys.push(key));
  return keys;
}

async function settled(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!await holds()) {
    assert.ok(Date.now() < end, "it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The first line of the answer to an upgrade with these header lines. */
async function upgradeWith({ hub }: InProcessCloud, lines: string): Promise<string> {
  const credentials = await hub.issue(NODE);
  return await new Promise((resolve, reject) => {
    const socket = connect(
      { host: "127.0.0.1", port: hub.ports.websocket, ca: hub.ca, ...credentials },
      () => {
        socket.write(
          `GET /p/${NODE}/events HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nNode_id: ${NODE}\r\n` +
            `${lines}Sec-WebSocket-Key: ROj+3PzIxsJRinq5xd5j0A==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
        );
      },
    );
    socket.on("error", reject);
    socket.once("data", (data) => {
      socket.once("close", () => resolve(data.toString().split("\r\n")[0]!));
      socket.destroy();
    });
  });
}
