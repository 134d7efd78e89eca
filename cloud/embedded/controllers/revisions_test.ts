import assert from "node:assert/strict";
import type { ControllerRevision } from "../../../common/api/apps_v1.ts";
import {
  excessRevisions,
  planRevision,
  REVISION_LABEL,
  type RevisionOwner,
  templateOf,
} from "./revisions.ts";

function owner(image: string, more: Partial<RevisionOwner> = {}): RevisionOwner {
  return {
    metadata: { name: "db", namespace: "default", uid: "set" },
    spec: {
      template: { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "c", image }] } },
    },
    ...more,
  };
}

function made(image: string, number: number, more: Partial<RevisionOwner> = {}): ControllerRevision {
  const step = planRevision(owner(image, more), "StatefulSet", []);
  assert.equal(step.kind, "create");
  return { ...step.revision, revision: number };
}

Deno.test("planRevision() remembers each template once, the present one last", async (t) => {
  const [one, two] = [made("c:1", 1), made("c:2", 2)];
  await t.step("a new template", () => {
    const step = planRevision(owner("c:3"), "StatefulSet", [one, two]);
    assert.equal(step.kind, "create");
    assert.equal(step.revision.revision, 3);
    assert.equal(step.revision.metadata?.name, `db-${step.revision.metadata?.labels?.[REVISION_LABEL]}`);
    assert.equal(step.revision.metadata?.ownerReferences?.[0]?.uid, "set");
    assert.deepEqual(templateOf(step.revision), owner("c:3").spec?.template);
  });
  await t.step("the newest", () => {
    assert.deepEqual(planRevision(owner("c:2"), "StatefulSet", [one, two]), { kind: "keep", revision: two });
  });
  await t.step("an earlier one, rolled back to", () => {
    const step = planRevision(owner("c:1"), "StatefulSet", [one, two]);
    assert.deepEqual(step, { kind: "renumber", revision: one, number: 3 });
  });
  await t.step("a name that is taken", () => {
    const other = made("c:1", 1, { status: { collisionCount: 1 } });
    assert.notEqual(other.metadata?.name, one.metadata?.name);
  });
});

Deno.test("templateOf() gives nothing for data that is no template", () => {
  for (
    const data of [undefined, {}, { spec: null }, { spec: { template: [] } }, { spec: { template: "x" } }]
  ) {
    assert.equal(templateOf({ revision: 1, ...(data && { data }) } as ControllerRevision), undefined);
  }
});

Deno.test("excessRevisions() keeps the history and what is in use", () => {
  const all = [1, 2, 3, 4].map((number) => made(`c:${number}`, number));
  const given = owner("c:4");
  const limited: RevisionOwner = { ...given, spec: { ...given.spec!, revisionHistoryLimit: 1 } };
  const used = new Set([all[0]!.metadata!.name!, all[3]!.metadata!.name!]);
  assert.deepEqual(excessRevisions(limited, all, used), [all[1]]);
  assert.deepEqual(excessRevisions(given, all, used), []);
});
