import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { createLogger } from "../../common/module/mod.ts";
import { startHub, until } from "./_testing.ts";
import { Rivals } from "./rivals.ts";

function rivals() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLogger("cloudhub", { write: (line) => lines.push(line) });
  return { clock, lines, rivals: new Rivals({ clock, log }) };
}

Deno.test("takenOver() tells once, with both addresses and what to do, for as long as it goes on", async () => {
  const { clock, lines, rivals: r } = rivals();
  for (let i = 0; i < 200; i++) {
    r.takenOver("edge-1", i % 2 === 0 ? "10.0.0.1" : "10.0.0.2", i % 2 === 0 ? "10.0.0.2" : "10.0.0.1");
    assert.equal(r.areKnown("edge-1"), i >= 2);
    await clock.advance(60_000);
  }
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!,
    /^W.*node="edge-1" addresses="10\.0\.0\.1, 10\.0\.0\.2" fix="stop edgecore on all but one;/,
  );
  assert.match(lines[0]!, /modules\.edged\.hostnameOverride/);
  await clock.advance(600_000);
  assert.equal(r.areKnown("edge-1"), false);
  for (let i = 0; i < 3; i++) r.takenOver("edge-1", "10.0.0.3", "10.0.0.3");
  assert.equal(lines.length, 2);
  assert.match(lines[1]!, /addresses="both 10\.0\.0\.3"/);
});

Deno.test("takenOver() takes what happens now and then, or to several nodes, for no rivalry", async () => {
  const { clock, lines, rivals: r } = rivals();
  for (let i = 0; i < 10; i++) {
    r.takenOver("edge-1", "10.0.0.1", "10.0.0.2");
    await clock.advance(600_001);
  }
  for (let i = 0; i < 10; i++) r.takenOver(`edge-${i}`, "10.0.0.1", "10.0.0.2");
  assert.deepEqual(lines, []);
});

Deno.test("of two edges that connect again and again under one name is told once, of one whose link breaks never", async (t) => {
  await t.step("edges that are alive", async () => {
    await using hub = await startHub();
    let before = await hub.connect("edge-1");
    for (let i = 0; i < 6; i++) {
      const edge = await hub.connect("edge-1");
      await before.closed;
      before = edge;
      // The hub has seen that the older one is gone before the next one comes.
      await until(
        () => hub.logged.filter((line) => line.includes('"Node disconnected"')).length === i + 1,
        "the older session has ended",
      );
    }
    const told = hub.logged.filter((line) => line.startsWith("W"));
    assert.equal(told.length, 1, told.join(""));
    assert.match(told[0]!, /"Machines keep taking the session of one node .* addresses="both 127\.0\.0\.1"/);
    const coming = hub.logged.filter((line) => line.includes('"Node connected"')).map((line) => line[0]);
    assert.deepEqual(coming, ["I", "I", "I", "I", "D", "D", "D"]);
    before.socket.terminate();
  });
  await t.step("a link that broke", async () => {
    await using hub = await startHub();
    let before = await hub.connect("edge-1");
    for (let i = 0; i < 6; i++) {
      // Nobody reads any more at its other end, as after a change of networks.
      before.socket.pause();
      const edge = await hub.connect("edge-1");
      before.socket.terminate();
      await before.closed;
      before = edge;
      await until(
        () => hub.logged.filter((line) => line.includes('"Node disconnected"')).length === i + 1,
        "the older session has ended",
      );
    }
    assert.deepEqual(hub.logged.filter((line) => line.startsWith("W")), []);
    before.socket.terminate();
  });
});
