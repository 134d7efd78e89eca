import assert from "node:assert/strict";
import { isAlreadyExists, isConflict, StatusError } from "../../common/errors/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import type { ApiObject } from "./object.ts";
import { Registry } from "./registry.ts";
import type { ResourceDefinition } from "./resources/definition.ts";
import { ResourceTable } from "./resources/table.ts";
import { ObjectStore } from "./storage/object_store.ts";

interface Fixture extends AsyncDisposable {
  registry: Registry;
  clock: FakeClock;
  pods: ResourceDefinition;
  configMaps: ResourceDefinition;
}

async function fixture(): Promise<Fixture> {
  const dir = await Deno.makeTempDir();
  const store = ObjectStore.open(`${dir}/x.db`);
  const clock = new FakeClock();
  const registry = new Registry({ store, table: new ResourceTable(), clock });
  const find = (resource: string) => registry.table.find("", "v1", resource)!;
  registry.create(find("namespaces"), "", { apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
  registry.create(find("serviceaccounts"), "ns", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default" },
  });
  return {
    registry,
    clock,
    pods: find("pods"),
    configMaps: find("configmaps"),
    [Symbol.asyncDispose]: async () => {
      store[Symbol.dispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

const pod = (spec: object = {}, metadata: object = { name: "p" }): ApiObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata,
  spec: { containers: [{ name: "c", image: "demo" }], ...spec },
});

Deno.test("Registry.create() fills what the real server fills in a pod", async () => {
  await using f = await fixture();
  const made = f.registry.create(f.pods, "ns", pod());
  const spec = made.spec as Record<string, unknown>;
  assert.deepEqual(
    [
      spec.restartPolicy,
      spec.dnsPolicy,
      spec.schedulerName,
      spec.terminationGracePeriodSeconds,
      spec.serviceAccountName,
    ],
    ["Always", "ClusterFirst", "default-scheduler", 30, "default"],
  );
  const [container] = spec.containers as Array<Record<string, unknown>>;
  assert.deepEqual([container!.imagePullPolicy, container!.terminationMessagePath], [
    "Always",
    "/dev/termination-log",
  ]);
  const [volume] = spec.volumes as Array<{ name: string; projected: { sources: unknown[] } }>;
  assert.match(volume!.name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.equal(volume!.projected.sources.length, 3);
  const [mount] = container!.volumeMounts as Array<{ mountPath: string }>;
  assert.equal(mount!.mountPath, "/var/run/secrets/kubernetes.io/serviceaccount");
  assert.deepEqual(
    (spec.tolerations as Array<{ tolerationSeconds: number }>).map((t) => t.tolerationSeconds),
    [300, 300],
  );
  assert.deepEqual(made.status, { phase: "Pending", qosClass: "BestEffort" });
  assert.equal(made.metadata.creationTimestamp, "2026-01-01T00:00:00Z");
});

Deno.test("Registry.create() mounts no token where the pod or its account says so", async () => {
  await using f = await fixture();
  const made = f.registry.create(f.pods, "ns", pod({ automountServiceAccountToken: false }));
  assert.equal((made.spec as { volumes?: unknown }).volumes, undefined);
});

Deno.test("Registry.create() makes a name from generateName", async () => {
  await using f = await fixture();
  const made = f.registry.create(f.pods, "ns", pod({}, { generateName: "web-" }));
  assert.match(made.metadata.name!, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.throws(
    () => f.registry.create(f.pods, "ns", pod({}, { name: made.metadata.name })),
    isAlreadyExists,
  );
});

Deno.test("Registry.update() keeps a pod's spec but for what may change", async (t) => {
  await using f = await fixture();
  f.registry.create(f.pods, "ns", pod({ tolerations: [{ key: "a", operator: "Exists" }] }));
  const change = (edit: (spec: Record<string, unknown>) => void) =>
    f.registry.update(f.pods, { namespace: "ns", name: "p" }, (current) => {
      edit(current.spec as Record<string, unknown>);
      return current;
    });
  const container = (spec: Record<string, unknown>) =>
    (spec.containers as Array<Record<string, unknown>>)[0]!;
  const refused = (e: unknown) =>
    e instanceof StatusError && e.reason === "Invalid" &&
    /spec: Forbidden|existing toleration/.test(e.message);
  await t.step("the image may", () => void change((spec) => container(spec).image = "demo:2"));
  await t.step(
    "a toleration may be added",
    () => void change((spec) => (spec.tolerations as unknown[]).push({ key: "b", operator: "Exists" })),
  );
  await t.step(
    "a toleration may not go",
    () => assert.throws(() => change((spec) => spec.tolerations = []), refused),
  );
  await t.step(
    "a command may not",
    () => assert.throws(() => change((spec) => container(spec).command = ["x"]), refused),
  );
  await t.step("the node may not", () => assert.throws(() => change((spec) => spec.nodeName = "n"), refused));
});

Deno.test("Registry.update() decides on the newest object only", async () => {
  await using f = await fixture();
  const made = f.registry.create(f.configMaps, "ns", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a" },
  });
  const ref = { namespace: "ns", name: "a" };
  f.registry.update(f.configMaps, ref, (current) => ({ ...current, data: { n: "1" } }));
  assert.throws(
    () => f.registry.update(f.configMaps, ref, () => ({ ...made, data: { n: "2" } })),
    isConflict,
  );
  assert.deepEqual(f.registry.get(f.configMaps, ref).data, { n: "1" });
});

Deno.test("Registry.update() refuses changes of an immutable ConfigMap", async () => {
  await using f = await fixture();
  f.registry.create(f.configMaps, "ns", {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a" },
    data: { a: "1" },
    immutable: true,
  });
  assert.throws(
    () =>
      f.registry.update(f.configMaps, { namespace: "ns", name: "a" }, (c) => ({ ...c, data: { a: "2" } })),
    /data: Forbidden: field is immutable when `immutable` is set/,
  );
});

Deno.test("Registry.delete() gives a bound pod its time, and less when asked again", async () => {
  await using f = await fixture();
  f.registry.create(f.pods, "ns", pod({ nodeName: "edge-1" }));
  const ref = { namespace: "ns", name: "p" };
  const first = f.registry.delete(f.pods, ref);
  assert.deepEqual([first.removed, first.object.metadata.deletionTimestamp], [false, "2026-01-01T00:00:30Z"]);
  const version = f.registry.version;
  f.registry.delete(f.pods, ref, { gracePeriodSeconds: 60 });
  assert.equal(f.registry.version, version);
  const shorter = f.registry.delete(f.pods, ref, { gracePeriodSeconds: 5 });
  assert.equal(shorter.object.metadata.deletionTimestamp, "2026-01-01T00:00:05Z");
  assert.equal(f.registry.delete(f.pods, ref, { gracePeriodSeconds: 0 }).removed, true);
});

Deno.test("Registry.delete() removes a pod at once that runs nowhere", async () => {
  await using f = await fixture();
  f.registry.create(f.pods, "ns", pod());
  assert.equal(f.registry.delete(f.pods, { namespace: "ns", name: "p" }).removed, true);
});

Deno.test("Registry refuses an object that is too large, and takes one whose escapes only make it long", async () => {
  await using f = await fixture();
  const configMap = (data: Record<string, string>, annotations: Record<string, string> = {}): ApiObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", annotations },
    data,
  });
  const made = f.registry.create(f.configMaps, "ns", configMap({ lines: '\n"'.repeat(500_000) }));
  assert.equal(made.metadata.name, "c");
  assert.throws(
    () =>
      f.registry.create(
        f.pods,
        "ns",
        pod({ containers: [{ name: "c", image: "demo", args: ["x".repeat(1_600_000)] }] }),
      ),
    (error) =>
      error instanceof StatusError && error.code === 413 && /pods "p".*limit is 1572864/.test(error.message),
  );
});

Deno.test("Registry.update() does not judge again what stays as it is", async () => {
  await using f = await fixture();
  const ref = { namespace: "ns", name: "p" };
  f.registry.create(f.pods, "ns", pod());
  const field = "spec.hostname";
  const stricter: ResourceDefinition = {
    ...f.pods,
    validate: () => [{ reason: "FieldValueInvalid", field, message: "Invalid value" }],
  };
  const labelled = f.registry.update(stricter, ref, (current) => ({
    ...current,
    metadata: { ...current.metadata, labels: { a: "b" } },
  }));
  assert.deepEqual(labelled.metadata.labels, { a: "b" });
  const running = f.registry.update(
    stricter,
    ref,
    (current) => ({ ...current, status: { phase: "Running" } }),
    {
      subresource: "status",
    },
  );
  assert.deepEqual(running.status, { phase: "Running" });
  assert.throws(
    () => f.registry.update(stricter, ref, (current) => ({ ...current, spec: { containers: [] } })),
    (error) => error instanceof StatusError && error.message.includes(field),
  );
});
