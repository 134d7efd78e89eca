import assert from "node:assert/strict";
import { newMessage } from "../../common/model/mod.ts";
import { configMap } from "./_harness.ts";
import { readFetched } from "./fetched_reply.ts";

const RESOURCE = { namespace: "default", type: "configmap", name: "web" };
const OBJECT = configMap("web", "5", { a: "b" });
const NOT_FOUND = { ErrStatus: { reason: "NotFound", code: 404 } };

const read = (content: unknown, type = "configmap") =>
  readFetched(
    newMessage({ source: "edgecontroller", group: "resource", operation: "response", resource: "" }, content),
    { ...RESOURCE, type },
  );

Deno.test("readFetched() gives the object or an error, and nothing else", async (t) => {
  const rows: Array<[name: string, content: unknown, wanted: unknown]> = [
    ["the object", OBJECT, OBJECT],
    ["in a wrapper", { Object: OBJECT, Err: null }, OBJECT],
    ["in a list of one", [OBJECT], OBJECT],
    ["an error", NOT_FOUND, NOT_FOUND],
    ["an error in a wrapper", { Object: null, Err: NOT_FOUND }, { Object: null, Err: NOT_FOUND }],
  ];
  for (const [name, content, wanted] of rows) {
    await t.step(name, () => {
      const { route, content: given } = read(content);
      assert.deepEqual([route.operation, given], ["response", wanted]);
    });
  }
  for (
    const content of [
      null,
      "OK",
      5,
      {},
      [],
      [OBJECT, OBJECT],
      configMap("other", "5", {}),
      JSON.stringify(OBJECT),
    ]
  ) {
    await t.step(`refuses ${JSON.stringify(content)?.slice(0, 40)}`, () => {
      const { route, content: text } = read(content);
      assert.equal(route.operation, "error");
      assert.match(String(text), /default\/configmap\/web is not the object/);
    });
  }
  assert.equal(read("text", "lease").content, "text", "other types are left alone");
});
