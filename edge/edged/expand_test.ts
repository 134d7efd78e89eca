import assert from "node:assert/strict";
import { expandVariables } from "./expand.ts";

Deno.test("expandVariables() replaces what is known and leaves the rest", () => {
  const lookup = (name: string) => ({ A: "1", B: "$(A)" })[name];
  for (
    const [text, expected] of [
      ["$(A)", "1"],
      ["$$(A)", "$(A)"],
      ["$(X)", "$(X)"],
      ["$(B)", "$(A)"],
      ["$", "$"],
      ["$(A", "$(A"],
      ["$$$(A)", "$1"],
    ]
  ) {
    assert.equal(expandVariables(text!, lookup), expected);
  }
  assert.throws(() => expandVariables("$(A)".repeat(9), () => "x".repeat(100_000)), RangeError);
});
