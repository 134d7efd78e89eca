import assert from "node:assert/strict";
import { cpuSecondsOf, machineCpuSeconds, median, memoryOf, summary } from "./measure.ts";

Deno.test("median() takes the middle, or the mean of two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(summary([3, 1, 2], "ms", 0), "2 ms (1–3)");
});

Deno.test({
  name: "memoryOf() and cpuSecondsOf() read this process",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { rssKb, anonymousKb } = await memoryOf(Deno.pid);
    assert.ok(rssKb > anonymousKb && anonymousKb > 1000);
    const own = await cpuSecondsOf(Deno.pid);
    const { busy, processors } = await machineCpuSeconds();
    assert.ok(own > 0 && busy > own);
    assert.ok(processors >= 1);
  },
});
