import assert from "node:assert/strict";
import { covers, createAuthority, createServing } from "./serving_cert.ts";

const NOW = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const NAMES = ["127.0.0.1", "::1", "localhost", "cloud.example"];

Deno.test("covers() holds for a new serving certificate and not for other names, authorities and times", async (t) => {
  const authority = await createAuthority(NOW);
  const pair = await createServing(authority, NAMES, NOW);
  const rows: Array<[name: string, expected: boolean, actual: Promise<boolean>]> = [
    ["its own names", true, covers(pair, authority, NAMES, NOW)],
    ["fewer names", true, covers(pair, authority, ["localhost"], NOW)],
    ["an address in another spelling", true, covers(pair, authority, ["0:0:0:0:0:0:0:1"], NOW)],
    ["one more name", false, covers(pair, authority, [...NAMES, "other.example"], NOW)],
    ["another address", false, covers(pair, authority, ["127.0.0.2"], NOW)],
    ["another authority", false, covers(pair, await createAuthority(NOW), NAMES, NOW)],
    ["near its end", false, covers(pair, authority, NAMES, NOW + (100 * 364 - 29) * DAY_MS)],
  ];
  for (const [name, expected, actual] of rows) {
    await t.step(name, async () => assert.equal(await actual, expected));
  }
});

Deno.test("createServing() makes a pair that a TLS server and a client of the authority take", async () => {
  const authority = await createAuthority(Date.now());
  const { key, certificate: cert } = await createServing(authority, ["127.0.0.1"], Date.now());
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, key, cert, onListen: () => {} },
    () => new Response("ok"),
  );
  using client = Deno.createHttpClient({ caCerts: [authority.certificate] });
  const response = await fetch(`https://127.0.0.1:${server.addr.port}/`, { client });
  assert.equal(await response.text(), "ok");
});
