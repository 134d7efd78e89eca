import assert from "node:assert/strict";
import { isObject, type JsonObject } from "../../object.ts";
import { startControlPlane } from "../../testing.ts";
import { answerOf, type ApplyAnswer } from "./answer.ts";
import type { ApplyCase } from "./request.ts";

const RECORDED = new URL("../../../../tests/testdata/kubernetes/v1.33.13/apply.jsonl", import.meta.url);

interface Recorded {
  name: string;
  request: Omit<ApplyCase, "name">;
  answer: ApplyAnswer;
}

Deno.test("the control plane answers as the real server did", async (t) => {
  await using api = await startControlPlane();
  const namespace = "recorded";
  await api.request("POST", "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace },
  });
  await api.request("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default" },
  });
  for (const line of (await Deno.readTextFile(RECORDED)).trim().split("\n")) {
    const { name, request, answer }: Recorded = JSON.parse(line);
    await t.step(name, async () => {
      const own = (text: string) => text.replaceAll("$NS", namespace);
      const body = request.body === undefined ? undefined : JSON.parse(own(JSON.stringify(request.body)));
      const given = await api.request(request.method, own(request.path), body, {
        "content-type": request.contentType,
        "user-agent": "asker/1.0 (test)",
      });
      const got = answerOf(given.status, isObject(given.body) ? given.body as JsonObject : {}, namespace);
      assert.deepEqual(got, answer);
      // The keys of field sets, too, must come in the order of the real server's.
      assert.equal(JSON.stringify(got.managedFields), JSON.stringify(answer.managedFields));
    });
  }
});
