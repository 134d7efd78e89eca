import assert from "node:assert/strict";
import { WorkSet } from "./work_set.ts";

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

Deno.test("WorkSet looks at each object once, after the turn in which it was told of", async () => {
  const seen: string[] = [];
  using set = new WorkSet((name) => void seen.push(name), () => false);
  for (const name of ["a", "b", "a"]) set.add(name);
  assert.deepEqual(seen, []);
  await turn();
  assert.deepEqual(seen, ["a", "b"]);
});

Deno.test("WorkSet looks again at what failed and is to be tried again, and at nothing else", () => {
  const seen: string[] = [];
  let broken = true;
  using set = new WorkSet((name) => {
    seen.push(name);
    if (broken) throw new Error(name);
  }, (name) => name === "again");
  for (const name of ["again", "never"]) set.add(name);
  set.retry();
  broken = false;
  set.retry();
  set.retry();
  assert.deepEqual(seen, ["again", "never", "again"]);
});

Deno.test("WorkSet lets others have a turn before what its own work leads to, and ends when disposed", async () => {
  const seen: string[] = [];
  const set: WorkSet = new WorkSet((name) => {
    seen.push(name);
    if (name === "first") set.add("second");
  }, () => false);
  set.add("first");
  await Promise.resolve();
  seen.push("another");
  await turn();
  assert.deepEqual(seen, ["first", "another", "second"]);
  set.add("late");
  set[Symbol.dispose]();
  await turn();
  assert.equal(seen.includes("late"), false);
});
