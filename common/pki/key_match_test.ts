import assert from "node:assert/strict";
import { createAuthority, isKeyOf } from "./mod.ts";

Deno.test("isKeyOf() tells the key of a certificate from another one, and refuses what is no key", async () => {
  const a = await createAuthority(Date.UTC(2026, 0, 1));
  const b = await createAuthority(Date.UTC(2026, 0, 1));
  assert.equal(await isKeyOf(a.certificate, a.key), true);
  assert.equal(await isKeyOf(a.certificate, b.key), false);
  await assert.rejects(isKeyOf(a.certificate, new Uint8Array([1, 2, 3])), { name: "StatusError" });
  await assert.rejects(isKeyOf(new Uint8Array([1, 2, 3]), a.key), { name: "StatusError" });
});
