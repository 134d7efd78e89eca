import assert from "node:assert/strict";
import { silentLogger } from "../../../common/module/mod.ts";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { dockerRuntime } from "./docker.ts";
import type { Processes } from "./processes.ts";
import { isKind } from "./contract.ts";

/** The value of an option in a command line. */
function option(args: readonly string[], name: string): number {
  return Number(args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3));
}

Deno.test("dockerRuntime.events() goes on where a client's time is over, without a gap", async () => {
  const clock = new FakeClock();
  const begin = clock.now() / 1000;
  const spans: Array<[number, number]> = [];
  const processes: Processes = {
    run: () => Promise.reject(new Error("Not expected")),
    stream: ({ args }) => {
      const until = option(args, "until");
      spans.push([option(args, "since") - begin, until - begin]);
      // The third client ends before its time, as when the engine stops.
      const ending = spans.length < 3
        ? clock.advance((until - clock.now() / 1000) * 1000)
        : Promise.resolve();
      return { chunks: (async function* () {})(), code: ending.then(() => 0) };
    },
  };
  const runtime = dockerRuntime({ processes, clock, log: silentLogger }, { nodeName: "n" });
  await assert.rejects(Array.fromAsync(runtime.events(new AbortController().signal)), isKind("unavailable"));
  assert.deepEqual(spans, [[0, 1800], [1800, 3600], [3600, 5400]]);
});
