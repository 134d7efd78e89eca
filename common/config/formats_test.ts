import fc from "fast-check";
import assert from "node:assert/strict";
import { isIP } from "node:net";
import {
  ABSOLUTE_PATH,
  DNS_LABEL_NAME,
  DNS_SUBDOMAIN,
  HOST_PORT,
  IP_ADDRESS,
  IP_PORT,
  QUANTITY,
  QUANTITY_OR_PERCENT,
  splitHostPort,
  UNIX_SOCKET,
  urlOf,
} from "./formats.ts";

const URL_FORMAT = urlOf("tcp", "https");

const ROWS = {
  ABSOLUTE_PATH: [ABSOLUTE_PATH, ["/", "/etc/kubeedge", "/a/..b"], ["etc", "", "/a/../b", "/a/..", "/a\0b"]],
  DNS_SUBDOMAIN: [
    DNS_SUBDOMAIN,
    ["a", "edge-1", "a.b-c.d", "1"],
    ["", "Edge", "-a", "a-", "a..b", "a_b", "../x", "a".repeat(254)],
  ],
  DNS_LABEL_NAME: [DNS_LABEL_NAME, ["default", "a1"], ["a.b", "A", "a".repeat(64), ""]],
  IP_ADDRESS: [IP_ADDRESS, [
    "127.0.0.1",
    "::1",
    "0.0.0.0",
    "255.249.199.99",
    "fd00::1:2",
    "::ffff:1.2.3.4",
    "::",
  ], [
    "localhost",
    "1.2.3",
    "256.1.1.1",
    "1.2.3.4:5",
    "01.2.3.4",
    "1.2.3.4.5",
    "",
    ":",
    ":::",
    "1::2::3",
    "fe80::1%eth0",
    "[::1]",
    "12345::",
  ]],
  HOST_PORT: [
    HOST_PORT,
    ["cloud:10000", "10.0.0.1:1", "[::1]:65535"],
    ["cloud", "cloud:0", "cloud:65536", ":1", "::1:80", "[cloud]:1", "u@cloud:1", "a b:1", "https://cloud:1"],
  ],
  IP_PORT: [IP_PORT, ["127.0.0.1:9091", "[::]:1"], ["cloud:1", "127.0.0.1"]],
  UNIX_SOCKET: [UNIX_SOCKET, ["unix:///run/x.sock"], ["/run/x.sock", "unix://run/x", "unix:///a/../b"]],
  QUANTITY: [
    QUANTITY,
    ["0", "100Mi", "0.5", "2e3", "500m", "10k", ".5Gi"],
    ["", "-1", "Mi", "10KB", "10mi", "1e9999", "10%"],
  ],
  QUANTITY_OR_PERCENT: [QUANTITY_OR_PERCENT, ["10%", "0.5%", "100%", "100Mi"], ["101%", "%", "-5%"]],
  urlOf: [URL_FORMAT, ["tcp://127.0.0.1:1883", "https://cloud:10002"], [
    "127.0.0.1:1883",
    "http://x",
    "https://",
  ]],
} as const;

for (const [name, [format, good, bad]] of Object.entries(ROWS)) {
  Deno.test(`${name} tells its own from others`, () => {
    for (const value of good) assert.ok(format.test(value), value);
    for (const value of bad) assert.ok(!format.test(value), value);
  });
}

Deno.test("splitHostPort() takes brackets from IPv6 hosts", () => {
  assert.deepEqual(splitHostPort("[fd00::1]:10000"), { host: "fd00::1", port: 10000 });
  assert.deepEqual(splitHostPort("cloud.example:443"), { host: "cloud.example", port: 443 });
});

Deno.test("IP_ADDRESS agrees with node:net", () => {
  const piece = fc.constantFrom(
    "0",
    "1",
    "9",
    "25",
    "255",
    "256",
    "01",
    "f",
    "ffff",
    "::",
    ":",
    ".",
    "1.2.3.4",
    "g",
    "%",
    " ",
  );
  const octet = fc.constantFrom(
    "0",
    "00",
    "01",
    "9",
    "10",
    "99",
    "100",
    "199",
    "200",
    "249",
    "250",
    "255",
    "256",
    "300",
    "",
  );
  const dotted = fc.array(octet, { minLength: 4, maxLength: 4 }).map((octets) => octets.join("."));
  const text = fc.oneof(
    dotted,
    fc.ipV4(),
    fc.ipV6(),
    fc.array(piece, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text.filter((t) => !t.includes("%")), (text) => {
      assert.equal(IP_ADDRESS.test(text), isIP(text) !== 0, text);
    }),
    { numRuns: 2000 },
  );
});
