import assert from "node:assert/strict";
import type { Secret } from "../../common/api/core_v1.ts";
import { FakeKubeClient, type FakeKubeClientOptions } from "../../common/kubeclient/fake_client.ts";
import { NAMESPACES, SECRETS } from "../../common/kubeclient/mod.ts";
import { createLogger, silentLogger } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import {
  createAuthority,
  createNodeRequest,
  issueServingCertificate,
  keyFormatOf,
  loadAuthority,
  parseCertificate,
  parseJoinToken,
  printEcKeyPem,
  printPem,
  signNodeRequest,
  verifyTokenJwt,
} from "../../common/pki/mod.ts";
import { loadCredentials } from "./credentials.ts";
import { type CloudHubOptions, resolveOptions } from "./options.ts";
import { tokenKeeper } from "./token_keeper.ts";

const HOUR = 3_600_000;

function setUp(options: FakeKubeClientOptions = {}) {
  const clock = new FakeClock();
  const kube = new FakeKubeClient({ now: () => clock.now(), ...options });
  return { clock, kube, log: silentLogger };
}

const options = (change: Partial<CloudHubOptions> = {}) =>
  resolveOptions({ advertiseAddress: ["192.0.2.1"], ...change });

const bytes = (kube: FakeKubeClient, name: string, key: string) =>
  Uint8Array.fromBase64(kube.peek(SECRETS, `kubeedge/${name}`)!.data![key]!);

Deno.test("loadCredentials() makes namespace, CA and serving pair, and finds them again", async () => {
  const parts = setUp();
  const first = await loadCredentials(parts, options());
  assert.ok(parts.kube.peek(NAMESPACES, "kubeedge"));
  for (
    const [name, keys] of [["casecret", ["cadata", "cakeydata"]], ["cloudcoresecret", [
      "cloudcoredata",
      "cloudcorekeydata",
    ]]] as const
  ) {
    const secret = parts.kube.peek(SECRETS, `kubeedge/${name}`);
    assert.equal(secret?.type, "Opaque");
    assert.deepEqual(Object.keys(secret?.data ?? {}).sort(), [...keys]);
    assert.equal(keyFormatOf(bytes(parts.kube, name, keys[1])), "sec1");
  }
  const second = await loadCredentials(parts, options());
  assert.deepEqual(second.authority.certificate, first.authority.certificate);
  assert.deepEqual(second.serving, first.serving);
});

Deno.test("loadCredentials() issues a new serving certificate when an address is not covered, keeping the old names", async () => {
  const parts = setUp();
  await loadCredentials(parts, options({ dnsNames: ["one.example.org"] }));
  const { serving } = await loadCredentials(
    parts,
    options({ advertiseAddress: ["192.0.2.2"], dnsNames: ["two.example.org"] }),
  );
  const info = parseCertificate(serving.certificate);
  assert.deepEqual(info.addresses, ["192.0.2.1", "192.0.2.2"]);
  assert.deepEqual(info.dnsNames, ["one.example.org", "two.example.org"]);
  assert.deepEqual(bytes(parts.kube, "cloudcoresecret", "cloudcoredata"), serving.certificate);
  const again = await loadCredentials(parts, options());
  assert.deepEqual(again.serving.certificate, serving.certificate, "the first replica is covered as well");
});

Deno.test("loadCredentials() issues a new serving certificate when it is of another CA", async () => {
  const parts = setUp();
  const before = await loadCredentials(parts, options());
  await parts.kube.delete(SECRETS, { namespace: "kubeedge", name: "casecret" });
  const after = await loadCredentials(parts, options());
  assert.notDeepEqual(after.authority.certificate, before.authority.certificate);
  assert.notDeepEqual(after.serving.certificate, before.serving.certificate);
});

Deno.test("loadCredentials() of two replicas at once end with one CA", async () => {
  const parts = setUp();
  const [a, b] = await Promise.all([
    loadCredentials(parts, options()),
    loadCredentials(parts, options({ advertiseAddress: ["192.0.2.2"] })),
  ]);
  assert.deepEqual(a.authority.certificate, b.authority.certificate);
  assert.deepEqual(bytes(parts.kube, "casecret", "cadata"), a.authority.certificate);
  const stored = parseCertificate(bytes(parts.kube, "cloudcoresecret", "cloudcoredata"));
  assert.deepEqual(stored.addresses.toSorted(), ["192.0.2.1", "192.0.2.2"]);
});

Deno.test("loadCredentials() does not make a new CA when the API fails", async () => {
  const parts = setUp({
    intercept: (call) => {
      if (call.resource === "secrets" && call.verb === "get") throw new Error("no answer");
    },
  });
  await assert.rejects(loadCredentials(parts, options()), /no answer/);
  assert.equal(parts.kube.peek(SECRETS, "kubeedge/casecret"), undefined);
});

Deno.test("loadCredentials() names the secret that cannot be used", async () => {
  const parts = setUp();
  const secret: Secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "kubeedge", name: "casecret" },
    data: { cadata: "AAAA" },
  };
  parts.kube.seed(SECRETS, secret);
  await assert.rejects(
    loadCredentials(parts, options()),
    /secret kubeedge\/casecret: cakeydata is missing; delete/,
  );
});

Deno.test("loadCredentials() takes files before secrets, both of a pair or neither", async () => {
  const parts = setUp();
  const dir = await Deno.makeTempDir();
  try {
    const pair = await createAuthority(parts.clock.now());
    const authority = await loadAuthority(pair);
    const serving = await issueServingCertificate(authority, {
      dnsNames: [],
      addresses: ["192.0.2.1"],
      now: parts.clock.now(),
    });
    const files = {
      tlsCAFile: `${dir}/rootCA.crt`,
      tlsCAKeyFile: `${dir}/rootCA.key`,
      tlsCertFile: `${dir}/server.crt`,
      tlsPrivateKeyFile: `${dir}/server.key`,
    };
    const before = await loadCredentials(parts, options({ files }));
    await Deno.writeTextFile(files.tlsCAFile, printPem("CERTIFICATE", pair.certificate));
    await assert.rejects(
      loadCredentials(parts, options({ files })),
      /tlsCAFile .*rootCA.crt exists but tlsCAKeyFile .*rootCA.key does not; give both files or neither/,
    );
    await Deno.writeTextFile(files.tlsCAKeyFile, printEcKeyPem(pair.key));
    await Deno.writeTextFile(files.tlsCertFile, printPem("CERTIFICATE", serving.certificate));
    await Deno.writeTextFile(files.tlsPrivateKeyFile, printEcKeyPem(serving.key));
    const after = await loadCredentials(parts, options({ files }));
    assert.notDeepEqual(after.authority.certificate, before.authority.certificate);
    assert.deepEqual(after.serving, serving);
    assert.deepEqual(bytes(parts.kube, "casecret", "cadata"), pair.certificate);
    assert.deepEqual(bytes(parts.kube, "cloudcoresecret", "cloudcoredata"), serving.certificate);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("loadCredentials() is not misled by the files of an edgecore on the same machine", async () => {
  const parts = setUp();
  const dir = await Deno.makeTempDir();
  try {
    const files = {
      tlsCAFile: `${dir}/rootCA.crt`,
      tlsCAKeyFile: `${dir}/rootCA.key`,
      tlsCertFile: `${dir}/server.crt`,
      tlsPrivateKeyFile: `${dir}/server.key`,
    };
    const before = await loadCredentials(parts, options({ files }));
    const { csr, key } = await createNodeRequest("edge-1");
    const node = await signNodeRequest(before.authority, csr, { validityDays: 1, now: parts.clock.now() });
    await Deno.writeTextFile(files.tlsCAFile, printPem("CERTIFICATE", before.authority.certificate));
    await Deno.writeTextFile(files.tlsCertFile, printPem("CERTIFICATE", node));
    await Deno.writeTextFile(files.tlsPrivateKeyFile, printEcKeyPem(key));
    const after = await loadCredentials(parts, options({ files }));
    assert.deepEqual(after.authority.certificate, before.authority.certificate);
    assert.deepEqual(after.serving, before.serving);
    assert.deepEqual(bytes(parts.kube, "cloudcoresecret", "cloudcoredata"), before.serving.certificate);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

async function keeperParts(intercept: FakeKubeClientOptions["intercept"] = () => {}) {
  const parts = setUp({ intercept });
  const authority = await loadAuthority(await createAuthority(parts.clock.now()));
  const lines: string[] = [];
  const log = createLogger("cloudhub", { write: (line) => lines.push(line) });
  const keeper = tokenKeeper({ ...parts, log, authority }, { namespace: "kubeedge", refreshHours: 12 });
  const token = () => parseJoinToken(new TextDecoder().decode(bytes(parts.kube, "tokensecret", "tokendata")));
  return { ...parts, authority, keeper, token, lines };
}

Deno.test("tokenKeeper() writes a token for twice the refresh time and keeps a good one", async () => {
  const { keeper, token, clock, authority, lines } = await keeperParts();
  const next = await keeper.refresh();
  assert.equal(next, clock.now() + 12 * HOUR);
  const first = token();
  assert.equal(first.expiresAt, clock.now() + 24 * HOUR);
  await verifyTokenJwt(first.jwt, authority.key, clock.now());
  await clock.advance(HOUR);
  assert.equal(await keeper.refresh(), next);
  assert.equal(token().jwt, first.jwt);
  assert.ok(!lines.join("").includes(first.jwt), "tokens are never logged");
});

Deno.test("tokenKeeper() replaces a token of another CA", async () => {
  const { keeper, token, kube, clock, authority } = await keeperParts();
  await keeper.refresh();
  const other = await loadAuthority(await createAuthority(clock.now()));
  const theirs = tokenKeeper({ kube, clock, log: silentLogger, authority: other }, {
    namespace: "kubeedge",
    refreshHours: 12,
  });
  await theirs.refresh();
  await assert.rejects(verifyTokenJwt(token().jwt, authority.key, clock.now()));
  await verifyTokenJwt(token().jwt, other.key, clock.now());
});

Deno.test("tokenKeeper() goes on refreshing after failures", async () => {
  let broken = false;
  let failures = 0;
  const { keeper, token, clock } = await keeperParts(() => {
    if (!broken) return;
    failures++;
    throw new Error("no answer");
  });
  const controller = new AbortController();
  const running = keeper.run(await keeper.refresh(), controller.signal);
  const first = token().jwt;
  broken = true;
  await clock.advance(13 * HOUR);
  assert.ok(failures > 5, `${failures} tries`);
  broken = false;
  // Signing is not done by the clock: give it real turns.
  while (token().jwt === first) {
    await clock.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(token().expiresAt! > clock.now() + 12 * HOUR);
  controller.abort(new Error("stop"));
  await assert.rejects(running, /stop/);
});
