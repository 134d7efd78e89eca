/** A world of volumes for the tests of this folder. */
import assert from "node:assert/strict";
import type { ConfigMap, Pod, Secret, Volume } from "../../../common/api/core_v1.ts";
import { StatusError } from "../../../common/errors/mod.ts";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { silentLogger } from "../../../common/module/mod.ts";
import { PodEnvironmentError, type PodVolumes } from "../pod_environment.ts";
import { type Mounter, podVolumes, systemMounter } from "./mod.ts";

export const UID = "2f6b6e5c-0000-4000-8000-000000000001";

/** Whether this process may mount, found by trying. */
async function mayMount(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  const dir = await Deno.makeTempDir();
  try {
    await systemMounter.mountTmpfs(dir, { sizeBytes: 4096, mode: 0o700 });
    await systemMounter.unmount(dir);
    return true;
  } catch (error) {
    // Without the right to mount, the tests that need it cannot run.
    if (error instanceof Error && /failed: /.test(error.message)) return false;
    throw error;
  } finally {
    await Deno.remove(dir);
  }
}

export const mountable = await mayMount();
export const root = Deno.uid() === 0;

/** What a test works with. */
export interface World {
  dir: string;
  clock: FakeClock;
  volumes: PodVolumes;
  configMaps: Map<string, ConfigMap>;
  secrets: Map<string, Secret>;
  tokens: { asked: number; error?: StatusError };
  /** What the API waits for before it answers. */
  slow: { until: Promise<void> };
}

/** Runs a test with volumes below a directory of its own, and sees that nothing is left of the pod. */
export async function withVolumes(body: (world: World) => Promise<void>, mounter?: Mounter): Promise<void> {
  const dir = await Deno.makeTempDir();
  const clock = new FakeClock();
  const configMaps = new Map<string, ConfigMap>();
  const secrets = new Map<string, Secret>();
  const tokens: World["tokens"] = { asked: 0 };
  const slow = { until: Promise.resolve() };
  const get = async <T>(map: Map<string, T>, name: string) => {
    await slow.until;
    const found = map.get(name);
    if (found === undefined) throw new StatusError("NotFound", "no");
    return found;
  };
  const volumes = podVolumes({
    api: {
      getConfigMap: (_, name) => get(configMaps, name),
      getSecret: (_, name) => get(secrets, name),
      createToken: (namespace, account, request) => {
        tokens.asked++;
        if (tokens.error !== undefined) return Promise.reject(tokens.error);
        const { spec } = request;
        const token =
          `${namespace}/${account}/${spec.audiences.join()}/${spec.boundObjectRef?.name}/${tokens.asked}`;
        const expirationTimestamp = new Date(clock.now() + spec.expirationSeconds! * 1000).toISOString();
        return Promise.resolve({ ...request, status: { token, expirationTimestamp } });
      },
    },
    downward: {
      field: (pod, path) => `${path} of ${pod.metadata?.name}`,
      resource: (_, { resource }) => resource,
    },
    ...(mounter === undefined ? {} : { mounter }),
    clock,
    log: silentLogger,
  }, { rootDirectory: dir });
  try {
    await body({ dir, clock, volumes, configMaps, secrets, tokens, slow });
  } finally {
    await volumes.tearDown(UID);
    await volumes.tearDown(UID);
    assert.deepEqual(await volumes.listPodUids(), []);
    await Deno.remove(dir, { recursive: true });
  }
}

export function podWith(volumes: Volume[], spec: Partial<Pod["spec"]> = {}): Pod {
  return {
    metadata: { name: "web", namespace: "default", uid: UID },
    spec: { containers: [{ name: "main" }], volumes, ...spec },
  };
}

export const read = (path: string) => Deno.readTextFile(path);
export const bitsOf = async (path: string) => (await Deno.stat(path)).mode! & 0o7777;

export const fails = (kind: PodEnvironmentError["kind"], message: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof PodEnvironmentError, String(error));
  if (typeof message === "string") assert.equal(error.message, message);
  else assert.match(error.message, message);
  assert.equal(error.kind, kind);
  return true;
};
