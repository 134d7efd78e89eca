import assert from "node:assert/strict";
import { freePort, runToEnd } from "./program.ts";

const PROGRAM = new URL("program.ts", import.meta.url).href;

Deno.test("freePort() gives no port twice while the process lives that has it, and those of one that is gone again", async () => {
  const own = new Set(Array.from({ length: 50 }, freePort));
  assert.equal(own.size, 50);
  const directory = `/tmp/kubeedge-ports-${Deno.uid()}`;
  const files = () => new Set([...Deno.readDirSync(directory)].map(({ name }) => Number(name)));
  assert.ok(files().isSupersetOf(own));
  const text = `import { freePort } from ${JSON.stringify(PROGRAM)};
    console.log(Array.from({ length: 50 }, freePort).join(" "));`;
  const program = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(program, text);
  const { code, stdout, stderr } = await runToEnd(Deno.execPath(), ["run", "--allow-all", program]);
  await Deno.remove(program);
  assert.equal(code, 0, stderr);
  const others = new Set(stdout.trim().split(" ").map(Number));
  assert.equal(others.size, 50);
  assert.ok(others.isDisjointFrom(own));
  assert.ok(others.isDisjointFrom(files()));
});
