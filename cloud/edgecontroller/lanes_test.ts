import assert from "node:assert/strict";
import { Lanes, type LanesOptions } from "./lanes.ts";

const each = (number: number) => ({ heartbeat: number, status: number, bulk: number });

const OPTIONS: LanesOptions = {
  workers: each(4),
  workersPerNode: each(2),
  queuePerNode: each(10),
  queueCharsPerNode: 1000,
};

/** Work that ends when told to. */
class Works {
  readonly started: string[] = [];
  #ends = new Map<string, () => void>();

  work = (name: string) => () => {
    this.started.push(name);
    return new Promise<void>((resolve) => this.#ends.set(name, resolve));
  };

  async end(...names: string[]): Promise<void> {
    for (const name of names) this.#ends.get(name)!();
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

Deno.test("Lanes work on one key of a node in order, one at a time", async () => {
  const lanes = new Lanes(OPTIONS);
  const works = new Works();
  for (const name of ["a1", "a2", "b1"]) lanes.push("status", "n", { key: name[0]! }, works.work(name));
  assert.deepEqual(works.started, ["a1", "b1"]);
  await works.end("a1");
  assert.deepEqual(works.started, ["a1", "b1", "a2"]);
  await works.end("a2", "b1");
});

Deno.test("Lanes do not let one node take the workers of others", async () => {
  const lanes = new Lanes(OPTIONS);
  const works = new Works();
  for (const name of ["x1", "x2", "x3", "x4", "x5"]) lanes.push("bulk", "x", { key: name }, works.work(name));
  assert.deepEqual(works.started, ["x1", "x2"]);
  lanes.push("bulk", "y", { key: "y1" }, works.work("y1"));
  assert.deepEqual(works.started, ["x1", "x2", "y1"]);
  await works.end("x1", "x2", "y1");
  await works.end("x3", "x4");
  await works.end("x5");
  assert.deepEqual(works.started, ["x1", "x2", "y1", "x3", "x4", "x5"]);
});

Deno.test("Lanes let nodes take turns when workers are few", async () => {
  const lanes = new Lanes({ ...OPTIONS, workers: each(1) });
  const works = new Works();
  for (const name of ["x1", "x2", "x3"]) lanes.push("bulk", "x", { key: name }, works.work(name));
  for (const name of ["y1", "y2"]) lanes.push("bulk", "y", { key: name }, works.work(name));
  for (const name of ["x1", "x2", "y1", "x3", "y2"]) await works.end(name);
  assert.deepEqual(works.started, ["x1", "x2", "y1", "x3", "y2"]);
});

Deno.test("Lanes do not let heartbeats wait behind bulk", async () => {
  const lanes = new Lanes({ ...OPTIONS, workers: each(1) });
  const works = new Works();
  lanes.push("bulk", "x", { key: "1" }, works.work("bulk"));
  lanes.push("status", "x", { key: "2" }, works.work("status"));
  lanes.push("heartbeat", "x", { key: "3" }, works.work("heartbeat"));
  assert.deepEqual(works.started, ["bulk", "status", "heartbeat"]);
  await works.end("bulk", "status", "heartbeat");
});

Deno.test("Lanes refuse what is too much for one node", async () => {
  const lanes = new Lanes({ ...OPTIONS, workers: each(1), workersPerNode: each(1), queuePerNode: each(2) });
  const works = new Works();
  const pushed = ["1", "2", "3", "4"].map((name) => lanes.push("bulk", "x", { key: name }, works.work(name)));
  assert.deepEqual(pushed, [true, true, true, false]);
  assert.equal(lanes.waiting("bulk"), 2);
  assert.ok(lanes.push("bulk", "y", { key: "5" }, works.work("5")));
  for (const name of ["1", "2", "5", "3"]) await works.end(name);
});

Deno.test("Lanes refuse what is too large for one node, but one may always wait", async () => {
  const lanes = new Lanes({ ...OPTIONS, workers: each(1) });
  const works = new Works();
  const push = (key: string, chars: number) => lanes.push("bulk", "x", { key, chars }, works.work(key));
  assert.deepEqual(
    [push("1", 5000), push("2", 5000), push("3", 1), push("4", 0)],
    [true, true, false, false],
  );
  await works.end("1");
  assert.deepEqual([push("5", 400), push("6", 600), push("7", 1)], [true, true, false]);
  await works.end("2");
  assert.deepEqual([push("8", 400), push("9", 1)], [true, false]);
  for (const name of ["5", "6", "8"]) await works.end(name);
});

Deno.test("Lanes stop() waits for what is at work and starts nothing more", async () => {
  const lanes = new Lanes({ ...OPTIONS, workers: each(1) });
  const works = new Works();
  lanes.push("bulk", "x", { key: "1" }, works.work("1"));
  lanes.push("bulk", "x", { key: "2" }, works.work("2"));
  let stopped = false;
  const stopping = lanes.stop().then(() => stopped = true);
  await Promise.resolve();
  assert.ok(!stopped);
  await works.end("1");
  await stopping;
  assert.deepEqual(works.started, ["1"]);
  assert.ok(!lanes.push("bulk", "x", { key: "3" }, works.work("3")));
});

Deno.test("Lanes refuse numbers they cannot work with", () => {
  assert.throws(() => new Lanes({ ...OPTIONS, workers: each(0) }), RangeError);
  assert.throws(() => new Lanes({ ...OPTIONS, queuePerNode: each(1.5) }), RangeError);
  assert.throws(() => new Lanes({ ...OPTIONS, queueCharsPerNode: 0 }), RangeError);
});
