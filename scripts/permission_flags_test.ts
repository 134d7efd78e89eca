import assert from "node:assert/strict";
import { permissionFlags } from "./permission_flags.ts";

Deno.test("permissionFlags() grants what the set names and nothing else", () => {
  assert.deepEqual(
    permissionFlags({ read: true, net: false, env: ["HOME", "PATH"], run: [], sys: ["hostname"] }),
    [
      "--no-prompt",
      "--allow-read",
      "--allow-env=HOME,PATH",
      "--allow-sys=hostname",
    ],
  );
});
