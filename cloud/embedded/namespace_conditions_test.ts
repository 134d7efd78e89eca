import assert from "node:assert/strict";
import { conditionsOf, type Remains } from "./namespace_conditions.ts";

const told = (left: Remains, before: ReturnType<typeof conditionsOf> = [], now = "t1") =>
  Object.fromEntries(conditionsOf(left, before, now).map(({ type, ...rest }) => [type, rest]));

Deno.test("conditionsOf() says what is left and what holds it", () => {
  const left: Remains = new Map([
    ["pods", { count: 2, finalizers: [] }],
    ["leases.coordination.k8s.io", { count: 1, finalizers: ["example.com/b", "example.com/a"] }],
  ]);
  const { NamespaceContentRemaining, NamespaceFinalizersRemaining } = told(left);
  assert.deepEqual(NamespaceContentRemaining, {
    status: "True",
    lastTransitionTime: "t1",
    reason: "SomeResourcesRemain",
    message:
      "Some resources are remaining: leases.coordination.k8s.io has 1 resource instances, pods. has 2 resource instances",
  });
  assert.deepEqual(NamespaceFinalizersRemaining, {
    status: "True",
    lastTransitionTime: "t1",
    reason: "SomeFinalizersRemain",
    message:
      "Some content in the namespace has finalizers remaining: example.com/a in 1 resource instances, example.com/b in 1 resource instances",
  });
});

Deno.test("conditionsOf() keeps the time of what stays as it was", () => {
  const some: Remains = new Map([["pods", { count: 1, finalizers: [] }]]);
  const first = conditionsOf(some, [], "t1");
  assert.deepEqual(conditionsOf(some, first, "t2"), first);
  const later = told(new Map(), first, "t2");
  assert.equal(later.NamespaceContentRemaining!.status, "False");
  assert.equal(later.NamespaceContentRemaining!.lastTransitionTime, "t2");
  assert.equal(later.NamespaceFinalizersRemaining!.lastTransitionTime, "t1");
});
