import assert from "node:assert/strict";
import { startControlPlane } from "../../cloud/embedded/testing.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { CONFIG_MAPS, createKubeClient, informer, type KubeClient } from "../../common/kubeclient/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";
import { until } from "../../scripts/trial/program.ts";
import { type Fault, FaultyApi, type SeenRequest } from "../support/faulty_api.ts";

const SILENCE_MS = 1_500;

interface Bench {
  api: FaultyApi;
  /** Reaches the API server past the proxy. */
  direct: KubeClient;
  /** Goes through the proxy. */
  kube: KubeClient;
  /** Values of the ConfigMaps as an informer behind the proxy has them. */
  values(): Record<string, string | undefined>;
  synced(): boolean;
  set(name: string, value: string): Promise<void>;
}

const map = (name: string, value: string) => ({ metadata: { namespace: "default", name }, data: { value } });

/** An informer of the ConfigMaps labelled by nobody but tests, behind the proxy, started with a fault or without. */
async function onBadDay(
  fault: ((request: SeenRequest) => Fault | undefined) | undefined,
  act: (bench: Bench) => Promise<void>,
): Promise<void> {
  await using plane = await startControlPlane();
  const { server, caCertificate, adminToken: token } = plane.endpoint;
  await using api = new FaultyApi({ server, caCertificate });
  await using direct = createKubeClient({ server, ca: caCertificate, token });
  await using kube = createKubeClient({ server: api.server, token, watchSilenceMs: SILENCE_MS });
  const options = { log: silentLogger, clock: systemClock, random: () => 0 };
  const copy = informer(kube, CONFIG_MAPS, {
    namespace: "default",
    fieldSelector: "metadata.name!=kube-root-ca.crt",
  }, options);
  const stop = new AbortController();
  await until("the namespace can be used", async () => {
    await direct.create(CONFIG_MAPS, map("a", "1"));
    return true;
  });
  api.fault = fault;
  const running = copy.run(stop.signal);
  try {
    await act({
      api,
      direct,
      kube,
      values: () =>
        Object.fromEntries(copy.list().map(({ metadata, data }) => [metadata!.name!, data?.value])),
      synced: () => copy.synced,
      set: async (name, value) => {
        await direct.patch(CONFIG_MAPS, { namespace: "default", name }, {
          type: "merge",
          body: { data: { value } },
        });
      },
    });
  } finally {
    stop.abort();
    await running;
  }
}

/** A fault for the first requests of a kind. */
function first(count: number, of: (request: SeenRequest) => boolean, fault: Fault) {
  return (request: SeenRequest) => of(request) && count-- > 0 ? fault : undefined;
}

const isList = ({ method, isWatch, path }: SeenRequest) =>
  method === "GET" && !isWatch && path.endsWith("/configmaps");
/** Not one that asks only whether the server still has what it told. */
const isWholeList = (request: SeenRequest) =>
  isList(request) && !request.fieldSelector.includes("metadata.name=");
const isWatch = (request: SeenRequest) => request.isWatch;
const sees = (bench: Bench, wanted: Record<string, string>, timeoutMs = 20_000) =>
  until(`the copy is ${JSON.stringify(wanted)}`, () => {
    return Promise.resolve(JSON.stringify(bench.values()) === JSON.stringify(wanted));
  }, { timeoutMs, everyMs: 20 });

const busy = (status: number): Fault => ({ kind: "answer", status, headers: { "Retry-After": "1" } });

for (const status of [429, 503]) {
  Deno.test(`a server that answers ${status} with Retry-After is asked again when it said, by informers and writers`, async () => {
    await onBadDay(first(2, isList, busy(status)), async (bench) => {
      const started = Date.now();
      await sees(bench, { a: "1" });
      assert.ok(Date.now() - started >= 1_900);
      bench.api.fault = first(2, ({ method }) => method === "POST", busy(status));
      await bench.kube.create(CONFIG_MAPS, map("b", "1"));
      await sees(bench, { a: "1", b: "1" });
      assert.equal(bench.api.seen.filter(({ method }) => method === "POST").length, 3);
    });
  });
}

Deno.test("a server that answers 503 to everything for a while is waited for, with fewer and fewer questions", async () => {
  const down: Fault = { kind: "answer", status: 503 };
  await onBadDay(() => down, async (bench) => {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.ok(bench.api.seen.length >= 2 && bench.api.seen.length <= 5, `${bench.api.seen.length} questions`);
    await assert.rejects(bench.kube.create(CONFIG_MAPS, map("b", "1")), (error) => {
      return error instanceof StatusError && error.code === 503;
    });
    bench.api.fault = undefined;
    await sees(bench, { a: "1" });
  });
});

Deno.test("a list that takes 10 s is waited for", async () => {
  await onBadDay(first(1, isList, { kind: "delay", ms: 10_000 }), async (bench) => {
    await sees(bench, { a: "1" });
    assert.equal(bench.api.seen.filter(isList).length, 1);
  });
});

Deno.test("a list that breaks in the middle is read anew, and nothing of the half is kept", async () => {
  await onBadDay(first(2, isList, { kind: "reset" }), async (bench) => {
    await until("the list was asked for", () => Promise.resolve(bench.api.seen.filter(isList).length >= 2));
    assert.deepEqual([bench.values(), bench.synced()], [{}, false]);
    await sees(bench, { a: "1" });
  });
});

Deno.test("a watch that breaks goes on where it was", async () => {
  await onBadDay(first(2, isWatch, { kind: "reset" }), async (bench) => {
    await until("watches broke", () => Promise.resolve(bench.api.seen.filter(isWatch).length >= 2));
    await bench.set("a", "2");
    await sees(bench, { a: "2" });
    assert.equal(bench.api.seen.filter(isWholeList).length, 1);
  });
});

Deno.test("a watch that brings no bytes is given up, and what it did not bring arrives", async () => {
  await onBadDay(first(1, isWatch, { kind: "silence" }), async (bench) => {
    await until("the watch hangs", () => Promise.resolve(bench.api.seen.some(isWatch)));
    await bench.set("a", "2");
    await sees(bench, { a: "2" });
    assert.equal(bench.api.seen.filter(isWholeList).length, 1);
  });
});

Deno.test("an answer that never comes fails a write in the time it is given", async () => {
  await onBadDay(undefined, async (bench) => {
    await sees(bench, { a: "1" });
    bench.api.fault = ({ method }) => method === "POST" ? { kind: "silence" } : undefined;
    const signal = AbortSignal.timeout(500);
    await assert.rejects(bench.kube.create(CONFIG_MAPS, map("b", "1"), { signal }));
    bench.api.fault = undefined;
    await bench.set("a", "2");
    await until("the change is seen", () => Promise.resolve(bench.values().a === "2"));
  });
});
