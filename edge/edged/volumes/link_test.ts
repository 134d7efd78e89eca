import assert from "node:assert/strict";
import { makeLink } from "./link.ts";

Deno.test("makeLink() makes a link that may lead nowhere, and replaces nothing", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await makeLink("..data/x", `${dir}/x`);
    assert.equal(await Deno.readLink(`${dir}/x`), "..data/x");
    await assert.rejects(makeLink("y", `${dir}/x`), Deno.errors.AlreadyExists);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("makeLink() needs no more than the directory and ln", async () => {
  const dir = await Deno.makeTempDir();
  const { href } = new URL("./link.ts", import.meta.url);
  try {
    await Deno.writeTextFile(
      `${dir}/t.ts`,
      `await (await import(${JSON.stringify(href)})).makeLink("t", "${dir}/l");`,
    );
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-config",
        `--allow-read=${dir}`,
        `--allow-write=${dir}`,
        "--allow-run=ln",
        `${dir}/t.ts`,
      ],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(await Deno.readLink(`${dir}/l`), "t");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
