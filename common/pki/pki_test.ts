import assert from "node:assert/strict";
import * as fc from "fast-check";
import { findStatusError } from "../errors/mod.ts";
import {
  BACKDATED_MS,
  caHash,
  checkTokenForCa,
  createAuthority,
  createJoinToken,
  createNodeRequest,
  type Der,
  ExtendedKeyUsage,
  generateKeys,
  issueServingCertificate,
  keyFormatOf,
  loadAuthority,
  normalizeAddress,
  parseCertificate,
  parseFirstPem,
  parseJoinToken,
  printEcKeyPem,
  printKeyPem,
  printPem,
  signNodeRequest,
  toPkcs8,
  toSec1,
  verifyClientCertificate,
  verifyRequest,
  verifyTokenJwt,
} from "./mod.ts";

const NOW = Date.UTC(2026, 5, 1, 12, 0, 0, 123);
const DAY = 86_400_000;

const authority = async () => loadAuthority(await createAuthority(NOW));

async function nodeCertificate(options: { node?: string; extKeyUsages?: number[] } = {}) {
  const ca = await authority();
  const { csr } = await createNodeRequest(options.node ?? "edge-1");
  const usages = options.extKeyUsages === undefined ? {} : { extKeyUsages: options.extKeyUsages };
  return { ca, certificate: await signNodeRequest(ca, csr, { validityDays: 365, now: NOW, ...usages }) };
}

const refused = (pattern: RegExp) => (error: unknown) => {
  const status = findStatusError(error);
  assert.ok(status, String(error));
  assert.match(status.message, pattern);
  return true;
};

Deno.test("createAuthority() makes the CA upstream makes", async () => {
  const { certificate, key } = await createAuthority(NOW);
  const info = parseCertificate(certificate);
  assert.deepEqual(info.subject, { commonName: "KubeEdge", organizations: [] });
  assert.deepEqual(info.issuer, info.subject);
  assert.equal(info.serialNumber, "0400");
  assert.equal(info.isCa, true);
  assert.deepEqual(info.extendedKeyUsages, [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]);
  assert.equal(info.notBefore, NOW - 123 - BACKDATED_MS);
  assert.equal(info.notAfter - info.notBefore, 36400 * DAY);
  assert.equal(keyFormatOf(key), "sec1");
});

Deno.test("loadAuthority() refuses a key of another CA", async () => {
  const [one, other] = [await createAuthority(NOW), await createAuthority(NOW)];
  await assert.rejects(
    loadAuthority({ certificate: one.certificate, key: other.key }),
    refused(/private key does not belong to its certificate/),
  );
});

Deno.test("loadAuthority() takes the key as PKCS#8 too", async () => {
  const { certificate, key } = await createAuthority(NOW);
  const loaded = await loadAuthority({ certificate, key: toPkcs8(key) });
  assert.deepEqual(toSec1(loaded.key), key);
});

Deno.test("issueServingCertificate() covers names and addresses", async () => {
  const ca = await authority();
  const { certificate } = await issueServingCertificate(ca, {
    dnsNames: ["cloud.example.org", ""],
    addresses: ["192.0.2.7", "2001:DB8:0::1", "host.example.org"],
    now: NOW,
  });
  const info = parseCertificate(certificate);
  assert.deepEqual(info.dnsNames, ["cloud.example.org", "host.example.org"]);
  assert.deepEqual(info.addresses, ["192.0.2.7", "2001:db8::1"]);
  assert.deepEqual(info.subject, { commonName: "KubeEdge", organizations: ["KubeEdge"] });
  assert.deepEqual(info.extendedKeyUsages, [ExtendedKeyUsage.serverAuth]);
  assert.equal(info.isCa, false);
});

Deno.test("signNodeRequest() copies only common name and organization", async () => {
  const { ca, certificate } = await nodeCertificate();
  const info = await verifyClientCertificate(ca.certificate, certificate, NOW);
  assert.deepEqual(info.subject, { commonName: "system:node:edge-1", organizations: ["system:nodes"] });
  assert.deepEqual(info.extendedKeyUsages, [ExtendedKeyUsage.clientAuth]);
  assert.equal(info.notAfter, NOW - 123 - BACKDATED_MS + 365 * DAY);
  assert.match(info.serialNumber, /^[4-7][0-9a-f]{15}$/);
});

Deno.test("signNodeRequest() refuses what it must not sign", async (t) => {
  const ca = await authority();
  const { csr } = await createNodeRequest("edge-1");
  const sign = (request: Der, extKeyUsages?: number[]) =>
    signNodeRequest(ca, request, {
      validityDays: 1,
      now: NOW,
      ...(extKeyUsages === undefined ? {} : { extKeyUsages }),
    });
  const forged = csr.slice();
  const at = new TextDecoder("latin1").decode(forged).indexOf("edge-1");
  forged.set(new TextEncoder().encode("edge-2"), at);
  const nameless = (await createNodeRequest("edge-1")).csr;
  const rows: Array<[string, () => Promise<Der>, RegExp]> = [
    ["nothing", () => sign(new Uint8Array()), /not DER/],
    ["text", () => sign(new TextEncoder().encode("-----BEGIN")), /not DER/],
    ["a request cut short", () => sign(csr.slice(0, csr.length - 9)), /malformed/],
    ["a request changed after signing", () => sign(forged), /not signed with the key it carries/],
    ["no usage", () => sign(nameless, []), /at least one ExtKeyUsage/],
    ["an unknown usage", () => sign(nameless, [2, 99]), /ExtKeyUsage is unknown/],
  ];
  for (const [name, run, pattern] of rows) await t.step(name, () => assert.rejects(run(), refused(pattern)));
});

Deno.test("verifyRequest() never fails with anything but a StatusError", async () => {
  const { csr } = await createNodeRequest("edge-1");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(csr.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      async (changes) => {
        const bytes = csr.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          await verifyRequest(bytes);
        } catch (error) {
          assert.equal(findStatusError(error)?.reason, "BadRequest");
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("verifyClientCertificate() refuses", async (t) => {
  const { ca, certificate } = await nodeCertificate();
  const other = await authority();
  const serving = await issueServingCertificate(ca, { dnsNames: ["a"], addresses: [], now: NOW });
  const server = await nodeCertificate({ extKeyUsages: [1] });
  const changed = certificate.slice();
  changed[changed.length - 1]! ^= 1;
  const rows: Array<[string, Der, Der, number, RegExp]> = [
    ["another CA's certificate", other.certificate, certificate, NOW, /unknown authority/],
    ["a changed signature", ca.certificate, changed, NOW, /unknown authority/],
    ["an expired one", ca.certificate, certificate, NOW + 366 * DAY, /expired at/],
    ["one from the future", ca.certificate, certificate, NOW - DAY, /not valid before/],
    ["a serving certificate", ca.certificate, serving.certificate, NOW, /clientAuth/],
    ["one for servers", server.ca.certificate, server.certificate, NOW, /clientAuth/],
    ["the CA itself", ca.certificate, ca.certificate, NOW, /is a CA certificate/],
    ["something else", ca.certificate, new Uint8Array([1, 2, 3]), NOW, /not DER/],
  ];
  for (const [name, root, leaf, now, pattern] of rows) {
    await t.step(name, () => assert.rejects(verifyClientCertificate(root, leaf, now), refused(pattern)));
  }
});

Deno.test("parseCertificate() and verifyClientCertificate() never fail with anything but a StatusError", async () => {
  const { ca, certificate } = await nodeCertificate();
  const change = fc.tuple(fc.nat(certificate.length - 1), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const bytes = certificate.slice();
      for (const [at, value] of changes) bytes[at] = value;
      const same = bytes.every((byte, i) => byte === certificate[i]);
      try {
        await verifyClientCertificate(ca.certificate, bytes, NOW);
        assert.ok(same, "a changed certificate was accepted");
      } catch (error) {
        assert.ok(findStatusError(error), String(error));
        assert.ok(!same);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseCertificate() reads times before and after 2050, and names beyond ASCII", async () => {
  const ca = await authority();
  const { csr } = await createNodeRequest("édge\nCN=x");
  const certificate = await signNodeRequest(ca, csr, { validityDays: 40 * 365, now: NOW });
  const info = parseCertificate(certificate);
  assert.deepEqual(info.subject, { commonName: "system:node:édge\nCN=x", organizations: ["system:nodes"] });
  assert.equal(info.notAfter, NOW - 123 - BACKDATED_MS + 40 * 365 * DAY);
});

Deno.test("toSec1() and toPkcs8() are inverse and keep the key usable", async () => {
  const keys = await generateKeys();
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const sec1 = toSec1(pkcs8);
  assert.equal(keyFormatOf(sec1), "sec1");
  assert.deepEqual(toPkcs8(sec1), pkcs8);
  assert.deepEqual(toSec1(sec1), sec1);
  assert.deepEqual(parseFirstPem(printEcKeyPem(pkcs8)), { label: "EC PRIVATE KEY", der: sec1 });
  assert.equal(parseFirstPem(printKeyPem(pkcs8)).label, "PRIVATE KEY");
});

Deno.test("keyFormatOf() and toSec1() survive any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    try {
      toSec1(new Uint8Array(bytes));
    } catch (error) {
      assert.equal(findStatusError(error)?.reason, "BadRequest");
    }
  }));
});

Deno.test("parseFirstPem() reads what printPem() wrote, with text around it and Windows line ends", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
    const der = new Uint8Array(bytes);
    const text = `Bag attributes\n${printPem("CERTIFICATE", der).replaceAll("\n", "\r\n")}tail`;
    assert.deepEqual(parseFirstPem(text), { label: "CERTIFICATE", der });
  }));
  assert.throws(() => parseFirstPem("hello"), refused(/no -----BEGIN/));
  assert.throws(() => parseFirstPem("-----BEGIN X-----\n!!\n-----END X-----\n"), refused(/not base64/));
});

Deno.test("normalizeAddress() gives one spelling", () => {
  assert.equal(normalizeAddress("2001:DB8:0:0::1"), "2001:db8::1");
  assert.equal(normalizeAddress("192.0.2.1"), "192.0.2.1");
  assert.equal(normalizeAddress("example.org"), "example.org");
});

Deno.test("createJoinToken() makes a token that parses, verifies and names the CA", async () => {
  const { certificate, key } = await createAuthority(NOW);
  const token = parseJoinToken(` ${await createJoinToken(certificate, key, NOW + DAY)}\n`);
  assert.equal(token.caHash, await caHash(certificate));
  assert.equal(token.expiresAt, NOW + DAY - 123);
  assert.ok(token.jwt.startsWith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
  await verifyTokenJwt(token.jwt, key, NOW);
  await checkTokenForCa(token, certificate);
});

async function jwt(key: Der, header: unknown, claims: unknown, hash: string) {
  const part = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  const signed = `${part(header)}.${part(claims)}`;
  const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash }, false, ["sign"]);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", hmac, new TextEncoder().encode(signed)));
  return `${signed}.${signature.toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

Deno.test("verifyTokenJwt() takes HS384 and HS512 as well", async () => {
  const { key } = await createAuthority(NOW);
  for (const [alg, hash] of [["HS384", "SHA-384"], ["HS512", "SHA-512"]] as const) {
    await verifyTokenJwt(await jwt(key, { alg }, { exp: NOW / 1000 + 60 }, hash), key, NOW);
  }
});

Deno.test("join tokens that are wrong are refused with the fix in the message", async (t) => {
  const ca = await createAuthority(NOW);
  const other = await createAuthority(NOW);
  const text = await createJoinToken(ca.certificate, ca.key, NOW + DAY);
  const good = parseJoinToken(text);
  const encoded = new TextEncoder().encode(text).toBase64();
  const rows: Array<[string, () => unknown, RegExp]> = [
    ["empty", () => parseJoinToken(" \n"), /it is empty: get a new one with: keadm gettoken/],
    ["base64", () => parseJoinToken(encoded), /looks base64-encoded.*base64 -d/],
    ["no CA hash", () => parseJoinToken(good.jwt), /CA hash in front is missing.*keadm gettoken/],
    ["a word", () => parseJoinToken("secret"), /1 parts instead of/],
    ["a wrong hash", () => parseJoinToken(`abc.${good.jwt}`), /not a CA hash of 64/],
    ["a payload that is not JSON", () => parseJoinToken(`${good.caHash}.aa.bb.cc`), /payload is malformed/],
    ["far too long", () => parseJoinToken("a".repeat(9000)), /longer than 8192/],
    ["base64 JWT", () => verifyTokenJwt(encoded, ca.key, NOW), /base64-encoded/],
    ["the whole token as JWT", () => verifyTokenJwt(text, ca.key, NOW), /CA hash in front must not be sent/],
    ["a JWT of two parts", () => verifyTokenJwt("a.b", ca.key, NOW), /does not have three parts/],
    ["another CA's key", () => verifyTokenJwt(good.jwt, other.key, NOW), /signature is invalid/],
    ["expired", () => verifyTokenJwt(good.jwt, ca.key, NOW + 2 * DAY), /expired since 2026-06-02.*gettoken/],
    [
      "alg none",
      async () => verifyTokenJwt(await jwt(ca.key, { alg: "none" }, {}, "SHA-256"), ca.key, NOW),
      /signing method/,
    ],
    [
      "not valid yet",
      async () => verifyTokenJwt(await jwt(ca.key, { alg: "HS256" }, { nbf: NOW }, "SHA-256"), ca.key, NOW),
      /not valid yet/,
    ],
    [
      "another CA answers",
      () => checkTokenForCa(good, other.certificate),
      /does not match the CA certificate.*check the address/,
    ],
  ];
  for (const [name, run, pattern] of rows) {
    await t.step(name, () => assert.rejects(async () => await run(), refused(pattern)));
  }
});

Deno.test("parseJoinToken() survives any text", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
    assert.throws(() => parseJoinToken(text), refused(/Cannot use the join token/));
  }));
});
