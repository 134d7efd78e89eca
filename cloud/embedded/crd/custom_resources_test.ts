import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { silentLogger } from "../../../common/module/mod.ts";
import type { ApiObject, JsonObject } from "../object.ts";
import { Registry } from "../registry.ts";
import { ResourceTable } from "../resources/table.ts";
import { ObjectStore } from "../storage/object_store.ts";
import { type ControlPlaneUnderTest, startControlPlane } from "../testing.ts";
import { goodCrd } from "./cases_testing.ts";
import { CustomResources } from "./custom_resources.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS = "/apis/cases.example.com/v1/namespaces/default/things";
const MERGE = { "content-type": "application/merge-patch+json" };

function crd(plural: string, spec: JsonObject = {}): JsonObject {
  const kind = plural[0]!.toUpperCase() + plural.slice(1, -1);
  return {
    ...goodCrd(),
    metadata: { name: `${plural}.cases.example.com` },
    spec: { ...goodCrd().spec, names: { plural, kind }, ...spec },
  };
}

function thing(name: string, spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: "cases.example.com/v1", kind: "Thing", metadata: { name, ...metadata }, spec };
}

async function ok(answer: Promise<{ status: number; body: JsonObject }>, status = 201): Promise<JsonObject> {
  const { status: got, body } = await answer;
  assert.equal(got, status, JSON.stringify(body));
  return body;
}

/** The definition as soon as it is as wanted. */
async function definitionWhen(
  api: ControlPlaneUnderTest,
  name: string,
  wanted: (crd: JsonObject) => boolean,
): Promise<JsonObject> {
  const events = await api.watch(
    `${CRDS}?watch=true&fieldSelector=metadata.name%3D${name}`,
    (seen) => seen.some(({ object }) => wanted(object)),
  );
  return events.find(({ object }) => wanted(object))!.object;
}

function conditions(object: JsonObject): Record<string, string> {
  const { conditions = [] } = object.status as { conditions?: Array<{ type: string; reason: string }> };
  return Object.fromEntries(conditions.map(({ type, reason }) => [type, reason]));
}

Deno.test("custom resources survive a restart, and so does the server with damaged ones", async () => {
  await using api = await startControlPlane();
  await ok(api.request("POST", CRDS, crd("things")));
  await ok(api.request("POST", CRDS, crd("gadgets")));
  await ok(api.request("POST", THINGS, thing("kept", { a: "x" })));
  await ok(api.request("POST", THINGS, thing("torn")));
  await api.restart();
  assert.equal((await api.request("GET", `${THINGS}/kept`)).body.metadata.generation, 1);
  const path = `${api.dataDir}/control-plane.db`;
  await api.restart(() => {
    using db = new DatabaseSync(path);
    const spoil = db.prepare("UPDATE objects SET body = ? WHERE name = ?");
    spoil.run("{", "torn");
    spoil.run(
      '{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"gadgets.cases.example.com"},"spec":{"versions":7}}',
      "gadgets.cases.example.com",
    );
  });
  assert.equal((await api.request("GET", `${THINGS}/kept`)).status, 200);
  assert.equal((await api.request("GET", `${THINGS}/torn`)).status, 404);
  assert.equal((await api.request("GET", "/apis/cases.example.com/v1/gadgets")).status, 404);
  await ok(api.request("POST", THINGS, thing("new")));
});

Deno.test("objects that are stored are read with what the definition says now", async () => {
  await using api = await startControlPlane();
  await ok(api.request("POST", CRDS, crd("things")));
  await ok(api.request("POST", THINGS, thing("a", { a: "x" })));
  const patch = (properties: JsonObject) =>
    api.request("PATCH", `${CRDS}/things.cases.example.com`, [{
      op: "replace",
      path: "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties",
      value: properties,
    }], { "content-type": "application/json-patch+json" });
  const read = async () => (await api.request("GET", THINGS)).body.items as JsonObject[];
  assert.deepEqual((await read())[0]?.spec, { a: "x" });
  await ok(patch({ a: { type: "string" }, b: { type: "string", default: "filled" } }), 200);
  assert.deepEqual((await read())[0]?.spec, { a: "x", b: "filled" });
  await ok(patch({ b: { type: "string", default: "other" } }), 200);
  assert.deepEqual((await read())[0]?.spec, { b: "other" });
  await api.restart();
  assert.deepEqual((await read())[0]?.spec, { b: "other" });
});

Deno.test("a watch ends when the definition changes, and can go on from where it was", async () => {
  await using api = await startControlPlane();
  await ok(api.request("POST", CRDS, crd("things")));
  const first = await ok(api.request("POST", THINGS, thing("a")));
  const since = (first.metadata as JsonObject).resourceVersion;
  const watch = api.watch(`${THINGS}?watch=true&resourceVersion=${since}`, () => false);
  await ok(api.request("POST", THINGS, thing("b")));
  await ok(
    api.request(
      "PATCH",
      `${CRDS}/things.cases.example.com`,
      { spec: { names: { shortNames: ["th"] } } },
      MERGE,
    ),
    200,
  );
  assert.deepEqual((await watch).map(({ type, object }) => [type, object.metadata.name]), [["ADDED", "b"]]);
  await ok(api.request("POST", THINGS, thing("c")));
  const again = await api.watch(`${THINGS}?watch=true&resourceVersion=${since}`, (seen) => seen.length === 2);
  assert.deepEqual(again.map(({ object }) => object.metadata.name), ["b", "c"]);
});

Deno.test("names in use wait until they are free", async () => {
  await using api = await startControlPlane();
  await ok(api.request("POST", CRDS, crd("things")));
  await ok(api.request("POST", CRDS, crd("others", { names: { plural: "others", kind: "Thing" } })));
  const waiting = await definitionWhen(
    api,
    "others.cases.example.com",
    (o) => "NamesAccepted" in conditions(o),
  );
  assert.deepEqual(conditions(waiting), { NamesAccepted: "ListKindConflict", Established: "NotAccepted" });
  assert.equal((await api.request("GET", "/apis/cases.example.com/v1/others")).status, 404);
  await ok(api.request("DELETE", `${CRDS}/things.cases.example.com`), 200);
  const free = await definitionWhen(
    api,
    "others.cases.example.com",
    (o) => conditions(o).NamesAccepted === "NoConflicts",
  );
  assert.equal(conditions(free).Established, "InitialNamesAccepted");
  assert.equal((await api.request("GET", "/apis/cases.example.com/v1/others")).status, 200);
});

Deno.test("a built-in resource keeps its names, but reliablesyncs may be taken over", async () => {
  await using api = await startControlPlane();
  const leases = crd("leases", { group: "coordination.k8s.io" });
  leases.metadata = {
    name: "leases.coordination.k8s.io",
    annotations: { "api-approved.kubernetes.io": "unapproved, a test" },
  };
  await ok(api.request("POST", CRDS, leases));
  const refused = await definitionWhen(
    api,
    "leases.coordination.k8s.io",
    (o) => "NamesAccepted" in conditions(o),
  );
  assert.equal(conditions(refused).NamesAccepted, "ListKindConflict");

  const syncs = "/apis/reliablesyncs.kubeedge.io/v1alpha1/namespaces/default/objectsyncs";
  const sync = {
    apiVersion: "reliablesyncs.kubeedge.io/v1alpha1",
    kind: "ObjectSync",
    metadata: { name: "n.1" },
    spec: { objectName: "pod" },
  };
  await ok(api.request("POST", syncs, sync));
  const definition = {
    ...goodCrd(),
    metadata: { name: "objectsyncs.reliablesyncs.kubeedge.io" },
    spec: {
      group: "reliablesyncs.kubeedge.io",
      scope: "Namespaced",
      names: { plural: "objectsyncs", kind: "ObjectSync", shortNames: ["os"] },
      versions: [{
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: { type: "object", properties: { objectName: { type: "string" } } } },
          },
        },
      }],
    },
  };
  await ok(api.request("POST", CRDS, definition));
  await definitionWhen(api, "objectsyncs.reliablesyncs.kubeedge.io", (o) => "Established" in conditions(o));
  assert.deepEqual((await api.request("GET", `${syncs}/n.1`)).body.spec, { objectName: "pod" });
  const { body } = await api.request("GET", "/apis/reliablesyncs.kubeedge.io/v1alpha1");
  const served = (body.resources as JsonObject[]).find(({ name }) => name === "objectsyncs");
  assert.deepEqual(served?.shortNames, ["os"]);
  await api.restart();
  assert.equal((await api.request("GET", `${syncs}/n.1`)).status, 200);
  const going = await ok(api.request("DELETE", `${CRDS}/objectsyncs.reliablesyncs.kubeedge.io`), 200);
  await api.watch(
    `${CRDS}?watch=true&resourceVersion=${(going.metadata as JsonObject).resourceVersion}`,
    (seen) => seen.some(({ type }) => type === "DELETED"),
  );
  // The built-in one is back, without the objects that went with the definition.
  assert.deepEqual((await api.request("GET", syncs)).body.items, []);
  await ok(api.request("POST", syncs, sync));
});

Deno.test("a definition goes after its objects, and holds back new ones meanwhile", async () => {
  await using api = await startControlPlane();
  await ok(api.request("POST", CRDS, crd("things")));
  for (let i = 0; i < 250; i++) await ok(api.request("POST", THINGS, thing(`t${i}`)));
  await ok(api.request("POST", THINGS, thing("held", {}, { finalizers: ["example.com/hold"] })));
  await ok(api.request("DELETE", `${CRDS}/things.cases.example.com`), 200);
  const going = await definitionWhen(
    api,
    "things.cases.example.com",
    (o) => conditions(o).Terminating === "InstanceDeletionInProgress",
  );
  assert.deepEqual((going.metadata as JsonObject).finalizers, ["customresourcecleanup.apiextensions.k8s.io"]);
  assert.equal((await api.request("POST", THINGS, thing("late"))).status, 405);
  await api.restart();
  const present = await ok(api.request("GET", `${CRDS}/things.cases.example.com`), 200);
  await ok(api.request("PATCH", `${THINGS}/held`, { metadata: { finalizers: null } }, MERGE), 200);
  await api.watch(
    `${CRDS}?watch=true&resourceVersion=${(present.metadata as JsonObject).resourceVersion}`,
    (seen) => seen.some(({ type }) => type === "DELETED"),
  );
  assert.equal((await api.request("GET", THINGS)).status, 404);
  await ok(api.request("POST", CRDS, crd("things")));
  assert.deepEqual((await api.request("GET", THINGS)).body.items, []);
});

Deno.test("whoever hears that a definition is gone finds its resources no longer served", async () => {
  const dir = await Deno.makeTempDir();
  using store = ObjectStore.open(`${dir}/x.db`);
  const clock = new FakeClock();
  const registry = new Registry({ store, table: new ResourceTable(), clock });
  using custom = new CustomResources({ registry, clock, log: silentLogger });
  custom.start();
  const definitions = registry.table.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")!;
  const served = () => registry.table.find("cases.example.com", "v1", "things") !== undefined;
  registry.create(definitions, "", crd("things") as ApiObject);
  custom.retry();
  assert.ok(served());
  const heard = new Promise<boolean>((resolve) => {
    registry.cache(definitions).subscribe(({ type }) => {
      if (type === "DELETED") queueMicrotask(() => resolve(served()));
    });
  });
  registry.delete(definitions, { namespace: "", name: "things.cases.example.com" }, {});
  assert.equal(await heard, false);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a namespace goes with the custom objects in it", async () => {
  await using api = await startControlPlane();
  await ok(
    api.request("POST", "/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "n" },
    }),
  );
  await ok(api.request("POST", CRDS, crd("things")));
  const inside = THINGS.replace("default", "n");
  const made = await ok(api.request("POST", inside, thing("a")));
  await api.request("DELETE", "/api/v1/namespaces/n");
  await api.watch(
    `/api/v1/namespaces?watch=true&resourceVersion=${(made.metadata as JsonObject).resourceVersion}`,
    (seen) => seen.some(({ type, object }) => type === "DELETED" && object.metadata.name === "n"),
  );
  assert.deepEqual((await api.request("GET", "/apis/cases.example.com/v1/things")).body.items, []);
});

Deno.test("what is not done here is refused with the reason", async (t) => {
  await using api = await startControlPlane();
  const schema = (a: JsonObject) => ({
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: "object", properties: { a } } },
    }],
  });
  const rows: Array<[name: string, spec: JsonObject, message: RegExp]> = [
    [
      "CEL rules",
      schema({ type: "string", "x-kubernetes-validations": [{ rule: "self != ''" }] }),
      /no CEL rules/,
    ],
    ["webhooks", {
      conversion: {
        strategy: "Webhook",
        webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: "https://a" } },
      },
    }, /calls no webhooks/],
    ["patterns that are too long", schema({ type: "string", pattern: "a".repeat(5000) }), /longer than 4096/],
    [
      "patterns that are too large",
      schema({ type: "string", pattern: "(a{1000}){100}" }),
      /valid regular expression/,
    ],
  ];
  for (const [name, spec, message] of rows) {
    await t.step(name, async () => {
      const { status, body } = await api.request("POST", CRDS, crd("things", spec));
      assert.equal(status, 422);
      assert.match(String(body.message), message);
    });
  }
});

Deno.test("versions convert by their name only, each with its own fields", async () => {
  await using api = await startControlPlane();
  const version = (name: string, storage: boolean, field: string) => ({
    name,
    served: true,
    storage,
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: {
          spec: { type: "object", properties: { both: { type: "string" }, [field]: { type: "string" } } },
        },
      },
    },
  });
  await ok(
    api.request(
      "POST",
      CRDS,
      crd("things", { versions: [version("v1", true, "new"), version("v1beta1", false, "old")] }),
    ),
  );
  const beta = THINGS.replace("/v1/", "/v1beta1/");
  await ok(api.request("POST", THINGS, thing("a", { both: "x", new: "y" })));
  await ok(
    api.request("POST", beta, {
      ...thing("b", { both: "x", old: "z" }),
      apiVersion: "cases.example.com/v1beta1",
    }),
  );
  const specs = async (path: string) =>
    ((await api.request("GET", path)).body.items as JsonObject[]).map((o) => [o.apiVersion, o.spec]);
  assert.deepEqual(await specs(THINGS), [
    ["cases.example.com/v1", { both: "x", new: "y" }],
    ["cases.example.com/v1", { both: "x" }],
  ]);
  assert.deepEqual(await specs(beta), [
    ["cases.example.com/v1beta1", { both: "x" }],
    ["cases.example.com/v1beta1", { both: "x" }],
  ]);
  const events = await api.watch(`${beta}?watch=true`, (seen) => seen.length === 2);
  assert.deepEqual(events.map(({ object }) => object.apiVersion), [
    "cases.example.com/v1beta1",
    "cases.example.com/v1beta1",
  ]);
});
