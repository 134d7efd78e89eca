import assert from "node:assert/strict";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { type ApiObject, objectAt, objectsAt } from "../object.ts";
import { Registry } from "../registry.ts";
import { ObjectStore } from "../storage/object_store.ts";
import { NODE_PORTS } from "./service_addresses.ts";
import { ResourceTable } from "./table.ts";

interface Services extends AsyncDisposable {
  create(name: string, spec: object): ApiObject;
  change(name: string, spec: object): ApiObject;
  remove(name: string): void;
  restart(): void;
}

async function services(): Promise<Services> {
  const dir = await Deno.makeTempDir();
  let store: ObjectStore, registry: Registry;
  const start = () => {
    store = ObjectStore.open(`${dir}/x.db`);
    registry = new Registry({ store, table: new ResourceTable(), clock: new FakeClock() });
  };
  start();
  const find = (resource: string) => registry.table.find("", "v1", resource)!;
  registry!.create(find("namespaces"), "", { apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
  return {
    create: (name, spec) =>
      registry.create(find("services"), "ns", {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name },
        spec,
      }),
    change: (name, spec) =>
      registry.update(find("services"), { namespace: "ns", name }, (now) => ({
        ...now,
        spec: { ...objectAt(now, "spec"), ...structuredClone(spec) },
      })),
    remove: (name) => registry.delete(find("services"), { namespace: "ns", name }),
    restart: () => {
      store[Symbol.dispose]();
      start();
    },
    [Symbol.asyncDispose]: async () => {
      store[Symbol.dispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

const PORTS = [{ name: "a", port: 80 }, { name: "b", port: 81 }];
const spec = (service: ApiObject) => objectAt(service, "spec");
const nodePorts = (service: ApiObject) => objectsAt(service, "spec", "ports").map((port) => port.nodePort);

Deno.test("services get addresses and node ports of their own, also after a restart", async () => {
  await using all = await services();
  const ips = new Set(
    Array.from({ length: 20 }, (_, i) => spec(all.create(`s${i}`, { ports: PORTS })).clusterIP),
  );
  assert.equal(ips.size, 20);
  for (const ip of ips) assert.match(String(ip), /^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/);
  all.create("fixed", { clusterIP: "10.96.0.77", type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] });
  all.restart();
  assert.throws(
    () => all.create("second", { clusterIP: "10.96.0.77", ports: PORTS }),
    /spec.clusterIPs: .*failed to allocate IP 10.96.0.77: provided IP is already allocated/,
  );
  assert.throws(
    () => all.create("second", { type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] }),
    /spec.ports\[0\].nodePort: Invalid value: 30080: provided port is already allocated/,
  );
  all.remove("fixed");
  assert.equal(spec(all.create("second", { clusterIP: "10.96.0.77", ports: PORTS })).clusterIP, "10.96.0.77");
});

Deno.test("services keep what they were given until their type no longer has it", async () => {
  await using all = await services();
  const made = all.create("web", { type: "NodePort", ports: PORTS });
  const [a, b] = nodePorts(made) as number[];
  assert.ok(a !== b && [a, b].every((port) => port! >= NODE_PORTS.first && port! <= NODE_PORTS.last));
  const ip = spec(made).clusterIP;
  assert.deepEqual(nodePorts(all.change("web", { ports: PORTS })), [a, b]);
  assert.equal(spec(all.change("web", { clusterIP: "", clusterIPs: undefined })).clusterIP, ip);
  const plain = all.change("web", { type: "ClusterIP" });
  assert.deepEqual([nodePorts(plain), spec(plain).externalTrafficPolicy], [
    [undefined, undefined],
    undefined,
  ]);
  const outside = all.change("web", { type: "ExternalName", externalName: "example.com" });
  assert.deepEqual([spec(outside).clusterIP, spec(outside).ipFamilies], [undefined, undefined]);
  const balanced = all.change("web", { type: "LoadBalancer", externalTrafficPolicy: "Local" });
  assert.ok(typeof spec(balanced).healthCheckNodePort === "number");
  assert.equal(spec(balanced).allocateLoadBalancerNodePorts, true);
  assert.throws(
    () => all.change("web", { clusterIP: "10.96.1.1" }),
    /spec.clusterIPs\[0\].*may not change once set/,
  );
});

Deno.test("services are refused in the words of the real server", async (t) => {
  await using all = await services();
  const rows: Array<[name: string, spec: object, message: RegExp]> = [
    ["no ports", {}, /spec.ports: Required value$/],
    [
      "out of range",
      { clusterIP: "1.2.3.4", ports: PORTS },
      /the provided IP \(1.2.3.4\) is not in the valid range/,
    ],
    [
      "no address",
      { clusterIP: "foo", ports: PORTS },
      /spec.clusterIPs\[0\]: Invalid value: "foo": must be a valid IP/,
    ],
    [
      "node port of a plain one",
      { ports: [{ port: 80, nodePort: 30001 }] },
      /may not be used when `type` is 'ClusterIP'/,
    ],
    [
      "external name with an address",
      { type: "ExternalName", externalName: "a.b", clusterIP: "10.96.0.5" },
      /may not be set for ExternalName/,
    ],
    ["two families", { ports: PORTS, ipFamilyPolicy: "RequireDualStack" }, /not configured for dual-stack/],
    [
      "headless with node ports",
      { type: "NodePort", clusterIP: "None", ports: PORTS },
      /may not be set to 'None' for NodePort/,
    ],
  ];
  for (const [name, given, message] of rows) {
    await t.step(name, () => assert.throws(() => all.create("bad", given), { message }));
  }
});
