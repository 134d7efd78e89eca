import assert from "node:assert/strict";
import type { ConfigMap } from "../api/core_v1.ts";
import { keyOf } from "../api/meta_v1.ts";
import { StatusError } from "../errors/mod.ts";
import { FakeClock } from "../module/fake_clock.ts";
import { silentLogger } from "../module/mod.ts";
import { type FakeCall, FakeKubeClient } from "./fake_client.ts";
import { informer, PastLostError } from "./informer.ts";
import { CONFIG_MAPS } from "./resources.ts";
import type { InformerEvent, KubeReader } from "./types.ts";

const map = (name: string, value = "1"): ConfigMap => ({
  metadata: { name, namespace: "default", managedFields: [{ manager: "x" }] },
  data: { value },
});

interface Bench {
  client: FakeKubeClient;
  clock: FakeClock;
  stop: AbortController;
  events: string[];
  copy: ReturnType<typeof informer<ConfigMap>>;
}

async function withInformer(
  body: (bench: Bench) => Promise<void>,
  intercept?: (call: FakeCall) => void,
): Promise<void> {
  const clock = new FakeClock();
  await using client = new FakeKubeClient({ now: () => clock.now(), ...(intercept && { intercept }) });
  const stop = new AbortController();
  const copy = informer(client, CONFIG_MAPS, {}, { log: silentLogger, clock, random: () => 0.5 });
  const events: string[] = [];
  const text = (event: InformerEvent<ConfigMap>) =>
    `${event.type} ${keyOf(event.object)} ${event.object.data?.value}`;
  copy.subscribe((event) => events.push(text(event)));
  const running = copy.run(stop.signal);
  try {
    await body({ client, clock, stop, events, copy });
  } finally {
    stop.abort();
    await running;
  }
}

Deno.test("informer() tells what is there, then what changes, once each", () =>
  withInformer(async ({ client, clock, events, copy, stop }) => {
    client.seed(CONFIG_MAPS, map("a"));
    await copy.waitForSync({ signal: stop.signal });
    assert.deepEqual(events, ["added default/a 1"]);
    await client.update(CONFIG_MAPS, map("a", "2"));
    await client.create(CONFIG_MAPS, map("b"));
    await client.delete(CONFIG_MAPS, { name: "a", namespace: "default" });
    await clock.advance(0);
    assert.deepEqual(events.slice(1), ["updated default/a 2", "added default/b 1", "deleted default/a 2"]);
    assert.deepEqual(copy.list("default").map(keyOf), ["default/b"]);
    assert.equal(copy.list("other").length, 0);
  }));

Deno.test("informer() does not keep managedFields", () =>
  withInformer(async ({ client, copy, stop, clock }) => {
    client.seed(CONFIG_MAPS, map("a"));
    await copy.waitForSync({ signal: stop.signal });
    await client.create(CONFIG_MAPS, map("b"));
    await clock.advance(0);
    for (const object of copy.list()) assert.equal(object.metadata?.managedFields, undefined);
    assert.equal(copy.list().length, 2);
  }));

Deno.test("informer() keeps what `trim` makes of the whole object, of lists and of watches", async () => {
  const clock = new FakeClock();
  await using client = new FakeKubeClient({ now: () => clock.now() });
  const stop = new AbortController();
  const trim = ({ metadata = {} }: ConfigMap): ConfigMap => ({
    metadata,
    data: { managers: `${metadata.managedFields?.length}` },
  });
  const copy = informer(client, CONFIG_MAPS, {}, { log: silentLogger, clock, random: () => 0.5, trim });
  client.seed(CONFIG_MAPS, map("a"));
  const running = copy.run(stop.signal);
  await copy.waitForSync({ signal: stop.signal });
  await client.create(CONFIG_MAPS, map("b"));
  await clock.advance(0);
  assert.deepEqual(copy.list().map(({ data }) => data), [{ managers: "1" }, { managers: "1" }]);
  assert.ok(copy.list().every(({ metadata }) => metadata?.managedFields === undefined));
  stop.abort();
  await running;
});

Deno.test("informer() finds by a new list what it missed while its watch was expired", () =>
  withInformer(async ({ client, clock, events, copy, stop }) => {
    client.seed(CONFIG_MAPS, map("keep"));
    client.seed(CONFIG_MAPS, map("lost"));
    client.seed(CONFIG_MAPS, map("again"));
    await copy.waitForSync({ signal: stop.signal });
    events.length = 0;
    await client.delete(CONFIG_MAPS, { name: "lost", namespace: "default" });
    await client.delete(CONFIG_MAPS, { name: "again", namespace: "default" });
    await client.create(CONFIG_MAPS, map("again", "2"));
    client.compact();
    await clock.advance(0);
    assert.deepEqual(events.sort(), [
      "added default/again 2",
      "deleted default/again 1",
      "deleted default/lost 1",
    ]);
    assert.equal(client.calls.filter((c) => c.verb === "list").length, 2);
  }));

Deno.test("informer() goes on where it was when the server ends the watch", () =>
  withInformer(async ({ client, clock, events, copy, stop }) => {
    client.seed(CONFIG_MAPS, map("a"));
    await copy.waitForSync({ signal: stop.signal });
    await clock.advance(0);
    client.endWatches();
    await clock.advance(60_000);
    await client.update(CONFIG_MAPS, map("a", "2"));
    await clock.advance(0);
    assert.deepEqual(events, ["added default/a 1", "updated default/a 2"]);
    assert.equal(client.calls.filter((c) => c.verb === "list").length, 1);
  }));

Deno.test("informer() waits longer after every failure and survives", async () => {
  let failing = true;
  await withInformer(async ({ client, clock, copy, stop }) => {
    const tries = () => client.calls.length;
    await clock.advance(0);
    assert.equal(tries(), 1);
    await clock.advance(599);
    assert.equal(tries(), 1);
    await clock.advance(2);
    assert.equal(tries(), 2);
    await clock.advance(1198);
    assert.equal(tries(), 2);
    await clock.advance(2);
    assert.equal(tries(), 3);
    failing = false;
    await clock.advance(30_000);
    await copy.waitForSync({ signal: stop.signal });
  }, () => {
    if (failing) throw new StatusError("ServiceUnavailable", "down");
  });
});

Deno.test("informer() reads on soon after a long outage, whatever the server says first", async () => {
  let answer: StatusError | undefined;
  await withInformer(async ({ client, clock, events, copy, stop }) => {
    client.seed(CONFIG_MAPS, map("a"));
    await copy.waitForSync({ signal: stop.signal });
    await clock.advance(0);
    answer = new StatusError("ServiceUnavailable", "down");
    client.endWatches();
    await clock.advance(300_000);
    await client.create(CONFIG_MAPS, map("b"));
    client.compact();
    // Each step until the next try, at the longest backoff, and then no more than the shortest.
    const untilTried = async (limitMs: number) => {
      const before = client.calls.length;
      for (let ms = 0; ms < limitMs && client.calls.length === before; ms += 100) await clock.advance(100);
      assert.notEqual(client.calls.length, before, `not tried within ${limitMs} ms`);
    };
    answer = new StatusError("Forbidden", "no roles yet");
    await untilTried(30_000);
    answer = undefined;
    await untilTried(1000);
    await clock.advance(0);
    assert.deepEqual(events, ["added default/a 1", "added default/b 1"]);
  }, ({ verb }) => {
    if (answer !== undefined && (verb === "list" || verb === "watch")) throw answer;
  });
});

Deno.test("informer() tells of a refusal that lasts, not of one that passes", async () => {
  const clock = new FakeClock();
  const passes = ["Forbidden", "Forbidden", "Forbidden", "ServiceUnavailable"] as const;
  const answers = [...passes, ...Array.from({ length: 6 }, () => "Forbidden" as const)];
  let asked = 0;
  await using client = new FakeKubeClient({
    now: () => clock.now(),
    intercept: () => {
      const reason = answers[asked++];
      if (reason !== undefined) throw new StatusError(reason, "no");
    },
  });
  const stop = new AbortController();
  const told: number[] = [];
  const refused = () => told.push(asked);
  const copy = informer(client, CONFIG_MAPS, {}, { log: silentLogger, clock, random: () => 0.5, refused });
  const running = copy.run(stop.signal);
  try {
    await clock.advance(60_000);
    await copy.waitForSync({ signal: stop.signal });
    assert.deepEqual(told, [9, 10]);
  } finally {
    stop.abort();
    await running;
  }
});

Deno.test("informer() gives a handler that comes late what is known, and none that left anything", () =>
  withInformer(async ({ client, clock, copy, stop }) => {
    client.seed(CONFIG_MAPS, map("a"));
    await copy.waitForSync({ signal: stop.signal });
    const late: string[] = [];
    const leave = copy.subscribe(({ type }) => late.push(type));
    assert.deepEqual(late, ["added"]);
    leave();
    await client.create(CONFIG_MAPS, map("b"));
    await clock.advance(0);
    assert.deepEqual(late, ["added"]);
  }));

Deno.test("informer() keeps one handler's failure from the others", () =>
  withInformer(async ({ client, clock, copy, stop }) => {
    await copy.waitForSync({ signal: stop.signal });
    const seen: string[] = [];
    copy.subscribe(() => {
      throw new TypeError("a mistake");
    });
    copy.subscribe(({ type }) => seen.push(type));
    await client.create(CONFIG_MAPS, map("a"));
    await client.create(CONFIG_MAPS, map("b"));
    await clock.advance(0);
    assert.deepEqual(seen, ["added", "added"]);
  }));

Deno.test("informer() waitForSync() rejects with the reason of its signal", async () => {
  await using client = new FakeKubeClient();
  const copy = informer(client, CONFIG_MAPS, {}, { log: silentLogger, clock: new FakeClock() });
  const reason = new Error("stopped");
  await assert.rejects(copy.waitForSync({ signal: AbortSignal.abort(reason) }), reason);
  const stop = new AbortController();
  const waiting = copy.waitForSync({ signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(copy.synced, false);
});

Deno.test("informer() lists again after an event that cannot be read, and keeps what a malformed list may hold", async () => {
  const clock = new FakeClock();
  const object = (name: string, resourceVersion: string) => ({
    metadata: { namespace: "default", name, uid: name, resourceVersion },
  });
  const lists = [
    { metadata: { resourceVersion: "1" }, items: [object("a", "1"), object("b", "1")] },
    { metadata: { resourceVersion: "2" }, items: [object("b", "2")], malformed: 1 },
    { metadata: { resourceVersion: "3" }, items: [object("b", "2")] },
  ];
  let listed = 0;
  const watchedFrom: string[] = [];
  const client = {
    list: () => Promise.resolve(lists[Math.min(listed++, 2)]),
    // deno-lint-ignore require-yield
    async *watch(
      _type: unknown,
      { resourceVersion, signal }: { resourceVersion: string; signal: AbortSignal },
    ) {
      watchedFrom.push(resourceVersion);
      if (watchedFrom.length < 3) throw new StatusError("InternalError", "Cannot read an event");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    },
  } as unknown as FakeKubeClient;
  const copy = informer(client, CONFIG_MAPS, {}, { log: silentLogger, clock, random: () => 0.5 });
  const stop = new AbortController();
  const running = copy.run(stop.signal);
  const names = () => copy.list().map(({ metadata }) => `${metadata!.name} ${metadata!.resourceVersion}`);
  await clock.advance(0);
  assert.deepEqual(names(), ["a 1", "b 1"]);
  await clock.advance(1_000);
  assert.deepEqual(names(), ["a 1", "b 2"], "a may be what was malformed");
  await clock.advance(3_000);
  assert.deepEqual([names(), watchedFrom], [["b 2"], ["1", "2", "3"]]);
  stop.abort();
  await running;
});

interface Outage {
  ended: Promise<void>;
  stop: () => void;
  /** Field selectors of the lists that succeeded. */
  listed: string[];
  keys: () => string[];
  /** Makes an object and lets the informer see it. */
  add: () => Promise<void>;
}

/** An informer whose server is away for a while and then the one that `after` gives. */
async function outage(after: (before: FakeKubeClient) => FakeKubeClient): Promise<Outage> {
  const clock = new FakeClock();
  const before = new FakeKubeClient({ now: () => clock.now() });
  const listed: string[] = [];
  let server: FakeKubeClient | undefined = before;
  const reached = () => {
    if (server === undefined) throw new StatusError("ServiceUnavailable", "away");
    return server;
  };
  const client: KubeReader = {
    get: (...given) => reached().get(...given),
    list: async (type, selection = {}, options) => {
      const list = await reached().list(type, selection, options);
      listed.push(selection.fieldSelector ?? "");
      return list;
    },
    async *watch(...given) {
      yield* reached().watch(...given);
    },
  };
  before.seed(CONFIG_MAPS, map("a"));
  before.seed(CONFIG_MAPS, map("b"));
  const stop = new AbortController();
  const copy = informer(client, CONFIG_MAPS, {}, { log: silentLogger, clock, random: () => 0.5 });
  const ended = copy.run(stop.signal);
  ended.catch(() => {/* looked at by the test */});
  await copy.waitForSync({ signal: stop.signal });
  await clock.advance(0);
  server = undefined;
  before.endWatches();
  await clock.advance(5_000);
  server = after(before);
  await clock.advance(30_000);
  return {
    ended,
    stop: () => stop.abort(),
    listed,
    keys: () => copy.list().map(keyOf),
    add: async () => {
      await server!.create(CONFIG_MAPS, map("c"));
      await clock.advance(0);
    },
  };
}

Deno.test("informer() ends when the server comes back with an older past", async () => {
  const { ended, keys } = await outage(() => {
    const restored = new FakeKubeClient();
    restored.seed(CONFIG_MAPS, map("a"));
    return restored;
  });
  await assert.rejects(ended, (error) => {
    assert.ok(error instanceof PastLostError);
    assert.match(error.message, /from version 2 to 1/);
    return true;
  });
  assert.deepEqual(keys(), ["default/a", "default/b"]);
});

Deno.test("informer() goes on without a new list when the server comes back as it was", async () => {
  const { ended, stop, listed, keys, add } = await outage((before) => before);
  assert.deepEqual(listed, ["", "metadata.name=nobody.kubeedge.io"]);
  await add();
  assert.deepEqual(keys(), ["default/a", "default/b", "default/c"]);
  stop();
  await ended;
});
