import assert from "node:assert/strict";
import { systemClock } from "../../../common/module/mod.ts";
import { Registry } from "../registry.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { ResourceTable } from "../resources/table.ts";
import { ObjectStore } from "../storage/object_store.ts";
import { bodyOf } from "./pieces.ts";
import { printList, readSelection } from "./read.ts";
import { WatchHub } from "./watch.ts";

Deno.test("bodyOf() makes of what is long only what is taken", async () => {
  assert.equal(bodyOf(["a", "b"]), "ab");
  let made = 0;
  let isOver = false;
  function* pieces() {
    try {
      for (; made < 100; made++) yield "x".repeat(100_000);
    } finally {
      isOver = true;
    }
  }
  const reader = (bodyOf(pieces()) as ReadableStream<Uint8Array>).getReader();
  assert.equal(made, 2);
  assert.equal((await reader.read()).value!.length, 300_000);
  assert.equal((await reader.read()).value!.length, 300_000);
  assert.equal(made, 8);
  await reader.cancel();
  assert.ok(isOver);
  const whole = await new Response(bodyOf(Array(10).fill("y".repeat(99_999)))).text();
  assert.equal(whole, "y".repeat(999_990));
});

Deno.test("lists and watches print what is there as it is fetched", async () => {
  const dir = await Deno.makeTempDir();
  try {
    using store = ObjectStore.open(`${dir}/x.db`);
    const registry = new Registry({ store, table: new ResourceTable(), clock: systemClock });
    const found = registry.table.find("", "v1", "configmaps")!;
    const namespaces = registry.table.find("", "v1", "namespaces")!;
    registry.create(namespaces, "", { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    for (let i = 0; i < 20; i++) {
      const metadata = { name: `c${i}`, namespace: "default" };
      registry.create(found, "default", {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata,
        data: { text: "x".repeat(100_000) },
      });
    }
    let printed = 0;
    const definition: ResourceDefinition = {
      ...found,
      storedAs: {
        key: "configmaps",
        toStored: (object) => object,
        fromStored: (object) => object,
        isCurrent: () => {
          printed++;
          return true;
        },
      },
    };
    const query = new URLSearchParams();
    const selection = readSelection(definition, undefined, query);
    const body = bodyOf(printList(registry, definition, selection, { query, form: "object", now: 0 }));
    assert.ok(printed <= 3);
    assert.equal(JSON.parse(await new Response(body).text()).items.length, 20);
    printed = 0;
    const hub = new WatchHub(registry, () => 0);
    const reader = hub.open(definition, selection, query, "object").body!.getReader();
    assert.equal(printed, 0);
    let text = "";
    registry.delete(found, { namespace: "default", name: "c0" }, {});
    while (!text.includes("DELETED")) text += new TextDecoder().decode((await reader.read()).value);
    const types = text.trim().split("\n").map((line) => JSON.parse(line).type);
    assert.deepEqual(types, [...Array(20).fill("ADDED"), "DELETED"]);
    await reader.cancel();
    assert.equal(hub.size, 0);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
