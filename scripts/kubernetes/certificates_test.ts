import assert from "node:assert/strict";
import {
  isIssuedBy,
  parseCertificate,
  parseFirstPem,
  verifyClientCertificate,
} from "../../common/pki/mod.ts";
import { parseKubeConfig } from "../../common/kubeclient/kubeconfig.ts";
import { CLIENTS, ensureCertificates, printClientKubeconfig } from "./certificates.ts";

Deno.test("ensureCertificates() makes what the control plane needs, once", async (t) => {
  const directory = await Deno.makeTempDir();
  try {
    const now = Date.now();
    await ensureCertificates(directory, now);
    const der = async (name: string) => parseFirstPem(await Deno.readTextFile(`${directory}/${name}`)).der;
    const ca = await der("ca.crt");

    await t.step("the API server's names its addresses", async () => {
      const certificate = await der("apiserver.crt");
      assert.ok(await isIssuedBy(ca, certificate));
      const { addresses, dnsNames } = parseCertificate(certificate);
      assert.deepEqual(addresses, ["127.0.0.1", "10.96.0.1"]);
      assert.ok(dnsNames.includes("kubernetes.default.svc"));
    });
    await t.step("clients have the names that RBAC knows", async () => {
      for (const [name, client] of Object.entries(CLIENTS)) {
        const { subject } = await verifyClientCertificate(ca, await der(`${name}.crt`), now);
        assert.equal(subject.commonName, client.user);
        assert.deepEqual(subject.organizations, "group" in client ? [client.group] : []);
      }
    });
    await t.step("keys are for their owner only", async () => {
      for await (const { name } of Deno.readDir(directory)) {
        if (!name.endsWith(".key")) continue;
        assert.equal((await Deno.stat(`${directory}/${name}`)).mode! & 0o777, 0o600, name);
      }
    });
    await t.step("a second time changes nothing", async () => {
      await ensureCertificates(directory, now + 1000);
      assert.deepEqual(await der("ca.crt"), ca);
    });
    await t.step("a kubeconfig has the certificate of its user", async () => {
      const text = await printClientKubeconfig(directory, "https://127.0.0.1:6443", "admin");
      const { cluster, user } = parseKubeConfig(text, "admin.kubeconfig");
      assert.equal(cluster.server, "https://127.0.0.1:6443");
      assert.equal(user.certData, await Deno.readTextFile(`${directory}/admin.crt`));
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
