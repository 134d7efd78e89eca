import assert from "node:assert/strict";
import { explain } from "./explain.ts";

Deno.test("explain() names the clock, and what it says, for certificates out of their time", () => {
  const tls = (text: string) =>
    explain(new Error("fetch failed", { cause: new Error(`invalid peer certificate: ${text}`) }));
  assert.match(
    tls(
      "certificate not valid yet: verification time 86400 (UNIX), but certificate is not valid before 1796018653 (1795932253 seconds in future)",
    ),
    /^ \(its certificate is not valid yet by this machine's clock; set .*; here it is 1970-01-02T00:00:00\.000Z\)$/,
  );
  assert.match(
    tls(
      "certificate expired: verification time 4070908800 (UNIX), but certificate is not valid after 1827554656 (2243354144 seconds ago)",
    ),
    /^ \(its certificate has expired by this machine's clock; .*restart cloudcore.*here it is 2099-01-01T00:00:00\.000Z\)$/,
  );
});
