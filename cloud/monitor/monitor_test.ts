import assert from "node:assert/strict";
import { silentLogger } from "../../common/module/mod.ts";
import { monitor } from "./mod.ts";

const collect = () =>
  Promise.resolve([{
    name: "x_total",
    help: "X.",
    type: "counter" as const,
    samples: [{ suffix: "", labels: {}, value: 3 }],
  }]);

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("monitor() serves metrics and health, and nothing else", async () => {
  const port = freePort();
  const controller = new AbortController();
  let serves = false;
  const module = monitor({ collect, serving: () => serves, log: silentLogger }, {
    hostname: "127.0.0.1",
    port,
  });
  const running = module.run(controller.signal);
  await module.ready;
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return [response.status, await response.text()];
  };
  for (const path of ["/healthz", "/readyz"]) assert.deepEqual(await get(path), [503, "starting\n"]);
  assert.deepEqual(await get("/livez"), [200, "ok"]);
  serves = true;
  for (const path of ["/healthz", "/readyz"]) assert.deepEqual(await get(path), [200, "ok"]);
  assert.deepEqual(await get("/metrics"), [200, "# HELP x_total X.\n# TYPE x_total counter\nx_total 3\n"]);
  assert.equal((await get("/other"))[0], 404);
  assert.equal((await get("/metrics", "POST"))[0], 405);
  controller.abort();
  await running;
});

Deno.test("monitor() names the key when its port is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const module = monitor({ collect, log: silentLogger }, { hostname: "127.0.0.1", port: taken.addr.port });
  await assert.rejects(module.run(new AbortController().signal), /commonConfig\.monitorServer\.bindAddress/);
});
