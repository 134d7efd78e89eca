import assert from "node:assert/strict";
import { textAt, valueAt } from "../object.ts";
import { startControlPlane } from "../testing.ts";

const PODS = "/api/v1/namespaces/default/pods";
const BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const MERGE = { "content-type": "application/merge-patch+json" };

Deno.test("an eviction is refused by a budget without room, and spends from one that has it", async () => {
  await using plane = await startControlPlane();
  const run = async (name: string, ready = "True") => {
    await plane.request("POST", PODS, {
      metadata: { name, labels: { app: "web" } },
      spec: { nodeName: "n", containers: [{ name: "c", image: "i" }] },
    });
    const status = { phase: "Running", conditions: [{ type: "Ready", status: ready }] };
    await plane.request("PATCH", `${PODS}/${name}/status`, { status }, MERGE);
  };
  const evict = (name: string) =>
    plane.request("POST", `${PODS}/${name}/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name, namespace: "default" },
    });
  const budget = (status: object) => plane.request("PATCH", `${BUDGETS}/b/status`, { status }, MERGE);
  for (const name of ["a", "b", "c"]) await run(name);
  await run("sick", "False");
  const made = await plane.request("POST", BUDGETS, {
    metadata: { name: "b" },
    spec: { minAvailable: 2, selector: { matchLabels: { app: "web" } } },
  });
  assert.equal(made.status, 201);
  const early = await evict("a");
  assert.deepEqual([early.status, early.headers.get("retry-after")], [429, "10"]);

  await budget({
    observedGeneration: 1,
    disruptionsAllowed: 1,
    currentHealthy: 3,
    desiredHealthy: 2,
    expectedPods: 4,
  });
  assert.equal((await evict("a")).status, 201);
  const spent = await plane.request("GET", `${BUDGETS}/b`);
  assert.equal(valueAt(spent.body, "status", "disruptionsAllowed"), 0);
  assert.deepEqual(Object.keys(valueAt(spent.body, "status", "disruptedPods") as object), ["a"]);

  const refused = await evict("b");
  assert.equal(refused.status, 429);
  assert.equal(
    textAt(refused.body, "message"),
    "Cannot evict pod as it would violate the pod's disruption budget.",
  );
  assert.match(
    JSON.stringify(refused.body.details),
    /The disruption budget b needs 2 healthy pods and has 3 currently/,
  );
  assert.equal((await plane.request("GET", `${PODS}/b`)).body.metadata.deletionTimestamp, undefined);
  assert.equal(
    (await evict("sick")).status,
    201,
    "a pod that does not serve is no loss while enough others do",
  );

  await plane.request("POST", BUDGETS, {
    metadata: { name: "all" },
    spec: { maxUnavailable: 1, selector: {} },
  });
  const twice = await evict("b");
  assert.equal(twice.status, 500);
  assert.match(textAt(twice.body, "message"), /more than one PodDisruptionBudget/);
});

Deno.test("a pod has the priority of its class, or of the default one", async () => {
  await using plane = await startControlPlane();
  const classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
  const pod = (spec: object) =>
    plane.request("POST", `${PODS}?dryRun=All`, {
      metadata: { name: "p" },
      spec: { ...spec, containers: [{ name: "c", image: "i" }] },
    });
  const priority = async (spec: object) => valueAt((await pod(spec)).body, "spec", "priority");
  assert.equal(await priority({}), 0);
  assert.equal(await priority({ priorityClassName: "system-node-critical" }), 2_000_001_000);
  assert.match(
    textAt((await pod({ priorityClassName: "nope" })).body, "message"),
    /no PriorityClass with name nope was found/,
  );
  assert.match(
    textAt((await pod({ priority: 7 })).body, "message"),
    /the integer value of priority \(7\) must not be provided in pod spec; priority admission controller computed 0/,
  );
  await plane.request("POST", classes, { metadata: { name: "usual" }, value: 50, globalDefault: true });
  const made = await pod({});
  assert.deepEqual(
    [valueAt(made.body, "spec", "priority"), valueAt(made.body, "spec", "priorityClassName")],
    [50, "usual"],
  );
  const reserved = await plane.request("POST", classes, { metadata: { name: "system-x" }, value: 5 });
  assert.match(textAt(reserved.body, "message"), /'system-' prefix are reserved for system use only/);
});
