import assert from "node:assert/strict";
import { newMessage } from "../../common/model/mod.ts";
import { fromCloud, fromEdged, type Harness, pod, replyTo, startMetaManager } from "./_harness.ts";
import { judge } from "./outbox.ts";
import { targetUid } from "./outbox_store.ts";

async function inTempDir(act: (databasePath: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await act(`${directory}/edgecore.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function connect(edge: Harness, connected: boolean): Promise<void> {
  await edge.setConnected(connected);
  await edge.edged();
}

const patch = (phase: string, uid = "u1") => JSON.stringify({ metadata: { uid }, status: { phase } });
const podpatch = (phase: string, uid?: string) =>
  fromEdged("patch", "default/podpatch/web", patch(phase, uid));

async function offline(edge: Harness, request = podpatch("Running")): Promise<void> {
  await edge.give(request);
  const answer = await edge.edged();
  assert.equal(answer.route.operation, "error");
  assert.equal(answer.content, "connection lost between EdgeCore and CloudCore");
  assert.equal(answer.header.parentMsgId, request.header.msgId);
}

Deno.test("a status patch without a link is kept over a restart, sent, and forgotten once confirmed", () =>
  inTempDir(async (databasePath) => {
    {
      await using edge = await startMetaManager({ databasePath });
      await offline(edge, podpatch("Pending"));
      await offline(edge, podpatch("Running"));
    }
    {
      await using edge = await startMetaManager({ databasePath });
      await connect(edge, true);
      const sent = await edge.cloud();
      assert.deepEqual(sent.route, {
        source: "edged",
        group: "meta",
        operation: "patch",
        resource: "default/podpatch/web",
      });
      assert.equal(sent.content, patch("Running"), "only the latest is sent");
      assert.equal((await edge.idle()).cloud, 0);
      await edge.give(replyTo(sent, { Object: pod("web", "u1", "8"), Err: null }));
      assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 }, "nobody waits for this reply any more");
    }
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    assert.equal((await edge.idle()).cloud, 0, "it is forgotten");
  }));

Deno.test("a change in flight when the link is lost is sent again", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    await edge.give(podpatch("Running"));
    await edge.cloud();
    await edge.setConnected(false);
    const answers = [await edge.edged(), await edge.edged()];
    assert.ok(answers.some((m) => m.content === "connection lost between EdgeCore and CloudCore"));
    await connect(edge, true);
    assert.equal((await edge.cloud()).content, patch("Running"));
  }));

Deno.test("a change that failed is sent again in time when the clock is set back", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    await edge.give(podpatch("Running"));
    const first = await edge.cloud();
    await edge.give(
      replyTo(first, { Object: null, Err: { ErrStatus: { reason: "InternalError", code: 500 } } }),
    );
    await edge.edged();
    edge.clock.set(edge.clock.now() - 3_600_000);
    await edge.clock.advance(2_000);
    assert.equal((await edge.cloud()).content, patch("Running"));
  }));

Deno.test("that a change cannot be kept on a full disk is told to its sender each time and logged once", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath, databaseLimitBytes: 150_000 });
    let refused = 0;
    for (let i = 0; refused < 5; i++) {
      assert.ok(i < 100, "the limit was never reached");
      await edge.give(fromEdged("patch", `default/podpatch/p${i}`, patch("x".repeat(8000))));
      const { content } = await edge.edged();
      if (/disk is full/.test(String(content))) refused++;
    }
    assert.equal(edge.logged.filter((line) => /Cannot answer a request/.test(line)).length, 1);
  }));

Deno.test("metamanager ends although a change waits behind one that failed", () =>
  inTempDir(async (databasePath) => {
    {
      await using edge = await startMetaManager({ databasePath });
      await connect(edge, true);
      await edge.give(podpatch("Pending"));
      const first = await edge.cloud();
      await edge.give(podpatch("Running"));
      await edge.give(
        replyTo(first, { Object: null, Err: { ErrStatus: { reason: "InternalError", code: 500 } } }),
      );
      assert.equal((await edge.edged()).header.parentMsgId, first.header.msgId);
    }
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    assert.equal((await edge.cloud()).content, patch("Running"), "what waited is kept");
  }));

Deno.test("patches of one pod go one at a time, the latest last, and each sender is answered", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    const requests = [podpatch("Pending"), podpatch("Running"), podpatch("Succeeded")];
    for (const request of requests) await edge.give(request);
    const first = await edge.cloud();
    assert.equal(first.content, patch("Pending"));
    assert.equal((await edge.idle()).cloud, 0, "the next waits for the reply");
    const answered: unknown[] = [];
    await edge.give(replyTo(first, { Object: null, Err: null }));
    answered.push((await edge.edged()).header.parentMsgId);
    const last = await edge.cloud();
    assert.equal(last.content, patch("Succeeded"), "what was replaced is not sent");
    await edge.give(replyTo(last, { Object: null, Err: null }));
    answered.push((await edge.edged()).header.parentMsgId, (await edge.edged()).header.parentMsgId);
    assert.deepEqual(answered, requests.map((r) => r.header.msgId));
    assert.equal((await edge.idle()).cloud, 0);
  }));

Deno.test("a change the cloud refuses for good is told and not sent again; another is, after a while", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    const failure = (reason: string, code: number) => ({
      Object: {},
      Err: { ErrStatus: { status: "Failure", reason, code, message: "no" } },
    });
    await edge.give(podpatch("Running"));
    await edge.give(replyTo(await edge.cloud(), failure("InternalError", 500)));
    assert.deepEqual((await edge.edged()).content, failure("InternalError", 500));
    assert.equal((await edge.idle()).cloud, 0, "not at once");
    await edge.clock.advance(1000);
    const again = await edge.cloud();
    assert.equal(again.content, patch("Running"));
    await edge.give(replyTo(again, failure("NotFound", 404)));
    await edge.clock.advance(600_000);
    assert.equal((await edge.idle()).cloud, 0);
    await connect(edge, false);
    await connect(edge, true);
    assert.equal((await edge.idle()).cloud, 0, "NotFound is final");
  }));

Deno.test("a pod's deletion is kept until confirmed, and dropped when the cloud deletes the pod", () =>
  inTempDir(async (databasePath) => {
    const remove = () =>
      fromEdged("delete", "default/pod/web", { gracePeriodSeconds: 0, preconditions: { uid: "u1" } });
    await using edge = await startMetaManager({ databasePath });
    await edge.give(fromCloud("insert", "default/pod/web", pod("web", "u1", "5")));
    await edge.edged();
    await edge.cloud();
    await offline(edge, remove());
    await offline(edge, podpatch("Running"));
    await connect(edge, true);
    const sent = [await edge.cloud(), await edge.cloud()].sort((a, b) =>
      a.route.operation < b.route.operation ? -1 : 1
    );
    assert.deepEqual(sent.map((m) => m.route.operation), ["delete", "patch"]);
    await edge.give(replyTo(sent[0]!, "OK"));
    await edge.give(fromCloud("delete", "default/pod/web", pod("web", "u1", "6")));
    assert.equal((await edge.cloud()).content, "OK");
    assert.equal((await edge.edged()).route.operation, "delete");
    await connect(edge, false);
    await connect(edge, true);
    assert.equal((await edge.idle()).cloud, 0, "the patch of a deleted pod is not sent again");
  }));

Deno.test("a pod that is deleted meanwhile is not brought back by the reply to its patch", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    await edge.give(fromCloud("insert", "default/pod/web", pod("web", "u1", "5")));
    await edge.cloud();
    await edge.edged();
    await edge.give(podpatch("Running"));
    const sent = await edge.cloud();
    await edge.give(fromCloud("delete", "default/pod/web", pod("web", "u1", "6")));
    await edge.cloud();
    await edge.edged();
    await edge.give(replyTo(sent, { Object: pod("web", "u1", "7"), Err: null }));
    await edge.edged();
    await edge.give(fromEdged("query", "default/pod"));
    assert.deepEqual((await edge.edged()).content, []);
  }));

Deno.test("a change of the pod that comes with the reply to a patch reaches edged", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    await edge.give(fromCloud("insert", "default/pod/web", pod("web", "u1", "5")));
    await edge.cloud();
    await edge.edged();
    const changed = pod("web", "u1", "9");
    const deleting = {
      ...changed,
      metadata: { ...changed.metadata, deletionTimestamp: "2026-01-01T00:01:00Z" },
    };
    await edge.give(podpatch("Running"));
    await edge.give(replyTo(await edge.cloud(), { Object: deleting, Err: null }));
    const messages = [await edge.edged(), await edge.edged()];
    const update = messages.find((m) => m.route.operation === "update");
    assert.equal(update?.route.resource, "default/pod/web");
    assert.deepEqual(update?.content, deleting);
    // The push of the same change was overtaken by the reply; it must not undo anything.
    await edge.give(fromCloud("update", "default/pod/web", pod("web", "u1", "8")));
    assert.equal((await edge.cloud()).content, "OK");
    assert.equal((await edge.idle()).edged, 0);
  }));

Deno.test("a change of the node's labels is confirmed at once and delivered when there is a link", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    const node = { metadata: { name: "edge-1", labels: { a: "b" } } };
    await edge.give(fromEdged("update", "null/node/edge-1", node));
    assert.equal((await edge.edged()).content, "OK");
    await connect(edge, true);
    const sent = await edge.cloud();
    assert.deepEqual([sent.route.operation, sent.content], ["update", node]);
    await edge.give(replyTo(sent, "OK"));
    await connect(edge, false);
    await connect(edge, true);
    assert.equal((await edge.idle()).cloud, 0);
  }));

Deno.test("many changes are sent in a window, none is forgotten", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    for (let i = 0; i < 40; i++) {
      await offline(edge, fromEdged("patch", `default/podpatch/p${i}`, patch("Running", `u${i}`)));
    }
    await connect(edge, true);
    const seen = new Set<string>();
    assert.equal((await edge.idle()).cloud, 16);
    while (seen.size < 40) {
      const sent = await edge.cloud();
      seen.add(sent.route.resource);
      await edge.give(replyTo(sent, { Object: null, Err: null }));
    }
    assert.equal((await edge.idle()).cloud, 0);
  }));

Deno.test("judge() tells what another try can change", () => {
  const request = fromEdged("patch", "a/podpatch/b");
  const reply = (content: unknown, operation = "response") =>
    newMessage({ ...request.route, operation }, content, { parentMsgId: "x" });
  const err = (reason: string) => ({ Object: null, Err: { ErrStatus: { reason, status: "Failure" } } });
  assert.equal(judge(reply("OK")), "taken");
  assert.equal(judge(reply({ Object: {}, Err: null })), "taken");
  assert.equal(judge(reply(err("Conflict"))), "refused");
  assert.equal(judge(reply({ ErrStatus: { reason: "Invalid" } })), "refused");
  assert.equal(judge(reply(err("ServerTimeout"))), "retry");
  assert.equal(judge(reply(err("TooManyRequests"))), "retry");
  assert.equal(judge(reply({ Object: null, Err: {} })), "retry");
  assert.equal(judge(reply("it broke", "error")), "retry");
});

Deno.test("targetUid() finds the UID in patches and deletions, and nothing in the rest", () => {
  assert.equal(targetUid(patch("Running")), "u1");
  assert.equal(targetUid({ preconditions: { uid: "u2" } }), "u2");
  for (const other of ["{", "null", "[]", "", null, 7, [], {}, { metadata: { uid: 3 } }]) {
    assert.equal(targetUid(other), "");
  }
});
