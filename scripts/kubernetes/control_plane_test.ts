import assert from "node:assert/strict";
import { argumentsOf, COMPONENTS } from "./arguments.ts";
import { parseState, startComponent, statusOf, stopControlPlane } from "./control_plane.ts";

const PORTS = { etcd: 1001, etcdPeer: 1002, api: 1003, controllerManager: 1004, scheduler: 1005 };
const STATE = { ports: PORTS, processes: { etcd: { pid: 17, startTicks: 4711 } } };

Deno.test("parseState() reads what was written and refuses everything else", async (t) => {
  assert.deepEqual(parseState(JSON.stringify(STATE)), STATE);
  const bad: Array<[string, unknown]> = [
    ["a list", []],
    ["no ports", { processes: {} }],
    ["a port that is missing", { ...STATE, ports: { ...PORTS, api: undefined } }],
    ["a port that is text", { ...STATE, ports: { ...PORTS, api: "1003" } }],
    ["a process that is a number", { ...STATE, processes: { etcd: 17 } }],
    ["process 0, which is everybody", { ...STATE, processes: { etcd: { pid: 0, startTicks: 1 } } }],
    ["a negative process, which is a group", { ...STATE, processes: { etcd: { pid: -1, startTicks: 1 } } }],
  ];
  for (const [name, value] of bad) {
    await t.step(name, () => {
      assert.throws(() => parseState(JSON.stringify(value)), SyntaxError);
    });
  }
});

Deno.test("argumentsOf() has every program listen on the loopback interface only, and certificates everywhere", () => {
  for (const component of COMPONENTS) {
    const args = argumentsOf(component, "/dir", PORTS);
    const addresses = args.join("\n").match(/\d+\.\d+\.\d+\.\d+(?!\/)\b/g) ?? [];
    assert.ok(addresses.length > 0, component);
    assert.deepEqual(addresses.filter((address) => address !== "127.0.0.1" && address !== "10.96.0.0"), []);
    assert.ok(!args.some((arg) => arg.includes("http://")), component);
  }
  const api = argumentsOf("kube-apiserver", "/dir", PORTS);
  assert.ok(api.includes("--authorization-mode=Node,RBAC"));
  assert.ok(api.includes("--secure-port=1003"));
});

Deno.test("statusOf() and stopControlPlane() find nothing where there never was a control plane", async () => {
  const directory = await Deno.makeTempDir();
  try {
    assert.deepEqual(await statusOf(directory), []);
    await stopControlPlane(directory);
    const binaries = {
      etcd: "",
      "kube-apiserver": "",
      "kube-controller-manager": "",
      "kube-scheduler": "",
      kubectl: "",
    };
    await assert.rejects(startComponent(directory, "etcd", binaries), /There is no control plane in .*"up"/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
