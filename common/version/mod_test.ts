import assert from "node:assert/strict";
import {
  GIT_VERSION,
  goArch,
  KUBELET_VERSION,
  packagingOf,
  VERSION,
  versionInfo,
  versionText,
} from "./mod.ts";

Deno.test("VERSION is that of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.equal(VERSION, version);
});

Deno.test("KUBELET_VERSION has the form tools know edge nodes by", () => {
  assert.equal(KUBELET_VERSION, "v1.32.10-kubeedge-v1.23.1");
});

Deno.test("versionText() names program, protocol and packaging on one line", () => {
  const text = versionText("edgecore", "self-extract");
  assert.match(
    text,
    /^edgecore 0\.1\.0 \(KubeEdge v1\.23\.1, Kubernetes v1\.32\.10, Deno [\d.]+, linux\/\w+, self-extract\)$/,
  );
});

Deno.test("versionInfo() has upstream's keys in upstream's order", () => {
  const info = versionInfo();
  assert.deepEqual(Object.keys(info), [
    "major",
    "minor",
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
  ]);
  assert.deepEqual([info.major, info.minor, info.gitVersion], ["1", "23", GIT_VERSION]);
});

Deno.test("goArch() speaks Go's names", () => {
  assert.equal(goArch("x86_64"), "amd64");
  assert.equal(goArch("aarch64"), "arm64");
});

Deno.test("packagingOf() tells how the program was packed", () => {
  assert.equal(packagingOf("file:///kubeedge/edge/main.ts", false), "source");
  assert.equal(packagingOf("file:///root/.cache/kubeedge/x/edge/main.js", false), "self-extract");
  assert.equal(packagingOf("file:///tmp/deno-compile-edgecore/edge/main.ts", true), "compiled");
});
