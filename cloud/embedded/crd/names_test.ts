import assert from "node:assert/strict";
import { readCrd } from "./definition.ts";
import { goodCrd } from "./cases_testing.ts";
import { planNames, type TakenNames } from "./names.ts";
import type { ApiObject } from "../object.ts";

const NOW = "2026-01-02T03:04:05Z";
const FREE: TakenNames = { resources: new Set(), kinds: new Set() };

function crd(names: object = {}, status: object = {}) {
  const object = goodCrd();
  object.spec.names = { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList", ...names };
  return readCrd({ ...object, status } as unknown as ApiObject);
}

Deno.test("planNames() gives free names and establishes", () => {
  const plan = planNames(crd({ shortNames: ["th"], categories: ["all"] }), FREE, NOW);
  assert.deepEqual(plan?.acceptedNames, {
    plural: "things",
    singular: "thing",
    kind: "Thing",
    listKind: "ThingList",
    shortNames: ["th"],
    categories: ["all"],
  });
  assert.deepEqual(plan?.conditions.map(({ type, status, reason }) => [type, status, reason]), [
    ["NamesAccepted", "True", "NoConflicts"],
    ["Established", "True", "InitialNamesAccepted"],
  ]);
  assert.equal(planNames(crd({ shortNames: ["th"], categories: ["all"] }, plan), FREE, "later"), undefined);
});

Deno.test("planNames() says which names are taken, and gives the others", async (t) => {
  const rows: Array<[string, Partial<TakenNames>, reason: string, message: string]> = [
    ["plural", { resources: new Set(["things"]) }, "PluralConflict", '"things" is already in use'],
    ["singular", { resources: new Set(["thing"]) }, "SingularConflict", '"thing" is already in use'],
    ["short name", { resources: new Set(["th"]) }, "ShortNamesConflict", '"th" is already in use'],
    ["kind", { kinds: new Set(["Thing"]) }, "KindConflict", '"Thing" is already in use'],
    ["list kind", { kinds: new Set(["ThingList"]) }, "ListKindConflict", '"ThingList" is already in use'],
  ];
  for (const [name, taken, reason, message] of rows) {
    await t.step(name, () => {
      const plan = planNames(crd({ shortNames: ["th"] }), { ...FREE, ...taken }, NOW);
      const [names, established] = plan!.conditions;
      assert.deepEqual([names?.status, names?.reason, names?.message], ["False", reason, message]);
      assert.deepEqual([established?.status, established?.reason], ["False", "NotAccepted"]);
    });
  }
});

Deno.test("planNames() leaves a definition that is served established when a new name of it is taken", () => {
  const first = planNames(crd(), FREE, NOW)!;
  const plan = planNames(
    crd({ shortNames: ["th"] }, first),
    { ...FREE, resources: new Set(["th"]) },
    "2027-01-01T00:00:00Z",
  )!;
  const [names, established] = plan.conditions;
  assert.deepEqual([names?.status, names?.lastTransitionTime], ["False", "2027-01-01T00:00:00Z"]);
  assert.deepEqual([established?.status, established?.lastTransitionTime], ["True", NOW]);
  assert.equal(plan.acceptedNames.shortNames, undefined);
});
