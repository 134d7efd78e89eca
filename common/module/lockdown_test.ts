import assert from "node:assert/strict";

Deno.test("lockdown() leaves a process nothing it may do", async () => {
  const worker = new Worker(new URL("./testdata/lockdown_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions: "inherit" },
  });
  const left = await new Promise<string[]>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  });
  worker.terminate();
  assert.deepEqual(left, Array(6).fill("NotCapable"));
});
