import assert from "node:assert/strict";
import { isStaticElf, planDemoImages } from "./demo_image.ts";
import { tar } from "./tar.ts";

Deno.test("planDemoImages() makes archives that depend on nothing but busybox", () => {
  const one = planDemoImages(new Uint8Array([1])).map((plan) => tar(plan.entries));
  const same = planDemoImages(new Uint8Array([1])).map((plan) => tar(plan.entries));
  const other = planDemoImages(new Uint8Array([2])).map((plan) => tar(plan.entries));
  assert.deepEqual(one, same);
  assert.notDeepEqual(one, other);
});

Deno.test("isStaticElf() tells a program with an interpreter from one without", async () => {
  assert.equal(isStaticElf(await Deno.readFile(Deno.execPath())), false);
  assert.equal(isStaticElf(new TextEncoder().encode("#!/bin/sh\n".padEnd(64))), false);
  const elf = new Uint8Array(128);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  const view = new DataView(elf.buffer);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  assert.equal(isStaticElf(elf), true);
  view.setUint32(64, 3, true);
  assert.equal(isStaticElf(elf), false);
});
