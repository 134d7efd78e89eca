import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { createLogger } from "../../common/module/mod.ts";
import { NodeAgent, STATUS_PERIOD_MS } from "./node.ts";
import {
  defaultInterface,
  nodeFacts,
  osImage,
  ownAddress,
  parseDiskFigures,
  parseGrep,
} from "./node_facts.ts";
import { newNode, nodeStatus, nodeStatusPatch } from "./node_status.ts";
import { FACTS, MemoryKubeApi } from "./testing.ts";

const SPEC = {
  nodeName: "edge-ke",
  version: "v1.32.10-kubeedge-v0.0.0-master+$Format:%h$",
  labels: {},
  taints: [],
  maxPods: 110,
  port: 10350,
};
const ENGINE = { name: "containerd", version: "1.6.20" };

async function recorded(operation: string, resource: string): Promise<unknown[]> {
  const url = new URL("../../tests/testdata/upstream/v1.23.1/session.jsonl", import.meta.url);
  const frames = (await Deno.readTextFile(url)).trim().split("\n").map((line) => JSON.parse(line).json);
  return frames.filter((frame) => frame?.route?.operation === operation && frame.route.resource === resource)
    .map((frame) => frame.content);
}

Deno.test("newNode() is the node that upstream registered on the same machine", async () => {
  const [node] = await recorded("insert", "null/node/edge-ke") as Array<Record<string, unknown>>;
  const upstream = node as unknown as ReturnType<typeof newNode>;
  const { nodeInfo } = upstream.status!;
  const facts = {
    ...FACTS,
    machineID: nodeInfo!.machineID,
    systemUUID: nodeInfo!.systemUUID,
    bootID: nodeInfo!.bootID,
    kernelVersion: nodeInfo!.kernelVersion,
    osImage: nodeInfo!.osImage,
  };
  const now = Date.parse("2026-11-20T15:27:25Z");
  const mine = newNode(SPEC, facts, nodeStatus(SPEC, facts, { ...ENGINE, failure: "x" }, undefined, now));
  const expected = structuredClone(upstream);
  // What upstream cannot know at that moment, or leaves to Go's printing of what is absent.
  expected.status!.conditions!.at(-1)!.message = "container runtime is down: x";
  expected.status!.nodeInfo!.kubeProxyVersion = mine.status!.nodeInfo!.kubeProxyVersion;
  delete (expected.metadata as Record<string, unknown>).creationTimestamp;
  assert.deepEqual(mine, expected);
});

Deno.test("nodeStatusPatch() says that the node is ready as upstream said it", async () => {
  const patches = await recorded("patch", "null/nodepatch/edge-ke") as string[];
  const now = Date.parse("2026-11-20T15:27:25Z");
  const before = nodeStatus(
    SPEC,
    FACTS,
    { ...ENGINE, failure: "CSINode is not yet initialized" },
    undefined,
    now,
  );
  const after = nodeStatus(SPEC, FACTS, ENGINE, before, now);
  assert.equal(JSON.stringify(nodeStatusPatch(before, after, false)), patches.at(-1));
});

Deno.test("nodeStatusPatch() is silent about heartbeats until they are due", () => {
  const before = nodeStatus(SPEC, FACTS, ENGINE, undefined, 1000);
  const after = nodeStatus(SPEC, FACTS, ENGINE, before, 11_000);
  assert.equal(nodeStatusPatch(before, after, false), undefined);
  const patch = nodeStatusPatch(before, after, true) as {
    status: { conditions: Array<Record<string, unknown>> };
  };
  assert.deepEqual(
    patch.status.conditions.map((c) => Object.keys(c).sort().join()),
    Array(4).fill("lastHeartbeatTime,type"),
  );
});

Deno.test("nodeStatusPatch() leaves conditions and fields of others alone", () => {
  const before = nodeStatus(SPEC, FACTS, ENGINE, undefined, 1000);
  const foreign = {
    ...before,
    volumesAttached: [{ name: "v", devicePath: "d" }],
    conditions: [{ type: "NetworkUnavailable", status: "False" }, ...before.conditions!],
  };
  assert.equal(
    nodeStatusPatch(foreign, nodeStatus(SPEC, FACTS, ENGINE, foreign, 2000), false)?.status,
    undefined,
  );
});

Deno.test("nodeStatus() tells of pressure on memory and disk", () => {
  const low = { ...FACTS, memoryAvailableBytes: 2 ** 20, disk: { ...FACTS.disk, availableBytes: 2 ** 20 } };
  const of = (facts: typeof FACTS) =>
    nodeStatus(SPEC, facts, ENGINE, undefined, 0).conditions!.map((c) => c.status).join();
  assert.equal(of(FACTS), "False,False,False,True");
  assert.equal(of(low), "True,True,False,True");
});

function start(change: (api: MemoryKubeApi) => void = () => {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const api = new MemoryKubeApi();
  change(api);
  const state: { failure: string | undefined } = { failure: undefined };
  const events: string[] = [];
  const agent = new NodeAgent({ ...SPEC, labels: { site: "roof" } }, {
    event: (_subject, type, reason, message) => void events.push(`${type} ${reason} ${message}`),
    api,
    clock,
    log: createLogger("edged", { write: (line) => lines.push(line) }),
    facts: FACTS,
    readFacts: () => Promise.resolve(FACTS),
    engine: () => ({ ...ENGINE, failure: state.failure }),
    random: () => 1,
  });
  const controller = new AbortController();
  const run = agent.run(controller.signal);
  return {
    agent,
    api,
    clock,
    lines,
    state,
    events,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await clock.advance(0);
      await run;
    },
  };
}

Deno.test("NodeAgent registers at once, without waiting for anything", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  assert.equal(bench.api.node?.status?.conditions?.at(-1)?.status, "True");
  assert.equal(bench.api.node?.metadata?.labels?.site, "roof");
  assert.equal(bench.api.lease?.metadata?.ownerReferences?.[0]?.uid, "node-uid");
});

Deno.test("NodeAgent tries again soon, and at once when the link comes", async () => {
  await using bench = start((api) => api.connected = false);
  await bench.clock.advance(300);
  assert.equal(bench.api.calls.filter((call) => call === "createNode").length, 3);
  await bench.clock.advance(60_000);
  bench.api.connected = true;
  bench.agent.reconnected();
  await bench.clock.advance(0);
  assert.notEqual(bench.api.node, undefined);
});

Deno.test("NodeAgent adopts a node that exists, adds its labels and sends its conditions", async () => {
  await using bench = start((api) => {
    api.node = {
      metadata: { name: "edge-ke", uid: "old", labels: { kept: "yes" } },
      status: { phase: "Running" },
    };
  });
  await bench.clock.advance(0);
  assert.deepEqual([bench.api.node?.metadata?.labels?.kept, bench.api.node?.metadata?.labels?.site], [
    "yes",
    "roof",
  ]);
  assert.match(JSON.stringify(bench.api.nodePatches), /EdgeReady/);
  assert.equal(bench.api.lease?.metadata?.ownerReferences?.[0]?.uid, "old");
});

Deno.test("NodeAgent registers again when the cloud deleted the node", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  bench.api.node = undefined;
  bench.state.failure = "docker is down";
  bench.agent.wake();
  await bench.clock.advance(200);
  assert.equal(bench.api.calls.filter((call) => call === "createNode").length, 2);
  assert.match(JSON.stringify(bench.api.node), /container runtime is down: docker is down/);
});

Deno.test("NodeAgent sends a status when it changes, else every five minutes", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  await bench.clock.advance(290_000);
  assert.equal(bench.api.nodePatches.length, 0);
  await bench.clock.advance(20_000);
  assert.equal(bench.api.nodePatches.length, 1);
  bench.state.failure = "gone";
  bench.agent.wake();
  await bench.clock.advance(0);
  assert.equal(bench.api.nodePatches.length, 2);
});

Deno.test("NodeAgent tells once that its status is refused, tries less and less often, and goes on when it is taken", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  bench.lines.length = 0;
  const { api, clock } = bench;
  const tries = () => api.calls.filter((call) => call === "patchNodeStatus").length;
  const tooLarge = new StatusError("RequestEntityTooLarge", "etcdserver: request is too large");
  for (let i = 0; i < 40; i++) api.failNext("patchNodeStatus", tooLarge);
  bench.state.failure = "docker is down";
  bench.agent.wake();
  await clock.advance(0);
  for (let i = 0; i < 50; i++) await clock.advance(60_000);
  assert.ok(tries() > 12 && tries() < 25, `${tries()} tries in 50 minutes`);
  const told = bench.lines.filter((line) => line.includes("Node status"));
  assert.equal(told.length, 1, told.join(""));
  assert.match(
    told[0]!,
    /^E.*"Node status refused; pods and lease go on, .*err="etcdserver: request is too large"/,
  );
  while (tries() < 41) {
    bench.agent.wake();
    await clock.advance(0);
  }
  assert.match(JSON.stringify(api.nodePatches), /container runtime is down: docker is down/);
  // Failures of other kinds pass, and are tried again soon.
  const before = tries();
  for (let i = 0; i < 10; i++) api.failNext("patchNodeStatus", new StatusError("InternalError", "busy"));
  bench.state.failure = undefined;
  bench.agent.wake();
  await clock.advance(0);
  await clock.advance(60_000);
  assert.ok(tries() > before + 10);
});

Deno.test("NodeAgent puts right what the cloud made of a node it had lost", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  const node = structuredClone(bench.api.node!);
  for (const condition of node.status!.conditions!) condition.status = "Unknown";
  bench.agent.onNode(node);
  await bench.clock.advance(0);
  assert.equal(bench.api.nodePatches.length, 1);
  assert.match(JSON.stringify(bench.api.nodePatches[0]), /"status":"True","type":"Ready"/);
});

Deno.test("NodeAgent sends its conditions again after the lease had run out", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  bench.api.connected = false;
  await bench.clock.advance(120_000);
  assert.equal(bench.api.nodePatches.length, 0);
  bench.api.connected = true;
  await bench.clock.advance(20_000);
  assert.match(JSON.stringify(bench.api.nodePatches), /EdgeReady/);
});

Deno.test("NodeAgent reads the lease again after somebody else wrote it", async () => {
  await using bench = start();
  await bench.clock.advance(0);
  bench.api.failNext("updateLease", new StatusError("Conflict", "changed"));
  await bench.clock.advance(10_000);
  await bench.clock.advance(1_000);
  const calls = bench.api.calls.filter((call) => call.endsWith("Lease"));
  assert.deepEqual(calls.slice(-3), ["updateLease", "getLease", "updateLease"]);
  assert.match(bench.api.lease!.spec!.renewTime!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

Deno.test("NodeAgent goes on renewing its lease and sending its status when the clock is set back", async () => {
  await using bench = start();
  const renewed = () => bench.api.lease!.spec!.renewTime!;
  await bench.clock.advance(10_000);
  const before = renewed();
  bench.clock.set(bench.clock.now() - 3_600_000);
  bench.api.nodePatches.length = 0;
  await bench.clock.advance(10_000);
  const after = renewed();
  assert.ok(after > before, `${after} is not later than ${before}: the cloud would take the node for lost`);
  await bench.clock.advance(10_000);
  assert.ok(renewed() > after);
  await bench.clock.advance(300_000);
  assert.equal(bench.api.nodePatches.length, 1);
});

Deno.test("nodeFacts() reads this machine", async () => {
  const facts = await (await nodeFacts({ rootDirectory: "/does/not/exist/yet", nodeIP: "" }))();
  assert.ok(facts.cpus >= 1 && facts.memoryBytes > 2 ** 20 && facts.disk.totalBytes > 0);
  assert.ok(facts.memoryAvailableBytes <= facts.memoryBytes);
  assert.match(facts.addresses[0]!, /^[0-9.]+$/);
  assert.match(facts.bootID, /^[0-9a-f-]{36}$/);
});

Deno.test("nodeFacts() does with what kernel files there are", async () => {
  const read = await nodeFacts({ rootDirectory: "/", nodeIP: "192.0.2.9" }, () => Promise.resolve(new Map()));
  const facts = await read();
  assert.deepEqual([facts.bootID, facts.hugePages, facts.addresses], ["", {}, ["192.0.2.9"]]);
});

Deno.test("parseDiskFigures() reads what stat tells and nothing else", () => {
  assert.deepEqual(parseDiskFigures("4096 66053021 20553000 16777216 16353026\n"), {
    bsize: 4096,
    blocks: 66053021,
    bavail: 20553000,
    files: 16777216,
    ffree: 16353026,
  });
  for (const text of ["", "4096 1 1 1", "4096 ? 1 1 1", "4096 -1 1 1 1"]) {
    assert.equal(parseDiskFigures(text), undefined);
  }
});

Deno.test("parseGrep() puts lines back to their files", () => {
  assert.deepEqual([...parseGrep("/a:1\n/a:x:y\n/b:2\n/c:3\n", ["/a", "/b"])], [["/a", "1\nx:y\n"], [
    "/b",
    "2\n",
  ]]);
});

Deno.test("defaultInterface() takes the default route with the lowest metric", () => {
  const line = (name: string, destination: string, metric: number) =>
    `${name}\t${destination}\t0100000A\t0003\t0\t0\t${metric}\t00000000\t0\t0\t0`;
  const text = [
    "Iface\tDestination",
    line("wlan0", "00000000", 600),
    line("eth0", "00000000", 100),
    line("x", "0000000A", 0),
  ];
  assert.equal(defaultInterface(text.join("\n")), "eth0");
  assert.equal(defaultInterface(""), undefined);
});

Deno.test("ownAddress() does not take a bridge for the machine", () => {
  const at = (name: string, address: string, family: "IPv4" | "IPv6" = "IPv4") => ({ name, address, family });
  const all = [
    at("lo", "127.0.0.1"),
    at("docker0", "172.17.0.1"),
    at("eth0", "10.0.0.5"),
    at("eth1", "10.1.0.5"),
  ];
  assert.equal(ownAddress(all, "eth1"), "10.1.0.5");
  assert.equal(ownAddress(all, undefined), "10.0.0.5");
  assert.equal(ownAddress([], undefined), "127.0.0.1");
});

Deno.test("osImage() reads os-release with and without quotes", () => {
  assert.equal(
    osImage('NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'),
    "Debian GNU/Linux 12 (bookworm)",
  );
  assert.equal(osImage("PRETTY_NAME=Alpine\n"), "Alpine");
  assert.equal(osImage(""), "Linux");
});

Deno.test("NodeAgent reports its start and when the node becomes ready or stops being it", async () => {
  await using bench = start();
  await bench.clock.advance(100);
  bench.state.failure = "no answer";
  await bench.clock.advance(STATUS_PERIOD_MS);
  bench.state.failure = undefined;
  await bench.clock.advance(STATUS_PERIOD_MS);
  assert.deepEqual(bench.events, [
    "Normal Starting Starting kubelet.",
    "Normal NodeReady Node edge-ke status is now: NodeReady",
    "Normal NodeNotReady Node edge-ke status is now: NodeNotReady",
    "Normal NodeReady Node edge-ke status is now: NodeReady",
  ]);
});
