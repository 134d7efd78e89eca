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

Deno.test("expandVariables() stops where the result is too long", () => {
  const value = "x".repeat(100_000);
  let asked = 0;
  const lookup = () => {
    asked++;
    return value;
  };
  assert.throws(() => expandVariables("$(A)".repeat(4_000), lookup), RangeError);
  assert.equal(asked, 2);
  assert.throws(() => expandVariables("x".repeat(200_000), lookup), RangeError);
  assert.equal(expandVariables("$(A)", lookup), value);
  assert.equal(expandVariables("$(NAME)".repeat(30_000), () => "y"), "y".repeat(30_000));
});
