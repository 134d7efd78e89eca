import assert from "node:assert/strict";
import { startControlPlane } from "../testing.ts";
import { ANSWERS, type Answers, ask } from "./record_testing.ts";

/** Keys of objects come in any order. */
function sorted(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(
      value,
      (_, v) =>
        typeof v === "object" && v !== null && !Array.isArray(v)
          ? Object.fromEntries(
            Object.entries(v).sort(([a], [b]) => a < b ? -1 : 1),
          )
          : v,
    ),
  );
}

Deno.test("definitions and objects are refused, pruned and defaulted as the real server did it", async (t) => {
  await using api = await startControlPlane();
  const expected: Answers = JSON.parse(await Deno.readTextFile(ANSWERS));
  const got = await ask((method, path, body) => api.request(method, path, body));
  for (const [name, answer] of Object.entries(expected.crds)) {
    await t.step(`definition: ${name}`, () => assert.deepEqual(sorted(got.crds[name]), sorted(answer)));
  }
  for (const [name, answers] of Object.entries(expected.values)) {
    await t.step(`field: ${name}`, () => assert.deepEqual(sorted(got.values[name]), sorted(answers)));
  }
  await t.step("no case is without an answer of the real server", () => {
    assert.deepEqual(Object.keys(got.crds), Object.keys(expected.crds));
    assert.deepEqual(Object.keys(got.values), Object.keys(expected.values));
  });
});
