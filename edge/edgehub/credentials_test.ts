import assert from "node:assert/strict";
import {
  type Authority,
  BACKDATED_MS,
  createAuthority,
  createNodeRequest,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../../common/pki/mod.ts";
import { type CredentialFiles, CredentialsError, loadCredentials, saveCredentials } from "./credentials.ts";

const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;

async function newAuthority(): Promise<Authority> {
  return await loadAuthority(await createAuthority(NOW - DAY));
}

async function issue(authority: Authority, nodeName = "edge-1", validityDays = 10) {
  const { csr, key } = await createNodeRequest(nodeName);
  const certificate = await signNodeRequest(authority, csr, { validityDays, now: NOW });
  return {
    ca: printPem("CERTIFICATE", authority.certificate),
    certificate: printPem("CERTIFICATE", certificate),
    key: printEcKeyPem(key),
  };
}

async function inTempDir(act: (files: CredentialFiles, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  const files = {
    tlsCaFile: `${directory}/ca/rootCA.crt`,
    tlsCertFile: `${directory}/certs/server.crt`,
    tlsPrivateKeyFile: `${directory}/certs/server.key`,
  };
  try {
    await act(files, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const refuses = (text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CredentialsError, String(error));
  assert.match(error.message, text);
  return true;
};

Deno.test("saveCredentials() and loadCredentials() agree; the key is its owner's alone", () =>
  inTempDir(async (files) => {
    assert.equal(await loadCredentials(files, "edge-1", NOW), undefined, "nothing there yet");
    const made = await issue(await newAuthority());
    await saveCredentials(files, made);
    const loaded = await loadCredentials(files, "edge-1", NOW);
    assert.deepEqual(loaded, {
      ...made,
      notBefore: NOW - BACKDATED_MS,
      notAfter: NOW - BACKDATED_MS + 10 * DAY,
    });
    assert.equal((await Deno.stat(files.tlsPrivateKeyFile)).mode! & 0o777, 0o600);
    const left = [...Deno.readDirSync(files.tlsCertFile.replace(/\/[^/]*$/, ""))].map((f) => f.name).sort();
    assert.deepEqual(left, ["server.crt", "server.key"], "no temporary files stay");
  }));

Deno.test("saveCredentials() makes an existing key file private", () =>
  inTempDir(async (files) => {
    await Deno.mkdir(files.tlsPrivateKeyFile.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${files.tlsPrivateKeyFile}.new`, "left behind", { mode: 0o644 });
    await Deno.writeTextFile(files.tlsPrivateKeyFile, "old", { mode: 0o644 });
    await saveCredentials(files, await issue(await newAuthority()));
    assert.equal((await Deno.stat(files.tlsPrivateKeyFile)).mode! & 0o777, 0o600);
  }));

Deno.test("loadCredentials() finds the key of a renewal that a power cut interrupted", () =>
  inTempDir(async (files) => {
    const authority = await newAuthority();
    await saveCredentials(files, await issue(authority));
    const renewed = await issue(authority);
    // As the disk is between the renaming of the certificate and that of the key.
    await Deno.writeTextFile(files.tlsCertFile, renewed.certificate);
    await Deno.writeTextFile(`${files.tlsPrivateKeyFile}.new`, renewed.key, { mode: 0o600 });
    assert.equal((await loadCredentials(files, "edge-1", NOW))?.key, renewed.key);
  }));

Deno.test("loadCredentials() tells why stored credentials cannot be used, and the fix", async (t) => {
  const authority = await newAuthority();
  const own = await issue(authority);
  await t.step("for another node", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, await issue(authority, "edge-2"));
      await assert.rejects(
        loadCredentials(files, "edge-1", NOW),
        refuses(/of "system:node:edge-2", but this node is "edge-1".*hostnameOverride.*keadm gettoken/),
      );
    }));
  await t.step("expired", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, own);
      await assert.rejects(
        loadCredentials(files, "edge-1", NOW + 11 * DAY),
        refuses(/expired at 2026-06-10.*clock says 2026-06-12.*keadm gettoken.*set the clock/),
      );
    }));
  await t.step("of another CA", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, {
        ...own,
        ca: printPem("CERTIFICATE", (await newAuthority()).certificate),
      });
      await assert.rejects(
        loadCredentials(files, "edge-1", NOW),
        refuses(/not signed by the CA.*keadm gettoken/),
      );
    }));
  await t.step("no PEM", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, { ...own, certificate: "not a certificate" });
      await assert.rejects(
        loadCredentials(files, "edge-1", NOW),
        refuses(/server\.crt is not a certificate in PEM/),
      );
    }));
  await t.step("too long", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, { ...own, ca: "x".repeat(2 * 1024 * 1024) });
      await assert.rejects(
        loadCredentials(files, "edge-1", NOW),
        refuses(/rootCA\.crt is 2097152 bytes long/),
      );
    }));
  await t.step("key of another certificate: as if there were none", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, { ...own, key: (await issue(authority)).key });
      assert.equal(await loadCredentials(files, "edge-1", NOW), undefined);
    }));
  await t.step("key that is none", () =>
    inTempDir(async (files) => {
      await saveCredentials(files, { ...own, key: "nonsense" });
      assert.equal(await loadCredentials(files, "edge-1", NOW), undefined);
    }));
});
