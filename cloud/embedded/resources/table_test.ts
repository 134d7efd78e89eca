import assert from "node:assert/strict";
import { Discovery } from "../api/discovery.ts";
import { compareVersions } from "../api/discovery.ts";
import type { CustomType, ResourceDefinition } from "./definition.ts";
import { ResourceTable } from "./table.ts";

const custom: CustomType = {
  conform: (given) => given,
  openApi: { name: "x", schema: () => ({}) },
};

function definition(group: string, version: string, resource: string, key?: string): ResourceDefinition {
  const same = (object: Parameters<ResourceDefinition["row"]>[0]) => object;
  return {
    group,
    version,
    resource,
    singular: resource.slice(0, -1),
    kind: resource,
    namespaced: true,
    schema: "",
    columns: [],
    row: () => [],
    ...(key === undefined ? {} : {
      custom,
      storedAs: { key, primary: version === "v1", toStored: same, fromStored: same },
    }),
  };
}

Deno.test("ResourceTable serves custom resources in place of built-in ones, and those again after them", () => {
  const built = definition("a.io", "v1beta1", "things");
  const other = definition("a.io", "v1beta1", "others");
  const table = new ResourceTable([built, other]);
  const before = table.changes;
  const [v1, v2] = ["v1", "v2"].map((version) => definition("a.io", version, "things", "things.a.io"));
  assert.equal(table.setCustom("things.a.io", [v1!, v2!]), built);
  assert.notEqual(table.changes, before);
  assert.deepEqual(table.all(), [other, v1, v2]);
  assert.deepEqual(table.stored(), [other, v1]);
  assert.equal(table.find("a.io", "v1beta1", "things"), undefined);
  assert.equal(table.find("a.io", "v2", "things"), v2);
  assert.deepEqual(table.builtIn(), [built, other]);
  table.setCustom("things.a.io", []);
  assert.deepEqual(table.all(), [built, other]);
  assert.equal(table.find("a.io", "v1beta1", "things"), built);
  assert.equal(table.find("a.io", "v2", "things"), undefined);
});

Deno.test("Discovery names the versions of a group in the order of preference", () => {
  const table = new ResourceTable([]);
  const versions = ["v1alpha1", "v2", "v1beta1", "v1", "foo", "v10", "v1beta2"];
  table.setCustom(
    "things.a.io",
    versions.map((version) => definition("a.io", version, "things", "things.a.io")),
  );
  const group = new Discovery(table).group("a.io") as {
    versions: Array<{ version: string }>;
    preferredVersion: { version: string };
  };
  const order = ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"];
  assert.deepEqual(group.versions.map(({ version }) => version), order);
  assert.equal(group.preferredVersion.version, "v10");
  assert.deepEqual([...versions].sort(compareVersions), order);
});
