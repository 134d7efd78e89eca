import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { silentLogger } from "../../common/module/mod.ts";
import { expireEvents } from "./event_expiry.ts";
import { Registry } from "./registry.ts";
import { ResourceTable } from "./resources/table.ts";
import { ObjectStore } from "./storage/object_store.ts";

Deno.test("expireEvents() removes what nothing happened to for an hour", async () => {
  const dir = await Deno.makeTempDir();
  try {
    using store = ObjectStore.open(`${dir}/x.db`);
    const clock = new FakeClock();
    const registry = new Registry({ store, table: new ResourceTable(), clock });
    const events = registry.table.find("", "v1", "events")!;
    registry.create(registry.table.find("", "v1", "namespaces")!, "", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "ns" },
    });
    const make = (name: string, lastTimestamp?: string) =>
      registry.create(events, "ns", {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name },
        involvedObject: { namespace: "ns" },
        ...(lastTimestamp && { lastTimestamp }),
      });
    make("created");
    make("repeated", "2026-01-01T00:30:00Z");
    assert.equal(expireEvents(registry, clock.now() + 3_599_000, silentLogger), 0);
    assert.equal(expireEvents(registry, clock.now() + 3_600_000, silentLogger), 1);
    assert.deepEqual(registry.cache(events).list().map((e) => e.name), ["repeated"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
