import assert from "node:assert/strict";
import { Limiter } from "./limiter.ts";

Deno.test("Limiter lets no more than its limit run and forgets who gave up", async () => {
  const limiter = new Limiter(2);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const give = new AbortController();
  const runs = gates.map((gate, i) =>
    limiter.run(() => {
      begun.push(i);
      return gate.promise;
    }, i === 2 ? give.signal : undefined)
  );
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1]);
  const refused = assert.rejects(runs[2]!);
  give.abort();
  await refused;
  gates[0]!.resolve();
  await runs[0];
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1, 3]);
  for (const { resolve } of gates) resolve();
  await Promise.all([runs[1], runs[3]]);
});
