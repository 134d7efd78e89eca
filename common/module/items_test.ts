import assert from "node:assert/strict";
import { itemsUntil } from "./items.ts";
import { Mailbox } from "./mailbox.ts";
import { survivors } from "./survivors_testing.ts";

Deno.test("itemsUntil() gives the items in order and ends when the mailbox is closed", async () => {
  const mailbox = new Mailbox<number>("test", 4);
  await mailbox.send(1);
  await mailbox.send(2);
  mailbox.close();
  const seen: number[] = [];
  for await (const item of itemsUntil(mailbox, new AbortController().signal)) seen.push(item);
  assert.deepEqual(seen, [1, 2]);
});

Deno.test("itemsUntil() ends at the abort although the mailbox stays open", async () => {
  const mailbox = new Mailbox<number>("test", 4);
  const controller = new AbortController();
  await mailbox.send(1);
  const seen: number[] = [];
  for await (const item of itemsUntil(mailbox, controller.signal)) {
    seen.push(item);
    queueMicrotask(() => controller.abort());
  }
  assert.deepEqual(seen, [1]);
});

Deno.test("itemsUntil() lets go of what it gave", async () => {
  const mailbox = new Mailbox<object>("test", 100);
  const controller = new AbortController();
  const given: WeakRef<object>[] = [];
  const reading = (async () => {
    for await (const item of itemsUntil(mailbox, controller.signal)) given.push(new WeakRef(item));
  })();
  for (let i = 0; i < 100; i++) await mailbox.send({ i });
  assert.ok(await survivors(given) < 5);
  assert.equal(given.length, 100);
  controller.abort();
  await reading;
});
