import assert from "node:assert/strict";
import { pickLocalIP } from "./host.ts";

const LO = { name: "lo", family: "IPv4", address: "127.0.0.1" } as const;
const DOCKER = { name: "docker0", family: "IPv4", address: "172.17.0.1" } as const;
const ETH6 = { name: "eth0", family: "IPv6", address: "fe80::1" } as const;
const ETH = { name: "eth0", family: "IPv4", address: "192.0.2.7" } as const;
const WLAN = { name: "wlan0", family: "IPv4", address: "198.51.100.3" } as const;

Deno.test("pickLocalIP() takes the first real IPv4 address", () => {
  assert.equal(pickLocalIP([LO, DOCKER, ETH6, ETH, WLAN]), "192.0.2.7");
});

Deno.test("pickLocalIP() takes the interface that is asked for", () => {
  assert.equal(pickLocalIP([LO, ETH, WLAN], "wlan0"), "198.51.100.3");
  assert.equal(pickLocalIP([LO, ETH6], "eth0"), "fe80::1");
  assert.throws(() => pickLocalIP([LO, ETH], "eth9"), { name: "RangeError", message: /"eth9".*lo, eth0/ });
});

Deno.test("pickLocalIP() falls back to loopback", () => {
  assert.equal(pickLocalIP([LO, DOCKER]), "127.0.0.1");
  assert.equal(pickLocalIP([]), "127.0.0.1");
});
