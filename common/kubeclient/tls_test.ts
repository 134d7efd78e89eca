import assert from "node:assert/strict";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  type Authority,
  createAuthority,
  createNodeRequest,
  issueServingCertificate,
  type KeyPair,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../pki/mod.ts";
import { StatusError } from "../errors/mod.ts";
import { FakeClock } from "../module/fake_clock.ts";
import { createKubeClient } from "./client.ts";
import { loadKubeConfig } from "./load_kubeconfig.ts";
import { NODES } from "./resources.ts";

const certificatePem = ({ certificate }: KeyPair) => printPem("CERTIFICATE", certificate);

/** Runs `body` against an HTTPS server that asks for client certificates and answers with their common name. */
async function withTlsServer(body: (server: string, authority: Authority) => Promise<void>): Promise<void> {
  const now = Date.now();
  const authority = await loadAuthority(await createAuthority(now));
  const serving = await issueServingCertificate(authority, { dnsNames: [], addresses: ["127.0.0.1"], now });
  const server = https.createServer({
    cert: certificatePem(serving),
    key: printEcKeyPem(serving.key),
    ca: certificatePem(authority),
    requestCert: true,
    rejectUnauthorized: false,
  }, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    response.setHeader("Connection", "close");
    response.end(JSON.stringify({ metadata: { name: peer?.subject?.CN ?? "nobody" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, authority);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

Deno.test("createKubeClient() shows its client certificate", () =>
  withTlsServer(async (server, authority) => {
    const { csr, key } = await createNodeRequest("edge-1");
    const certificate = await signNodeRequest(authority, csr, { now: Date.now(), validityDays: 1 });
    await using client = createKubeClient({
      server,
      ca: certificatePem(authority),
      cert: printPem("CERTIFICATE", certificate),
      key: printEcKeyPem(key),
    });
    const seen = await client.get(NODES, { name: "edge-1" });
    assert.equal(seen.metadata?.name, "system:node:edge-1");
  }));

Deno.test("createKubeClient() refuses a server of another CA and says where the right one goes", () =>
  withTlsServer(async (server) => {
    const other = await loadAuthority(await createAuthority(Date.now()));
    await using client = createKubeClient({ server, ca: certificatePem(other) });
    await assert.rejects(client.get(NODES, { name: "edge-1" }), (error) => {
      assert.ok(error instanceof StatusError);
      assert.equal(error.reason, "ServiceUnavailable");
      assert.match(
        error.message,
        /its certificate is not signed by the CA of its configuration; .*kubectl config view --raw$/,
      );
      return true;
    });
  }));

Deno.test("createKubeClient() says what is wrong with certificates it cannot use", async () => {
  await using client = createKubeClient({ server: "https://127.0.0.1:1", cert: "none", key: "none" });
  await assert.rejects(client.get(NODES, { name: "edge-1" }), /must be PEM and belong together/);
});

Deno.test("createKubeClient() takes the CA and the client certificate that were written into its kubeconfig", () =>
  withTlsServer(async (server, authority) => {
    const base64 = (text: string) => new TextEncoder().encode(text).toBase64();
    const path = await Deno.makeTempFile();
    const write = async (ca: Authority, node: string) => {
      const { csr, key } = await createNodeRequest(node);
      const certificate = await signNodeRequest(authority, csr, { now: Date.now(), validityDays: 1 });
      const cluster = { server, "certificate-authority-data": base64(certificatePem(ca)) };
      const user = {
        "client-certificate-data": base64(printPem("CERTIFICATE", certificate)),
        "client-key-data": base64(printEcKeyPem(key)),
      };
      const config = {
        "current-context": "x",
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster }],
        users: [{ name: "u", user }],
      };
      await Deno.writeTextFile(path, JSON.stringify(config));
    };
    try {
      await write(await loadAuthority(await createAuthority(Date.now())), "edge-1");
      const clock = new FakeClock(Date.now());
      await using client = createKubeClient(await loadKubeConfig({ path }), { clock });
      await assert.rejects(client.get(NODES, { name: "x" }), (error: Error) => {
        assert.ok(
          error.message.includes(
            `its certificate is not signed by clusters[0].cluster.certificate-authority-data of ${path}; take`,
          ),
          error.message,
        );
        return true;
      });
      await write(authority, "edge-2");
      assert.equal((await client.get(NODES, { name: "x" })).metadata?.name, "system:node:edge-2");
      await write(authority, "edge-3");
      await clock.advance(61_000);
      assert.equal((await client.get(NODES, { name: "x" })).metadata?.name, "system:node:edge-3");
    } finally {
      await Deno.remove(path);
    }
  }));
