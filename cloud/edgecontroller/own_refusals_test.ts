import assert from "node:assert/strict";
import { StatusError } from "../../common/errors/mod.ts";
import { connected, contentOf, errorOf } from "./_testing.ts";
import { Rig } from "./fake_hub.ts";
import { asUnavailable } from "./own_refusals.ts";

const RBAC =
  'pods "web" is forbidden: User "system:serviceaccount:kubeedge:cloudcore" cannot patch resource ' +
  '"pods/status" in API group "" in the namespace "default"';

Deno.test("asUnavailable() turns what cloudcore may not do, and nothing else", () => {
  const rows: Array<[string, StatusError, string]> = [
    ["RBAC", new StatusError("Forbidden", RBAC), "ServiceUnavailable"],
    ["no credentials", new StatusError("Unauthorized", "Unauthorized"), "ServiceUnavailable"],
    ["a quota", new StatusError("Forbidden", 'pods "web" is forbidden: exceeded quota: few'), "Forbidden"],
    ["invalid", new StatusError("Invalid", "Pod is invalid"), "Invalid"],
  ];
  for (const [name, error, reason] of rows) {
    const turned = asUnavailable(error) as StatusError;
    assert.equal(turned.reason, reason, name);
    if (reason === error.reason) assert.equal(turned, error, name);
    else assert.ok(turned.message.includes(error.message), name);
  }
  const other = new TypeError("x");
  assert.equal(asUnavailable(other), other);
});

Deno.test("edgeController() does not tell an edge that it may not, when it is cloudcore that may not", async () => {
  let refused = true;
  await using rig = new Rig({
    kube: {
      intercept: ({ verb }) => {
        if (verb === "patch" && refused) throw new StatusError("Forbidden", RBAC);
      },
    },
  });
  await connected(rig);
  const report = () => rig.ask("patch", "node/edge-1/default/podpatch/web", '{"status":{"phase":"Running"}}');
  assert.equal(errorOf(await report()).reason, "ServiceUnavailable");
  refused = false;
  assert.equal(contentOf<{ Err: unknown }>(await report()).Err, null);
});
