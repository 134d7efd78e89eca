import assert from "node:assert/strict";
import { StatusError } from "../../common/errors/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { createLogger } from "../../common/module/mod.ts";
import { persist } from "./persist.ts";

function start(work: () => Promise<string>) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const stop = new AbortController();
  const log = createLogger("cloudhub", { write: (line) => lines.push(line) });
  return { clock, lines, stop, result: persist(work, { what: "the CA", clock, log, signal: stop.signal }) };
}

Deno.test("persist() goes on until rights and server are there, and tells each reason once", async () => {
  const failures = [
    ...Array(5).fill(new StatusError("ServiceUnavailable", "nothing listens")),
    ...Array(5).fill(new StatusError("Forbidden", "no right")),
  ];
  const { clock, lines, result } = start(async () => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return "done";
  });
  await clock.advance(600_000);
  assert.equal(await result, "done");
  assert.deepEqual(lines.map((line) => line.replace(/^.*\] /, "")), [
    '"Nodes cannot connect yet, trying again" for="the CA" err="nothing listens"\n',
    '"Nodes cannot connect yet, trying again" for="the CA" err="no right"\n',
  ]);
});

Deno.test("persist() does not repeat what time cannot mend, and ends when told to", async () => {
  const { result } = start(() => Promise.reject(new TypeError("the key does not fit")));
  await assert.rejects(result, /the key does not fit/);
  const other = start(() => Promise.reject(new StatusError("Forbidden", "no right")));
  await other.clock.advance(1_000);
  const reason = new Error("stop");
  other.stop.abort(reason);
  await assert.rejects(other.result, reason);
});
