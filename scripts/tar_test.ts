import assert from "node:assert/strict";
import { tar } from "./tar.ts";

Deno.test("tar() writes what the system's tar reads", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const data = new TextEncoder().encode("hello\n");
    await Deno.writeFile(
      `${dir}/a.tar`,
      tar([
        { type: "directory", path: "bin" },
        { type: "file", path: "bin/x", data, mode: 0o755 },
        { type: "symlink", path: "bin/y", target: "x" },
      ]),
    );
    const { code } = await new Deno.Command("tar", { args: ["-xf", "a.tar", "--no-same-owner"], cwd: dir })
      .output();
    assert.equal(code, 0);
    assert.equal(await Deno.readTextFile(`${dir}/bin/y`), "hello\n");
    assert.equal((await Deno.stat(`${dir}/bin/x`)).mode! & 0o777, 0o755);
    assert.equal(await Deno.readLink(`${dir}/bin/y`), "x");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("tar() refuses paths it cannot hold", () => {
  for (const path of ["/etc/passwd", "a/../../b", "x".repeat(100)]) {
    assert.throws(() => tar([{ type: "directory", path }]), RangeError, path);
  }
});
