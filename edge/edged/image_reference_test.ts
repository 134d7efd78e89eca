import fc from "fast-check";
import assert from "node:assert/strict";
import { parseImageReference, pullPolicy } from "./image_reference.ts";

Deno.test("parseImageReference() takes names apart", () => {
  const table: Array<[string, string | undefined]> = [
    ["busybox", "docker.io busybox busybox:latest"],
    ["busybox:1", "docker.io busybox busybox:1"],
    ["library/busybox:1", "docker.io library/busybox library/busybox:1"],
    ["localhost/x:1", "localhost x localhost/x:1"],
    ["reg.example.com:5000/a/b:v1", "reg.example.com:5000 a/b reg.example.com:5000/a/b:v1"],
    [`a/b@sha256:${"0".repeat(64)}`, `docker.io a/b a/b@sha256:${"0".repeat(64)}`],
    ["-v", undefined],
    ["--privileged=true", undefined],
    ["../x", undefined],
    ["a b", undefined],
    ["a\n", undefined],
    ["A", undefined],
    ["a:", undefined],
    ["a".repeat(600), undefined],
    ["0".repeat(64), undefined],
  ];
  for (const [text, expected] of table) {
    const reference = parseImageReference(text);
    assert.equal(reference && `${reference.domain} ${reference.path} ${reference.text}`, expected, text);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    const reference = parseImageReference(text);
    if (reference !== undefined) assert.match(reference.text, /^[A-Za-z0-9[]/);
  }));
});

Deno.test("pullPolicy() pulls latest always and the rest when it is missing", () => {
  const policy = (image: string, set?: string) => pullPolicy(set, parseImageReference(image)!);
  assert.equal(policy("busybox"), "Always");
  assert.equal(policy("busybox:latest"), "Always");
  assert.equal(policy("busybox:1"), "IfNotPresent");
  assert.equal(policy(`busybox@sha256:${"0".repeat(64)}`), "IfNotPresent");
  assert.equal(policy("busybox", "Never"), "Never");
});
