/**
 * An edgecore at a cloud, with a pod that must come to no harm whatever the cloud does, and the question whether all is well
 * still. For tests only.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { SecureContextOptions } from "node:tls";
import { EdgeCloud, type Json, podOf } from "./edge_cloud.ts";
import { type EdgeCore, startEdgeCore } from "./edge_core.ts";

export interface EdgeBench extends AsyncDisposable {
  readonly cloud: EdgeCloud;
  readonly edge: EdgeCore;
  readonly directory: string;
  /** Pushes and waits for the acknowledgement; returns the message's id. */
  acknowledged(operation: string, resource: string, content: unknown): Promise<string>;
  /** The stored value under a key. */
  stored(key: string): Json | undefined;
  /** Waits until a pod runs, as the cloud was told. */
  running(name: string): Promise<void>;
  /** Containers of a pod, `state id`. */
  containers(name: string): Promise<string[]>;
  /** Holds that the link, the store and the pod that runs all along are as they were. */
  healthy(): Promise<void>;
}

/** A ConfigMap as the API has it. */
export function configMapOf(name: string, version: string, data: Json = {}): Json {
  return {
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion: version },
    data,
  };
}

/** @param tls what the cloud's servers accept */
export async function startBench(tls: SecureContextOptions = {}): Promise<EdgeBench> {
  const directory = await Deno.makeTempDir();
  const cloud = await EdgeCloud.start("edge-1", tls);
  const edge = startEdgeCore({
    directory,
    hub: await cloud.options(directory),
    edged: { reportEvent: true },
  });
  let witness: string[] = [];
  let probes = 0;
  const bench: EdgeBench = {
    cloud,
    edge,
    directory,
    async acknowledged(operation, resource, content) {
      const id = cloud.push(operation, resource, content);
      await edge.until(`${operation} ${resource} is acknowledged`, () => cloud.acks(id).length > 0);
      return id;
    },
    stored(key) {
      using db = new DatabaseSync(edge.databasePath, { readOnly: true });
      const row = db.prepare("SELECT value FROM meta WHERE key = ?").get(key);
      return row === undefined ? undefined : JSON.parse(String(row.value));
    },
    async running(name) {
      await edge.until(
        `pod ${name} runs`,
        () => {
          const status = cloud.objects.get(`default/pod/${name}`)?.status as Json | undefined;
          return status?.phase === "Running";
        },
      );
    },
    async containers(name) {
      return (await edge.runtime.listContainers({})).filter(({ pod }) => pod.name === name)
        .map(({ state, id }) => `${state} ${id}`);
    },
    async healthy() {
      await bench.acknowledged(
        "update",
        "default/configmap/probe",
        configMapOf("probe", String(5000 + ++probes)),
      );
      assert.equal(
        (bench.stored("default/configmap/probe")?.metadata as Json).resourceVersion,
        String(5000 + probes),
      );
      assert.deepEqual(
        await bench.containers("witness"),
        witness,
        "the pod that runs all along was not touched",
      );
      assert.equal((bench.stored("default/pod/witness")?.metadata as Json).uid, "uid-witness");
      using db = new DatabaseSync(edge.databasePath, { readOnly: true });
      assert.equal(db.prepare("PRAGMA quick_check(1)").get()?.quick_check, "ok");
    },
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await cloud[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
  await edge.until("the edge connects", () => cloud.connected);
  await edge.until("the node is registered", () => cloud.objects.has("null/node/edge-1"));
  const pod = podOf("witness");
  cloud.objects.set("default/pod/witness", pod);
  await bench.acknowledged("update", "default/pod/witness", pod);
  await bench.running("witness");
  witness = await bench.containers("witness");
  assert.equal(witness.length, 1);
  return bench;
}

/** Something that upstream's cloud does; `act` plays it, afterwards the bench must be healthy. */
export interface Quirk {
  /** Of `reference/cloud-edge-protocol.md`. */
  section: string;
  quirk: string;
  act: (bench: EdgeBench) => Promise<void>;
}

/** Plays each in a step of its own. */
export async function playAll(t: Deno.TestContext, quirks: readonly Quirk[]): Promise<void> {
  await using bench = await startBench();
  for (const { section, quirk, act } of quirks) {
    await t.step(`${section} ${quirk}`, async () => {
      await act(bench);
      await bench.healthy();
    });
  }
}

/** A pod that the cloud has, in a version newer than any. */
export const podIn = (bench: EdgeBench, name: string, more: Parameters<typeof podOf>[1] = {}) => {
  const pod = podOf(name, { version: bench.cloud.nextVersion(), ...more });
  bench.cloud.objects.set(`default/pod/${name}`, pod);
  return pod;
};

/** A pod that was pushed and runs. */
export async function runPod(bench: EdgeBench, name: string): Promise<Json> {
  const pod = podIn(bench, name);
  await bench.acknowledged("update", `default/pod/${name}`, pod);
  await bench.running(name);
  return pod;
}

/** Waits until the engine has nothing of a pod. */
export async function untilGone(bench: EdgeBench, name: string): Promise<void> {
  for (let i = 0; i < 200 && (await bench.containers(name)).length > 0; i++) await bench.edge.pass(100, 50);
  assert.deepEqual(await bench.containers(name), [], `pod ${name} is gone from the engine`);
}
