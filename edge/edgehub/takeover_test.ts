import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { TAKEN_OVER_CODE, TAKEN_OVER_REASON, YIELD_HEADER } from "../../common/model/mod.ts";
import { startEdgeHub } from "./_harness.ts";
import { TestCloud } from "./_test_cloud.ts";

/** Moves the clock until something has come about. */
async function advancing<T>(clock: FakeClock, happens: Promise<T>, stepMs: number): Promise<T> {
  let over = false;
  const done = happens.finally(() => over = true);
  while (!over) {
    await clock.advance(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await done;
}

Deno.test("edgeHub() yields to another edgecore of its name, says what to do, and comes back when that one is gone", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const clock = new FakeClock(Date.now());
    await using cloud = await TestCloud.start();
    await using hub = await startEdgeHub(cloud.options(directory, { token: await cloud.token() }), clock);
    const first = await cloud.session();
    assert.equal(first.headers[YIELD_HEADER], undefined);
    first.socket.close(TAKEN_OVER_CODE, TAKEN_OVER_REASON);
    const line = await hub.log("Another edgecore connected as this node");
    assert.match(line, /^E.*hostnameOverride.*join it with a new token/);
    const before = clock.now();
    const second = await advancing(clock, cloud.session(), 1_000);
    assert.ok(clock.now() - before >= 30_000, "it is in no hurry");
    assert.equal(second.headers[YIELD_HEADER], "1");

    // Let in again it is as good as any other, and comes back at once when its link breaks.
    await hub.metaManager();
    second.socket.terminate();
    const third = await advancing(clock, cloud.session(), 1_000);
    assert.equal(third.headers[YIELD_HEADER], undefined);
    assert.equal(hub.logged.filter((text) => text.includes("Another edgecore")).length, 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("edgeHub() tells what the reason may be when a cloud ends its links without a word, again and again", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const clock = new FakeClock(Date.now());
    await using cloud = await TestCloud.start();
    await using hub = await startEdgeHub(cloud.options(directory, { token: await cloud.token() }), clock);
    const hints = () =>
      hub.logged.filter((line) => /^E.*Perhaps two edgecores run as node edge-1/.test(line));
    const waits: number[] = [];
    for (let link = 1; link <= 6; link++) {
      const before = clock.now();
      const session = await advancing(clock, cloud.session(), 1_000);
      waits.push(clock.now() - before);
      while (hub.logged.filter((line) => line.includes("Connected to the cloud")).length < link) {
        await hub.metaManager();
      }
      assert.equal(hints().length, link <= 4 ? 0 : 1);
      session.socket.terminate();
    }
    assert.ok(waits[5]! > 5_000, "it comes back more slowly each time");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
