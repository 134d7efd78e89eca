import assert from "node:assert/strict";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { createLogger } from "../../common/module/mod.ts";
import { Inbound } from "./inbound.ts";

Deno.test("Inbound.take() warns once of messages for each module that is not here, however close they come", async () => {
  const clock = new FakeClock();
  const warned: string[] = [];
  const inbound = new Inbound({
    metaManager: () => Promise.resolve(),
    answer: () => {},
    clock,
    log: createLogger("edgehub", { level: "warning", write: (line) => warned.push(line) }),
    received: new MetricsRegistry().counter("received", "Messages."),
    maxMessageChars: 10_000,
  });
  const push = (group: string) =>
    inbound.take(
      JSON.stringify({ header: {}, route: { group, operation: "update", resource: "membership" } }),
    );
  for (let i = 0; i < 40; i++) {
    push(i % 2 === 0 ? "twin" : "taskmanager");
    await clock.advance(i < 20 ? 10 : 10_000);
  }
  assert.equal(warned.length, 2);
  assert.match(warned[0]!, /the module for twin is not enabled/);
  assert.match(warned[1]!, /the module for taskmanager is not enabled/);
  assert.equal(inbound.length, 0);
});
