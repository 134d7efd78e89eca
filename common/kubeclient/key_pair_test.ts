import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { faultOfPair } from "./key_pair.ts";
import { makePair } from "./key_pair_testing.ts";

Deno.test("faultOfPair() finds what the runtime would end the process over, and nothing else", async (t) => {
  const { cert, key } = await makePair();
  const other = await makePair();
  const pem = { type: "pkcs8", format: "pem" } as const;
  const odd = generateKeyPairSync("ec", {
    namedCurve: "secp256k1",
    privateKeyEncoding: pem,
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;
  const cut = `${cert.slice(0, 200)}\n-----END CERTIFICATE-----\n`;
  const rows: Array<[string, string, string, RegExp | undefined]> = [
    ["a pair", cert, key, undefined],
    ["a chain", cert + other.cert, key, undefined],
    ["both in one file, as the kubelet has it", cert + key, cert + key, undefined],
    ["key first", key + cert, key + cert, undefined],
    [
      "text around it",
      `Bag Attributes\n${cert}`,
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${key}`,
      undefined,
    ],
    ["line ends of Windows", cert.replaceAll("\n", "\r\n"), key.replaceAll("\n", "\r\n"), undefined],
    ["the key of another", cert, other.key, /does not belong to the client certificate/],
    ["a certificate that was cut", cut, key, /certificate is not PEM/],
    ["no certificate", "none", key, /certificate is not PEM/],
    ["no key", cert, "none", /key is not PEM/],
    ["in each other's place", key, cert, /certificate is not PEM/],
    ["a curve that TLS does not have", cert, odd, /the key is ec secp256k1; EC P-256/],
  ];
  for (const [name, cert, key, expected] of rows) {
    await t.step(name, async () => {
      const fault = await faultOfPair(cert, key);
      if (expected === undefined) {
        assert.equal(fault, undefined);
        // What is let through is taken.
        Deno.createHttpClient({ cert, key }).close();
      } else assert.match(fault ?? "", expected);
    });
  }
});
