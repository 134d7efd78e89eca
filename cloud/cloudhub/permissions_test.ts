import assert from "node:assert/strict";
import { cloudHubPermissions } from "./permissions.ts";

const NONE: Deno.PermissionOptionsObject = {
  env: false,
  ffi: false,
  import: false,
  net: false,
  read: false,
  run: false,
  sys: false,
  write: false,
};

Deno.test("cloudHubPermissions() are enough to serve, and nothing more is allowed", async () => {
  const listen = { address: "127.0.0.1", port: 0 };
  const permissions = cloudHubPermissions({
    advertiseAddress: ["127.0.0.1"],
    https: listen,
    websocket: listen,
  });
  const worker = new Worker(new URL("./_permissions_test_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions: { ...NONE, ...permissions } },
  });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    assert.deepEqual(await promise, {
      joined: 200,
      connected: true,
      readRefused: true,
      netRefused: true,
      runRefused: true,
    });
  } finally {
    worker.terminate();
  }
});

Deno.test("cloudHubPermissions() name the ports and the files", () => {
  assert.deepEqual(
    cloudHubPermissions({
      advertiseAddress: ["192.0.2.1"],
      websocket: { address: "::" },
      files: { tlsCAFile: "/ca.crt", tlsCAKeyFile: "/ca.key", tlsCertFile: "" },
    }),
    {
      net: ["0.0.0.0:10002", "[::]:10000"],
      read: ["/ca.crt", "/ca.key"],
      env: ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"],
    },
  );
});
