import assert from "node:assert/strict";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { silentLogger } from "../../common/module/mod.ts";
import { readOnlyHandler, serveReadOnly } from "./read_only_server.ts";
import { testBench, testPod } from "./testing.ts";

async function serving(output = "one\ntwo\nthree\n") {
  const bench = testBench({ program: () => ({ output }) });
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  const metrics = new MetricsRegistry();
  metrics.gauge("kubelet_running_pods", "pods", () => bench.pods.running.length);
  const state: { failure: string | undefined } = { failure: undefined };
  const components = {
    pods: bench.pods,
    runtime: bench.runtime,
    syncFailure: () => state.failure,
    collect: () => metrics.collect(),
    now: () => bench.clock.now(),
    log: silentLogger,
  };
  const handle = readOnlyHandler(components);
  const get = async (path: string, method = "GET") => {
    const response = await handle(new Request(`http://127.0.0.1${path}`, { method }));
    return { status: response.status, text: await response.text() };
  };
  return { ...bench, components, state, get, [Symbol.asyncDispose]: bench[Symbol.asyncDispose].bind(bench) };
}

Deno.test("readOnlyHandler() tells how edged is", async () => {
  await using bench = await serving();
  assert.deepEqual(await bench.get("/healthz"), { status: 200, text: "ok" });
  assert.equal((await bench.get("/healthz/syncloop")).status, 200);
  bench.state.failure = "the engine is down";
  assert.deepEqual(await bench.get("/healthz/syncloop"), {
    status: 500,
    text: "internal server error: the engine is down",
  });
  assert.match((await bench.get("/metrics")).text, /^kubelet_running_pods 1$/m);
  assert.equal((await bench.get("/nothing")).status, 404);
  assert.equal((await bench.get("/exec/default/web/web")).status, 404);
  assert.equal((await bench.get("/pods", "POST")).status, 405);
});

Deno.test("readOnlyHandler() lists pods with their status, and what runs", async () => {
  await using bench = await serving();
  const known = JSON.parse((await bench.get("/pods")).text);
  assert.equal(known.kind, "PodList");
  assert.equal(known.items[0].status.phase, "Running");
  const running = JSON.parse((await bench.get("/runningpods/")).text);
  assert.deepEqual(running.items[0].spec.containers, [{ name: "web", image: "busybox:1" }]);
});

Deno.test("readOnlyHandler() gives logs within what is asked", async (t) => {
  await using bench = await serving();
  const table: Array<[string, number, string | RegExp]> = [
    ["/containerLogs/default/web/web", 200, "one\ntwo\nthree\n"],
    ["/containerLogs/default/web/web?tailLines=1", 200, "three\n"],
    ["/containerLogs/default/web/web?tailLines=0", 200, ""],
    ["/containerLogs/default/web/web?limitBytes=5", 200, "one\nt"],
    ["/containerLogs/default/web/web?tailLines=-1", 400, /tailLines/],
    ["/containerLogs/default/web/web?sinceTime=yesterday", 400, /sinceTime/],
    ["/containerLogs/default/web/web?previous=true", 400, /previous/],
    ["/containerLogs/default/web/other", 404, /other/],
    ["/containerLogs/default/no/web", 404, /does not exist/],
    ["/containerLogs/default/..%2f..%2fetc/passwd", 404, /./],
  ];
  for (const [path, status, text] of table) {
    await t.step(path, async () => {
      const answer = await bench.get(path);
      assert.equal(answer.status, status);
      if (typeof text === "string") assert.equal(answer.text, text);
      else assert.match(answer.text, text);
    });
  }
});

Deno.test("readOnlyHandler() follows logs until the container ends", async () => {
  await using bench = await serving();
  const handle = readOnlyHandler(bench.components);
  const response = await handle(new Request("http://127.0.0.1/containerLogs/default/web/web?follow=true"));
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "one\ntwo\nthree\n");
  const [container] = await bench.runtime.listContainers();
  bench.runtime.write(container!.id, "four\n");
  bench.runtime.exit(container!.id, 0);
  assert.equal((await reader.read()).value, "four\n");
  assert.equal((await reader.read()).done, true);
});

Deno.test("serveReadOnly() serves on loopback and ends with its signal while logs are followed", async () => {
  await using bench = await serving();
  const controller = new AbortController();
  const listening = Promise.withResolvers<number>();
  const served = serveReadOnly(
    bench.components,
    { hostname: "127.0.0.1", port: 0, onListen: listening.resolve },
    bench.clock,
    controller.signal,
  );
  const base = `http://127.0.0.1:${await listening.promise}`;
  assert.equal(await (await fetch(`${base}/healthz`)).text(), "ok");
  const follow = await fetch(`${base}/containerLogs/default/web/web?follow=true`);
  const reader = follow.body!.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "one\ntwo\nthree\n");
  await reader.cancel();
  controller.abort();
  await served;
});

Deno.test("serveReadOnly() waits for a port that is taken", async () => {
  await using bench = await serving();
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const controller = new AbortController();
  const listening = Promise.withResolvers<number>();
  const options = { hostname: "127.0.0.1", port, onListen: listening.resolve };
  const served = serveReadOnly(bench.components, options, bench.clock, controller.signal);
  await bench.clock.advance(1_000);
  taken.close();
  await bench.clock.advance(10_000);
  assert.equal(await listening.promise, port);
  controller.abort();
  await served;
});
