import assert from "node:assert/strict";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { createAuthority, issueServingCertificate, loadAuthority, printPem } from "../pki/mod.ts";
import { createKubeClient } from "./client.ts";
import { CONFIG_MAPS, NAMESPACES } from "./resources.ts";

Deno.test("createKubeClient() answers requests however many watches are open", async () => {
  const now = Date.now();
  const authority = await loadAuthority(await createAuthority(now));
  const { certificate, key } = await issueServingCertificate(authority, {
    dnsNames: [],
    addresses: ["127.0.0.1"],
    now,
  });
  const server = http2.createSecureServer({
    allowHTTP1: true,
    cert: printPem("CERTIFICATE", certificate),
    key: printPem("EC PRIVATE KEY", key),
    settings: { maxConcurrentStreams: 2 },
  }, (request, response) => {
    response.setHeader("Content-Type", "application/json");
    if (request.url.includes("watch=")) {
      const bookmark = { type: "BOOKMARK", object: { metadata: { resourceVersion: "1" } } };
      response.write(`${JSON.stringify(bookmark)}\n`);
    } else response.end(JSON.stringify({ metadata: { name: "default" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = new AbortController();
  {
    await using client = createKubeClient({
      server: `https://127.0.0.1:${port}`,
      ca: printPem("CERTIFICATE", authority.certificate),
      timeoutMs: 5000,
    });
    const watches = Array.from({ length: 5 }, () => {
      const events = client.watch(CONFIG_MAPS, { resourceVersion: "1", signal: stop.signal });
      return events[Symbol.asyncIterator]();
    });
    await Promise.all(watches.map((watch) => watch.next()));
    assert.equal((await client.get(NAMESPACES, { name: "default" })).metadata?.name, "default");
    const ends = watches.map((watch) => watch.next().then(() => "event", () => "ended"));
    stop.abort();
    assert.deepEqual(await Promise.all(ends), ends.map(() => "ended"));
  }
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
