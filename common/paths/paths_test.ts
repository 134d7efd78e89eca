import assert from "node:assert/strict";
import { dirname } from "node:path/posix";
import { directoryOf } from "./mod.ts";

Deno.test("directoryOf() says what dirname says of files", () => {
  for (const path of ["/a/b/c", "/a", "/", "a", "a/b", "./a", "../x/y.db"]) {
    assert.equal(directoryOf(path), dirname(path), path);
  }
  assert.equal(directoryOf("/a//b"), "/a");
});
