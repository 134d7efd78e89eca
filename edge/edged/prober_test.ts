import assert from "node:assert/strict";
import { initialProbeState, nextProbeState } from "./prober.ts";

Deno.test("nextProbeState() changes its verdict only after as many results as the thresholds ask for", () => {
  const probe = { failureThreshold: 2, successThreshold: 2 };
  let state = initialProbeState("readiness");
  const verdicts = [true, true, false, true, false, false].map((ok) =>
    (state = nextProbeState(state, ok, probe)).passed
  );
  assert.deepEqual(verdicts, [false, true, true, true, true, false]);
});
