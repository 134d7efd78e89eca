import assert from "node:assert/strict";
import { newMessage, printMessage } from "../../common/model/mod.ts";
import { configMapOf, playAll, podIn, type Quirk, runPod, untilGone } from "./edge_bench.ts";
import { type Json, notFound, podOf, statusError } from "./edge_cloud.ts";

/*
 * What upstream's cloud does that is no defect and that an edge could still take badly: order, repetition, missing fields,
 * sizes.
 */

const HABITS: readonly Quirk[] = [
  {
    section: "2.3",
    quirk: "long messages come in pieces, and the same JSON may come as binary",
    act: async ({ cloud, edge, stored }) => {
      const object = configMapOf("long", "5", { data: "x".repeat(20_000) });
      const message = newMessage({
        source: "edgecontroller",
        group: "resource",
        operation: "update",
        resource: "default/configmap/long",
      }, object);
      cloud.sendInPieces(printMessage(message), 4096);
      await edge.until("it is acknowledged", () => cloud.acks(message.header.msgId).length > 0);
      const binary = newMessage(
        { ...message.route, resource: "default/configmap/binary" },
        configMapOf("binary", "5"),
      );
      cloud.sendBinary(new TextEncoder().encode(printMessage(binary)));
      await edge.until("it is acknowledged", () => cloud.acks(binary.header.msgId).length > 0);
      assert.ok(
        stored("default/configmap/long") !== undefined && stored("default/configmap/binary") !== undefined,
      );
    },
  },
  {
    section: "2.4",
    quirk: "control operations of the lane are answered with ack by whoever gets them",
    act: async ({ cloud, edge }) => {
      for (const operation of ["config", "ping", "pong"]) {
        const id = cloud.push(operation, "node", null);
        const [answer] = await edge.until(
          "it is answered",
          () => cloud.acks(id).length > 0 && cloud.acks(id),
        );
        assert.equal(answer!.message.content, "ack");
      }
    },
  },
  {
    section: "2.6",
    quirk: "bursts of more than the hundred messages that upstream's edge can hold",
    act: async ({ cloud, edge }) => {
      const ids = Array.from(
        { length: 400 },
        (_, i) => cloud.push("update", `default/configmap/burst-${i}`, configMapOf(`burst-${i}`, "6")),
      );
      await edge.until("each is acknowledged", () => ids.every((id) => cloud.acks(id).length === 1), {
        stepMs: 200,
      });
    },
  },
  {
    section: "3.1",
    quirk: "the wrapper with an empty error and no object",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const own = cloud.answer;
      cloud.answer = ({ route }) =>
        route.resource.includes("/lease/") || route.operation === "patch"
          ? { content: { Object: null, Err: {} } }
          : undefined;
      podIn(bench, "empty");
      await bench.acknowledged("update", "default/pod/empty", cloud.objects.get("default/pod/empty"));
      await edge.pass(30_000, 500);
      cloud.answer = own;
      await bench.running("empty");
      cloud.push("delete", "default/pod/empty", cloud.objects.get("default/pod/empty"));
      await untilGone(bench, "empty");
    },
  },
  {
    section: "3.1",
    quirk: "AlreadyExists, Conflict and NotFound in the wrapper, with an empty object beside them",
    act: async ({ cloud, edge }) => {
      const own = cloud.answer;
      const errors = [
        statusError("AlreadyExists", 409),
        statusError("Conflict", 409),
        notFound("leases", "edge-1"),
      ];
      let next = 0;
      cloud.answer = ({ route }) =>
        route.resource.includes("/lease/") && next < errors.length
          ? { content: { Object: {}, Err: errors[next++] } }
          : undefined;
      await edge.until("each was met", () => next === errors.length, { stepMs: 500 });
      const count = cloud.requests("update", /lease/).length;
      await edge.until("the lease is renewed", () => cloud.requests("update", /lease/).length > count, {
        stepMs: 500,
      });
      cloud.answer = own;
    },
  },
  {
    section: "5.3",
    quirk: "the same message comes up to five times, and again later; each is acknowledged and done once",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const pod = await runPod(bench, "again");
      const before = await bench.containers("again");
      const message = newMessage({
        source: "edgecontroller",
        group: "resource",
        operation: "update",
        resource: "default/pod/again",
      }, pod);
      for (let i = 0; i < 5; i++) cloud.send(message);
      await edge.until("five acknowledgements", () => cloud.acks(message.header.msgId).length === 5);
      await edge.pass(2000);
      assert.deepEqual(await bench.containers("again"), before);
      const id = cloud.push("delete", "default/pod/again", pod);
      await untilGone(bench, "again");
      cloud.send(
        newMessage(
          { source: "edgecontroller", group: "resource", operation: "delete", resource: "default/pod/again" },
          pod,
          { msgId: id },
        ),
      );
      await edge.until("the second deletion is acknowledged too", () => cloud.acks(id).length === 2);
    },
  },
  {
    section: "5.3",
    quirk: "versions are skipped, and an older one comes after a newer one",
    act: async ({ acknowledged, stored }) => {
      await acknowledged("update", "default/configmap/order", configMapOf("order", "90", { a: "new" }));
      await acknowledged("update", "default/configmap/order", configMapOf("order", "12", { a: "old" }));
      assert.deepEqual(stored("default/configmap/order")?.data, { a: "new" });
    },
  },
  {
    section: "5.3",
    quirk: "the two queues have no order: a pod is deleted before the answer to its status comes",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const own = cloud.answer;
      const held: Array<() => void> = [];
      cloud.answer = (request) => {
        if (!request.route.resource.includes("/podpatch/late")) return undefined;
        held.push(() =>
          cloud.send(
            newMessage(
              { ...request.route, source: "edgecontroller", group: "resource", operation: "response" },
              { Object: podOf("late", { version: "999999" }), Err: null },
              { parentMsgId: request.header.msgId },
            ),
          )
        );
        return "silence";
      };
      const pod = podIn(bench, "late");
      await bench.acknowledged("update", "default/pod/late", pod);
      await edge.until("its status is on its way", () => held.length > 0);
      await bench.acknowledged("delete", "default/pod/late", pod);
      for (const release of held) release();
      await untilGone(bench, "late");
      assert.equal(bench.stored("default/pod/late"), undefined, "the answer does not bring it back");
      cloud.answer = own;
    },
  },
  {
    section: "5.4",
    quirk: "objects whose version is 0, missing or no number",
    act: async ({ acknowledged, stored }) => {
      for (const version of ["0", "", "abc"]) {
        await acknowledged(
          "update",
          "default/configmap/version",
          configMapOf("version", version, { version }),
        );
        assert.deepEqual(
          stored("default/configmap/version")?.data,
          { version },
          `version ${JSON.stringify(version)} is taken`,
        );
      }
      const { metadata: { resourceVersion: _, ...metadata }, ...rest } = configMapOf("version", "") as {
        metadata: Json;
      };
      await acknowledged("update", "default/configmap/version", { ...rest, metadata });
    },
  },
  {
    section: "5.5",
    quirk:
      "deletions with metadata only, without kind, with null, for what is not there, and for an earlier UID",
    act: async (bench) => {
      const { acknowledged } = bench;
      await acknowledged("update", "default/configmap/del", configMapOf("del", "7"));
      await acknowledged("delete", "default/configmap/del", {
        metadata: { namespace: "default", name: "del", uid: "uid-of-an-earlier-one" },
      });
      assert.ok(bench.stored("default/configmap/del") !== undefined, "an earlier object of the name");
      await acknowledged("delete", "default/configmap/del", {
        metadata: { namespace: "default", name: "del", uid: "uid-del" },
      });
      assert.equal(bench.stored("default/configmap/del"), undefined);
      await acknowledged("delete", "default/configmap/del", null);
      await acknowledged("delete", "default/configmap/never", {
        metadata: { namespace: "default", name: "never", uid: "u" },
      });
      await acknowledged("delete", "default/pod/witness", {
        metadata: { namespace: "default", name: "witness", uid: "uid-of-an-earlier-one" },
      });
      await acknowledged("delete", "default/pod/never", {});
    },
  },
  {
    section: "5.5",
    quirk:
      "SyncController deletes what it cannot find (VolumeAttachment), and sends devices under the source edgecontroller",
    act: async ({ acknowledged }) => {
      await acknowledged("delete", "default/volumeattachment/va", {
        metadata: { namespace: "default", name: "va", uid: "u" },
      });
      await acknowledged("update", "default/device/d", { ...configMapOf("d", "8"), kind: "Device" });
    },
  },
  {
    section: "5.6",
    quirk: "nothing is replayed after a reconnect, and a status that was not answered is not asked for",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const own = cloud.answer;
      cloud.answer = ({ route }) => route.resource.includes("/podpatch/cut") ? "silence" : undefined;
      const pod = podIn(bench, "cut");
      await bench.acknowledged("update", "default/pod/cut", pod);
      await edge.until(
        "its status is on its way",
        () => cloud.requests("patch", "default/podpatch/cut").length > 0,
      );
      const before = cloud.sessions;
      cloud.cut();
      cloud.answer = own;
      await edge.until("it is back", () => cloud.sessions > before && cloud.connected, { stepMs: 200 });
      await bench.running("cut");
      cloud.push("delete", "default/pod/cut", pod);
      await untilGone(bench, "cut");
    },
  },
  {
    section: "6.2",
    quirk: "a deletion that names the pod and nothing else",
    act: async (bench) => {
      await runPod(bench, "named");
      await bench.acknowledged("delete", "default/pod/named", {
        metadata: { name: "named", namespace: "default" },
      });
      await untilGone(bench, "named");
      assert.equal(bench.stored("default/pod/named"), undefined);
    },
  },
  {
    section: "6.2",
    quirk: "the answer to a deletion comes without the deletion itself, since the edge was away",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const pod = await runPod(bench, "ends");
      const ending = {
        ...pod,
        metadata: {
          ...pod.metadata as Json,
          resourceVersion: cloud.nextVersion(),
          deletionTimestamp: new Date(edge.clock.now()).toISOString(),
          deletionGracePeriodSeconds: 1,
        },
      };
      cloud.objects.set("default/pod/ends", ending);
      await bench.acknowledged("update", "default/pod/ends", ending);
      await edge.until("it is deleted", () => cloud.requests("delete", "default/pod/ends").length > 0);
      const { content } = cloud.requests("delete", "default/pod/ends")[0]!;
      assert.deepEqual(content, { gracePeriodSeconds: 0, preconditions: { uid: "uid-ends" } });
      await untilGone(bench, "ends");
      await bench.acknowledged("delete", "default/pod/ends", {
        metadata: { namespace: "default", name: "ends", uid: "uid-ends" },
      });
    },
  },
  {
    section: "6.3",
    quirk: "lists that are null, as Go prints an empty slice",
    act: async (bench) => {
      const pod = podIn(bench, "nulls");
      const spec = {
        ...pod.spec as Json,
        initContainers: null,
        volumes: null,
        tolerations: null,
        imagePullSecrets: null,
        containers: [{
          name: "main",
          image: "busybox:1",
          imagePullPolicy: "IfNotPresent",
          env: null,
          ports: null,
          command: null,
          volumeMounts: null,
        }],
      };
      const nulls = { ...pod, spec, status: { conditions: null, containerStatuses: null } };
      bench.cloud.objects.set("default/pod/nulls", nulls);
      await bench.acknowledged("update", "default/pod/nulls", nulls);
      await bench.running("nulls");
      bench.cloud.push("delete", "default/pod/nulls", nulls);
      await untilGone(bench, "nulls");
    },
  },
  {
    section: "6.1",
    quirk: "huge objects: a megabyte of managedFields, ten thousand keys",
    act: async ({ acknowledged, stored }) => {
      const data = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, "v"]));
      const object = configMapOf("huge", "9", data);
      object.metadata = { ...object.metadata as Json, managedFields: [{ fieldsV1: "x".repeat(1 << 20) }] };
      await acknowledged("update", "default/configmap/huge", object);
      assert.equal(Object.keys(stored("default/configmap/huge")?.data as Json).length, 10_000);
    },
  },
  {
    section: "4.2",
    quirk: "groups and resources that nobody here takes, and kinds that do not fit their resource",
    act: async ({ cloud, edge }) => {
      for (
        const group of [
          "twin",
          "user",
          "func",
          "taskmanager",
          "nodeupgradejobcontroller",
          "meta",
          "edged",
          "",
          "hub",
        ]
      ) {
        cloud.push("update", "default/podstatus", [], { group });
        cloud.push("delete", "default/pod/witness", podOf("witness"), {
          group: group === "func" ? "none" : group,
        });
      }
      cloud.push("update", "default/pod/witness", { ...configMapOf("witness", "99999") });
      cloud.push("update", "default/pod/witness", podOf("other", { version: "99999" }));
      cloud.push("query", "default/pod/witness", null);
      cloud.push("patch", "default/pod/witness", {});
      await edge.pass(300);
    },
  },
  {
    section: "6.4",
    quirk:
      "the node was deleted: the session ends without a word, and nothing but the edge can make it again",
    act: async (bench) => {
      const { cloud, edge } = bench;
      const before = cloud.requests("insert", "null/node/edge-1").length;
      cloud.objects.delete("null/node/edge-1");
      cloud.cut();
      await edge.until(
        "it registers again",
        () => cloud.requests("insert", "null/node/edge-1").length > before,
        { stepMs: 500, limitMs: 400_000 },
      );
      await edge.until("and is there", () => cloud.objects.has("null/node/edge-1"));
    },
  },
];

Deno.test("edgecore comes to no harm by what upstream's cloud does every day", (t) => playAll(t, HABITS));
