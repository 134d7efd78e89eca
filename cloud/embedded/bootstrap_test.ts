import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { ensureDefaults } from "./bootstrap.ts";
import { Registry } from "./registry.ts";
import { ResourceTable } from "./resources/table.ts";
import { ObjectStore } from "./storage/object_store.ts";

Deno.test("ensureDefaults() keeps the service kubernetes at where the API is served", async () => {
  const dir = await Deno.makeTempDir();
  using store = ObjectStore.open(`${dir}/x.db`);
  const registry = new Registry({ store, table: new ResourceTable(), clock: new FakeClock() });
  const get = (group: string, resource: string) => {
    const definition = registry.table.find(group, "v1", resource)!;
    const entry = registry.cache(definition).get("default", "kubernetes");
    return entry && JSON.parse(entry.text);
  };
  const services = registry.table.find("", "v1", "services")!;
  const target = () => {
    const { spec } = get("", "services");
    return [spec.clusterIP, spec.ports[0].targetPort];
  };
  ensureDefaults(registry, { port: 6443, address: "127.0.0.1" });
  assert.deepEqual(target(), ["10.96.0.1", 6443]);
  assert.equal(get("", "endpoints"), undefined, "nobody else reaches this machine's own address");

  ensureDefaults(registry, { port: 7443, address: "192.0.2.7" });
  assert.deepEqual(target(), ["10.96.0.1", 7443]);
  assert.deepEqual(get("", "endpoints").subsets, [{
    addresses: [{ ip: "192.0.2.7" }],
    ports: [{ name: "https", port: 7443, protocol: "TCP" }],
  }]);
  assert.deepEqual(get("discovery.k8s.io", "endpointslices").endpoints[0].addresses, ["192.0.2.7"]);
  const version = registry.version;
  ensureDefaults(registry, { port: 7443, address: "192.0.2.7" });
  assert.equal(registry.version, version, "nothing is written when nothing changed");

  registry.delete(services, { namespace: "default", name: "kubernetes" });
  registry.create(services, "default", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes" },
    spec: { clusterIP: "None" },
  });
  ensureDefaults(registry, { port: 7443, address: "cloud.example.com" });
  assert.deepEqual(target(), ["10.96.0.1", 7443]);
  store[Symbol.dispose]();
  await Deno.remove(dir, { recursive: true });
});
