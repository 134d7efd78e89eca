import assert from "node:assert/strict";
import { systemClock } from "../../common/module/mod.ts";
import { printList, readSelection } from "./api/read.ts";
import { Registry } from "./registry.ts";
import { ResourceTable } from "./resources/table.ts";
import { ObjectStore } from "./storage/object_store.ts";

const OBJECTS = 20_000;

Deno.test("20,000 objects are loaded within 2 s and listed within 0.5 s", async () => {
  const dir = await Deno.makeTempDir();
  try {
    {
      using store = ObjectStore.open(`${dir}/x.db`);
      for (let i = 0; i < OBJECTS; i++) {
        store.commit((version) => ({
          kind: "insert",
          object: {
            resource: "configmaps",
            namespace: `ns-${i % 10}`,
            name: `c-${i}`,
            uid: String(i),
            resourceVersion: version,
            body: JSON.stringify({
              apiVersion: "v1",
              kind: "ConfigMap",
              metadata: {
                name: `c-${i}`,
                namespace: `ns-${i % 10}`,
                labels: { app: `a${i % 10}` },
                resourceVersion: String(version),
              },
              data: { text: "x".repeat(800) },
            }),
          },
        }), "process");
      }
    }
    const begin = performance.now();
    using store = ObjectStore.open(`${dir}/x.db`);
    const registry = new Registry({ store, table: new ResourceTable(), clock: systemClock });
    const loaded = performance.now();
    const definition = registry.table.find("", "v1", "configmaps")!;
    const query = new URLSearchParams();
    const selection = readSelection(definition, undefined, query);
    const text = [...printList(registry, definition, selection, { query, form: "object", now: 0 })].join("");
    const listed = performance.now();
    assert.equal(JSON.parse(text).items.length, OBJECTS);
    assert.ok(loaded - begin < 2000, `loading took ${loaded - begin} ms`);
    assert.ok(listed - loaded < 500, `listing took ${listed - loaded} ms`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
