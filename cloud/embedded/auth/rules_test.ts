import assert from "node:assert/strict";
import { type Attributes, type PolicyRule, ruleAllows, ruleText, splitRule, uncovered } from "./rules.ts";

const rule = (given: Partial<PolicyRule>): PolicyRule => ({
  verbs: ["get"],
  apiGroups: [],
  resources: [],
  resourceNames: [],
  nonResourceURLs: [],
  ...given,
});
const pods = (given: Partial<PolicyRule> = {}) => rule({ apiGroups: [""], resources: ["pods"], ...given });
const ask = (given: Partial<Extract<Attributes, { kind: "resource" }>> = {}): Attributes => ({
  kind: "resource",
  verb: "get",
  group: "",
  resource: "pods",
  namespace: "ns",
  name: "p",
  ...given,
});
const path = (text: string, verb = "get"): Attributes => ({ kind: "path", verb, path: text });

Deno.test("ruleAllows() goes by verb, group, resource, name and path", async (t) => {
  const rows: Array<[string, PolicyRule, Attributes, boolean]> = [
    ["as given", pods(), ask(), true],
    ["another verb", pods(), ask({ verb: "list" }), false],
    ["any verb", pods({ verbs: ["*"] }), ask({ verb: "odd" }), true],
    ["another group", pods(), ask({ group: "apps" }), false],
    ["any group", pods({ apiGroups: ["*"] }), ask({ group: "apps" }), true],
    ["another resource", pods(), ask({ resource: "secrets" }), false],
    ["any resource", pods({ resources: ["*"] }), ask({ resource: "pods", subresource: "log" }), true],
    ["a subresource is not the resource", pods(), ask({ subresource: "log" }), false],
    ["a subresource", pods({ resources: ["pods/log"] }), ask({ subresource: "log" }), true],
    ["the resource is not its subresource", pods({ resources: ["pods/log"] }), ask(), false],
    ["a subresource of anything", pods({ resources: ["*/log"] }), ask({ subresource: "log" }), true],
    ["a name", pods({ resourceNames: ["p"] }), ask(), true],
    ["another name", pods({ resourceNames: ["q"] }), ask(), false],
    [
      "no name where one is asked for",
      pods({ resourceNames: ["q"] }),
      ask({ verb: "get", name: undefined }),
      false,
    ],
    ["a path", rule({ nonResourceURLs: ["/healthz"] }), path("/healthz"), true],
    ["a path below", rule({ nonResourceURLs: ["/healthz"] }), path("/healthz/x"), false],
    ["paths below", rule({ nonResourceURLs: ["/api/*"] }), path("/api/v1"), true],
    ["any path", rule({ nonResourceURLs: ["*"] }), path("/x"), true],
    ["a path for a resource", rule({ nonResourceURLs: ["*"] }), ask(), false],
    ["a resource for a path", pods({ resources: ["*"], apiGroups: ["*"] }), path("/x"), false],
  ];
  for (const [name, given, asked, expected] of rows) {
    await t.step(name, () => assert.equal(ruleAllows(given, asked), expected));
  }
});

Deno.test("uncovered() finds what is given away and not had", async (t) => {
  const rows: Array<[string, PolicyRule[], PolicyRule[], string[]]> = [
    ["the same", [pods()], [pods()], []],
    ["more verbs", [pods()], [pods({ verbs: ["get", "list"] })], [
      '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}',
    ]],
    ["verbs of two rules", [pods(), pods({ verbs: ["list"] })], [pods({ verbs: ["get", "list"] })], []],
    ["everything covers", [pods({ verbs: ["*"], apiGroups: ["*"], resources: ["*"] })], [
      pods({ verbs: ["x"] }),
    ], []],
    ["all verbs, not some", [pods()], [pods({ verbs: ["*"] })], [
      '{APIGroups:[""], Resources:["pods"], Verbs:["*"]}',
    ]],
    ["any name, not one", [pods({ resourceNames: ["a"] })], [pods()], [
      '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}',
    ]],
    ["one of any name", [pods()], [pods({ resourceNames: ["a"] })], []],
    ["a subresource", [pods({ resources: ["*/log"] })], [pods({ resources: ["pods/log"] })], []],
    ["paths", [rule({ nonResourceURLs: ["/a/*"] })], [rule({ nonResourceURLs: ["/a/b", "/b"] })], [
      '{NonResourceURLs:["/b"], Verbs:["get"]}',
    ]],
  ];
  for (const [name, owned, given, expected] of rows) {
    await t.step(name, () => assert.deepEqual(uncovered(owned, given).map(ruleText), expected));
  }
});

Deno.test("splitRule() makes a rule for each thing", () => {
  assert.equal(splitRule(pods({ verbs: ["get", "list"], resources: ["pods", "secrets"] })).length, 4);
  assert.equal(splitRule(pods({ resourceNames: ["a", "b", "c"] })).length, 3);
});
