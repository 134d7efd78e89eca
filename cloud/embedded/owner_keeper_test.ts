import assert from "node:assert/strict";
import { goodCrd } from "./crd/cases_testing.ts";
import { type ControlPlaneUnderTest, startControlPlane } from "./testing.ts";
import type { JsonObject } from "./object.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS = "/apis/cases.example.com/v1/namespaces/default/things";
const MAPS = "/api/v1/namespaces/default/configmaps";

function thing(name: string, owners: JsonObject[] = []): JsonObject {
  return {
    apiVersion: "cases.example.com/v1",
    kind: "Thing",
    metadata: { name, ownerReferences: owners },
    spec: {},
  };
}

function ownerOf(object: JsonObject, more: JsonObject = {}): JsonObject {
  const { name, uid } = object.metadata as JsonObject;
  return { apiVersion: object.apiVersion, kind: object.kind, name, uid, ...more };
}

async function made(api: ControlPlaneUnderTest, path: string, body: JsonObject): Promise<JsonObject> {
  const { status, body: object } = await api.request("POST", path, body);
  assert.equal(status, 201, JSON.stringify(object));
  return object;
}

/** Waits until a watch has told that an object is gone, after another one was made. */
async function gone(
  api: ControlPlaneUnderTest,
  path: string,
  name: string,
  after: JsonObject,
): Promise<void> {
  const { resourceVersion } = after.metadata as JsonObject;
  await api.watch(
    `${path}?watch=true&resourceVersion=${resourceVersion}&fieldSelector=metadata.name%3D${name}`,
    (events) => events.some(({ type }) => type === "DELETED"),
  );
}

Deno.test("what custom objects own, and what owns them, is collected", async (t) => {
  await using api = await startControlPlane();
  await made(api, CRDS, goodCrd());

  await t.step("a custom object goes with its custom owner", async () => {
    const owner = await made(api, THINGS, thing("owner"));
    await made(api, THINGS, thing("owned", [ownerOf(owner)]));
    await api.request("DELETE", `${THINGS}/owner`);
    await gone(api, THINGS, "owned", owner);
  });

  await t.step(
    "a built-in object goes with its custom owner, and a custom one with a built-in owner",
    async () => {
      const owner = await made(api, THINGS, thing("lord"));
      const map = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "vassal", ownerReferences: [ownerOf(owner)] },
      };
      const vassal = await made(api, MAPS, map);
      await made(api, THINGS, thing("serf", [ownerOf(vassal)]));
      await api.request("DELETE", `${THINGS}/lord`);
      await gone(api, MAPS, "vassal", owner);
      await gone(api, THINGS, "serf", owner);
    },
  );

  await t.step("an object with another owner left loses only the reference", async () => {
    const [a, b] = [await made(api, THINGS, thing("a")), await made(api, THINGS, thing("b"))];
    await made(api, THINGS, thing("of-both", [ownerOf(a), ownerOf(b)]));
    await api.request("DELETE", `${THINGS}/a`);
    const events = await api.watch(
      `${THINGS}?watch=true&fieldSelector=metadata.name%3Dof-both`,
      (seen) => seen.at(-1)?.object.metadata.ownerReferences?.length === 1,
    );
    assert.equal(events.at(-1)?.object.metadata.ownerReferences?.[0]?.name, "b");
  });

  await t.step("an owner deleted in the foreground waits for what it owns", async () => {
    const owner = await made(api, THINGS, thing("patient"));
    const held = thing("held", [ownerOf(owner, { blockOwnerDeletion: true })]);
    (held.metadata as JsonObject).finalizers = ["example.com/hold"];
    await made(api, THINGS, held);
    await api.request("DELETE", `${THINGS}/patient?propagationPolicy=Foreground`);
    await api.watch(
      `${THINGS}?watch=true&fieldSelector=metadata.name%3Dheld`,
      (seen) => seen.at(-1)?.object.metadata.deletionTimestamp !== undefined,
    );
    assert.equal((await api.request("GET", `${THINGS}/patient`)).status, 200);
    await api.request("PATCH", `${THINGS}/held`, { metadata: { finalizers: null } }, {
      "content-type": "application/merge-patch+json",
    });
    await gone(api, THINGS, "patient", owner);
  });

  await t.step("orphans stay without their owner", async () => {
    const owner = await made(api, THINGS, thing("leaving"));
    await made(api, THINGS, thing("orphan", [ownerOf(owner)]));
    await api.request("DELETE", `${THINGS}/leaving?propagationPolicy=Orphan`);
    await gone(api, THINGS, "leaving", owner);
    const { body } = await api.request("GET", `${THINGS}/orphan`);
    assert.equal(body.metadata.ownerReferences, undefined);
  });

  await t.step("an owner of a kind that nobody knows is left to be", async () => {
    await made(
      api,
      THINGS,
      thing("ward", [{ apiVersion: "x.example.com/v1", kind: "Guardian", name: "g", uid: "u" }]),
    );
    const owner = await made(api, THINGS, thing("short-lived"));
    await made(api, THINGS, thing("follower", [ownerOf(owner)]));
    await api.request("DELETE", `${THINGS}/short-lived`);
    await gone(api, THINGS, "follower", owner);
    assert.equal((await api.request("GET", `${THINGS}/ward`)).status, 200);
  });
});
