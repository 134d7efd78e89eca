import assert from "node:assert/strict";
import { TestCloud } from "./_test_cloud.ts";
import { edgeHubPermissions } from "./mod.ts";

Deno.test("edgeHub() joins and connects with the permissions it asks for, and has no others", async () => {
  const directory = await Deno.makeTempDir();
  await using cloud = await TestCloud.start();
  const options = cloud.options(directory, { token: await cloud.token() });
  const none = { env: false, ffi: false, import: false, run: false, sys: false } as const;
  const worker = new Worker(new URL("./_permission_test_probe.ts", import.meta.url), {
    type: "module",
    deno: { permissions: { ...none, ...edgeHubPermissions(options) } },
  });
  try {
    const seen: Record<string, string> = {};
    const log: string[] = [];
    const connected = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    worker.onmessage = ({ data: { name, outcome } }: MessageEvent<{ name: string; outcome: string }>) => {
      if (name === "log") log.push(outcome);
      else if (outcome === "cloud_connected") connected.resolve();
      else if (outcome === "ended") ended.resolve();
      else seen[name] = outcome;
    };
    worker.onerror = (event) => {
      event.preventDefault();
      connected.reject(new Error(event.message));
    };
    worker.postMessage({ options });
    await connected.promise;
    assert.equal((await cloud.session()).peer, "system:node:edge-1", log.join(""));
    const refused = { read: "NotCapable", write: "NotCapable", net: "NotCapable", run: "NotCapable" };
    assert.deepEqual({ ...seen, message: undefined }, { ...refused, message: undefined });
    worker.postMessage("stop");
    await ended.promise;
  } finally {
    worker.terminate();
    await Deno.remove(directory, { recursive: true });
  }
});
