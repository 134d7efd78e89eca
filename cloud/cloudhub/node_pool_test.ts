import assert from "node:assert/strict";
import * as fc from "fast-check";
import { NodePool, type PoolItem } from "./node_pool.ts";

let serial = 0;

function item(uid: string, more: Partial<PoolItem> = {}): PoolItem {
  const object = { uid, namespace: "default", name: uid, apiVersion: "v1", kind: "Pod", deleting: false };
  return { id: `m${serial++}`, operation: "update", version: "1", text: `text of ${uid}`, object, ...more };
}

const pool = (window = 1) => new NodePool({ maxCount: 100, maxChars: 10_000, window });

Deno.test("NodePool sends one message at a time and the next after the acknowledgement", () => {
  const p = pool();
  const [a, b] = [item("a"), item("b")];
  p.add("a", a);
  p.add("b", b);
  assert.equal(p.take(0), a);
  assert.equal(p.take(0), undefined);
  assert.equal(p.acknowledge("unknown"), undefined);
  assert.equal(p.acknowledge(a.id), a);
  assert.equal(p.acknowledge(a.id), undefined);
  assert.equal(p.take(0), b);
  p.acknowledge(b.id);
  assert.deepEqual([p.count, p.chars], [0, 0]);
});

Deno.test("NodePool has as many under way as its window", () => {
  const p = pool(2);
  for (const name of ["a", "b", "c"]) p.add(name, item(name));
  assert.ok(p.take(0));
  assert.ok(p.take(0));
  assert.equal(p.take(0), undefined);
});

Deno.test("NodePool keeps the newest of each key in its place", () => {
  const p = pool();
  p.add("a", item("a"));
  p.add("b", item("b"));
  const newer = item("a", { version: "2" });
  p.add("a", newer);
  assert.equal(p.count, 2);
  assert.equal(p.take(0), newer);
});

Deno.test("NodePool sends again every 5 s, four times, then lets others go first", () => {
  const p = pool();
  const [a, b] = [item("a"), item("b")];
  p.add("a", a);
  assert.equal(p.take(0), a);
  p.add("b", b);
  for (let round = 1; round <= 4; round++) {
    assert.deepEqual(p.overdue(round * 5_000 - 1, 0), []);
    assert.deepEqual(p.overdue(round * 5_000, 0), [a]);
  }
  assert.deepEqual(p.overdue(25_000, 0), []);
  assert.equal(p.take(25_000), b);
  p.acknowledge(b.id);
  assert.equal(p.take(25_000), undefined, "it waits its backoff");
  assert.equal(p.take(27_000), a);
  assert.equal(p.acknowledge(a.id), a);
  assert.equal(p.count, 0);
});

Deno.test("NodePool takes an acknowledgement that comes after it gave up", () => {
  const p = pool();
  const a = item("a");
  p.add("a", a);
  p.take(0);
  for (let now = 5_000; now <= 25_000; now += 5_000) p.overdue(now, 0);
  assert.equal(p.acknowledge(a.id), a);
  assert.equal(p.take(1e9), undefined);
  assert.deepEqual([p.count, p.chars], [0, 0]);
});

Deno.test("NodePool does not repeat a message when a newer one waits", () => {
  const p = pool();
  const [old, newer] = [item("a"), item("a", { version: "2" })];
  p.add("a", old);
  p.take(0);
  p.add("a", newer);
  assert.equal(p.take(0), undefined, "the older one is under way");
  assert.deepEqual(p.overdue(5_000, 0), []);
  assert.equal(p.take(5_000), newer);
  assert.equal(p.acknowledge(old.id), undefined);
  assert.equal(p.acknowledge(newer.id), newer);
  assert.equal(p.count, 0);
});

Deno.test("NodePool sends the newer message after the older one was acknowledged", () => {
  const p = pool();
  const [old, newer] = [item("a"), item("a", { version: "2" })];
  p.add("a", old);
  p.take(0);
  p.add("a", newer);
  assert.equal(p.acknowledge(old.id), old);
  assert.equal(p.take(0), newer);
});

Deno.test("NodePool lets replies and messages sent once go first", () => {
  const p = pool();
  const reply = item("r", { operation: "response" });
  const once = item("o", { object: undefined, version: "" });
  p.add("a", item("a"));
  p.add("reply", reply);
  p.addOnce(once);
  assert.equal(p.take(0), once);
  assert.equal(p.take(0), reply);
});

Deno.test("NodePool keeps pushes over a disconnection and drops what nobody waits for", () => {
  const p = pool(3);
  const [a, b] = [item("a"), item("b")];
  p.add("a", a);
  p.add("b", b);
  p.add("reply", item("r", { operation: "response" }));
  p.addOnce(item("o"));
  p.take(0);
  p.take(0);
  p.take(0);
  const newer = item("a", { version: "2" });
  p.add("a", newer);
  p.addOnce(item("o"));
  assert.equal(p.disconnected(), 3, "one sent once, one reply, one that a newer one replaced");
  assert.equal(p.count, 2);
  assert.deepEqual([p.take(0), p.take(0), p.take(0)], [newer, b, undefined]);
});

Deno.test("NodePool refuses what goes over its bounds", () => {
  const p = new NodePool({ maxCount: 2, maxChars: 100, window: 1 });
  assert.ok(p.add("a", item("a", { text: "x".repeat(60) })));
  assert.ok(!p.add("b", item("b", { text: "x".repeat(60) })));
  assert.ok(p.add("a", item("a", { text: "x".repeat(90) })), "in place of the former");
  assert.ok(p.addOnce(item("o", { text: "x" })));
  assert.ok(!p.addOnce(item("o", { text: "x" })));
});

Deno.test("NodePool accounts for everything, whatever happens in whatever order", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), key: fc.nat(4), reply: fc.boolean() }),
    fc.record({ do: fc.constant("once" as const) }),
    fc.record({ do: fc.constant("take" as const) }),
    fc.record({ do: fc.constant("ack" as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.nat(30_000) }),
    fc.record({ do: fc.constant("disconnect" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (steps, window) => {
      const p = new NodePool({ maxCount: 20, maxChars: 1_000, window });
      let now = 0;
      const sent: PoolItem[] = [];
      const newest = new Map<string, PoolItem>();
      for (const s of steps) {
        if (s.do === "add") {
          const key = s.reply ? `reply ${serial}` : `k${s.key}`;
          const one = item(key, s.reply ? { operation: "response" } : {});
          if (p.add(key, one) && !s.reply) newest.set(key, one);
        } else if (s.do === "once") p.addOnce(item("once", { object: undefined }));
        else if (s.do === "take") {
          const taken = p.take(now);
          if (taken !== undefined) sent.push(taken);
        } else if (s.do === "ack") p.acknowledge(sent[s.which]?.id ?? "none");
        else if (s.do === "wait") p.overdue(now += s.ms, 0.5);
        else p.disconnected();
      }
      // Drain: in the end the newest of each key was sent, and nothing is left or miscounted.
      for (let i = 0; i < 500 && p.count > 0; i++) {
        p.overdue(now += 60_000, 0.5);
        for (let one = p.take(now); one !== undefined; one = p.take(now)) {
          sent.push(one);
          p.acknowledge(one.id);
        }
      }
      assert.deepEqual([p.count, p.chars], [0, 0]);
      for (const one of newest.values()) assert.ok(sent.includes(one), `${one.id} was never sent`);
    }),
  );
});

Deno.test("NodePool sends neither what is held nor what came after it, until it is released", () => {
  const p = pool(3);
  const [config, web, answer] = [item("config"), item("web"), item("x", { operation: "response" })];
  p.add("config", config, { held: true });
  p.add("web", web);
  p.add("reply", answer);
  assert.equal(p.take(0), answer);
  assert.equal(p.take(0), undefined);
  p.disconnected();
  assert.equal(p.take(0), undefined, "also over a new connection");
  p.release("config");
  assert.deepEqual([p.take(0), p.take(0)], [config, web]);
  p.release("unknown");
});
