import assert from "node:assert/strict";
import fc from "fast-check";
import { PodEnvironmentError } from "../pod_environment.ts";
import { writeAtomically } from "./atomic_writer.ts";
import { parseMountInfo } from "./mounter.ts";
import { cleanRelativePath, podDir, volumeDir } from "./paths.ts";
import { renewalOf } from "./tokens.ts";
import { isInside } from "./sub_path.ts";

Deno.test("cleanRelativePath() never gives a path that leaves its directory", () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "..x", "a", "..data"), fc.string({ unit: "binary" }));
  fc.assert(fc.property(fc.array(part), (parts) => {
    let clean: string;
    try {
      clean = cleanRelativePath(parts.join("/"));
    } catch (error) {
      assert.ok(error instanceof PodEnvironmentError && error.kind === "invalid");
      return;
    }
    const { pathname } = new URL(clean.split("/").map(encodeURIComponent).join("/"), "file:///volume/");
    assert.ok(pathname.startsWith("/volume/") && pathname.length > "/volume/".length, clean);
    assert.ok(!clean.startsWith("..") && !clean.includes("\0"));
  }));
  assert.equal(cleanRelativePath("./a//b/."), "a/b");
  assert.throws(() => cleanRelativePath("a/" + "x".repeat(256)), PodEnvironmentError);
  assert.throws(() => cleanRelativePath("a/".repeat(3000) + "b"), PodEnvironmentError);
});

Deno.test("podDir() and volumeDir() take only names that stay one name", () => {
  assert.equal(volumeDir("/r", "u-1", "secret", "v"), "/r/pods/u-1/volumes/kubernetes.io~secret/v");
  for (const uid of ["", ".", "..", "a/b", "a\0", "-x", "x".repeat(200), "a b"]) {
    assert.throws(() => podDir("/r", uid), PodEnvironmentError, uid);
  }
  for (const name of ["", ".", "..", "a/b", "A", "-a", "x".repeat(64)]) {
    assert.throws(() => volumeDir("/r", "u", "emptyDir", name), PodEnvironmentError, name);
  }
});

Deno.test("parseMountInfo() reads escaped paths and survives anything", () => {
  assert.deepEqual(
    parseMountInfo("36 35 98:0 /a\\040b /mnt\\134x rw,noatime shared:1 master:2 - ext4 /dev/root rw\n"),
    [
      { device: "98:0", root: "/a b", target: "/mnt\\x", fileSystem: "ext4" },
    ],
  );
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    parseMountInfo(text);
  }));
});

Deno.test("isInside() does not take a longer name for a path below", () => {
  assert.ok(isInside("/a", "/a") && isInside("/a", "/a/b") && isInside("/", "/a"));
  assert.ok(!isInside("/a", "/ab") && !isInside("/a/b", "/a"));
});

Deno.test("renewalOf() is four fifths of a life, a day at most", () => {
  assert.equal(renewalOf(0, 1000), 800);
  assert.equal(renewalOf(0, 10 * 86_400_000), 86_400_000);
});

Deno.test("writeAtomically() shows a reader all of a change or nothing of it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const encoder = new TextEncoder();
    const write = (n: number) =>
      writeAtomically(
        dir,
        new Map(["a", "b/c"].map((path) => [path, { data: encoder.encode(String(n)), mode: 0o644 }])),
        { now: 0 },
      );
    await write(0);
    let writing = true;
    let seen = 0;
    const reader = (async () => {
      while (writing) {
        const shown = await Deno.realPath(`${dir}/..data`);
        try {
          const a = await Deno.readTextFile(`${shown}/a`);
          const c = await Deno.readTextFile(`${shown}/b/c`);
          assert.equal(a, c);
          assert.notEqual(await Deno.readTextFile(`${dir}/a`), "");
          seen++;
        } catch (error) {
          // Read on after the switch: what was shown before is gone.
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
    })();
    for (let n = 1; n <= 50; n++) assert.equal(await write(n), true);
    assert.equal(await write(50), false);
    writing = false;
    await reader;
    assert.ok(seen > 0);
    assert.equal((await Array.fromAsync(Deno.readDir(dir))).length, 4);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("renewalOf() counts the life of a token from its beginning, also for one out of the store", () => {
  const now = 1_000_000_000;
  assert.equal(renewalOf(now, now + 300_000, 600_000), now + 180_000);
  assert.equal(renewalOf(now, now + 100_000, 600_000), now + 60_000, "past it: asked for again soon");
  assert.equal(renewalOf(now, now + 20_000, 600_000), now + 20_000);
});
