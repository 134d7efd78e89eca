import assert from "node:assert/strict";
import { metaManagerPermissions } from "./mod.ts";

Deno.test("metaManager() works with the permissions it asks for, damaged file included, and has no others", async () => {
  const directory = await Deno.makeTempDir();
  const databasePath = `${directory}/edgecore.db`;
  await Deno.writeTextFile(databasePath, "garbage ".repeat(100));
  const none = { env: false, ffi: false, import: false, net: false, run: false, sys: false } as const;
  const worker = new Worker(new URL("./_permission_test_probe.ts", import.meta.url), {
    type: "module",
    deno: { permissions: { ...none, ...metaManagerPermissions({ databasePath }) } },
  });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage({ databasePath });
    assert.deepEqual(await promise, {
      refused: { read: "NotCapable", write: "NotCapable", net: "NotCapable", run: "NotCapable" },
      content: "OK",
    });
    assert.ok([...Deno.readDirSync(directory)].some((file) => file.name.includes(".corrupt-")));
  } finally {
    worker.terminate();
    await Deno.remove(directory, { recursive: true });
  }
});
