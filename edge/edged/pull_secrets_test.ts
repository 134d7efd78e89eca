import assert from "node:assert/strict";
import { parseImageReference } from "./image_reference.ts";
import { authFor } from "./pull_secrets.ts";

Deno.test("authFor() finds the credentials of a registry, the longest path first", () => {
  const base64 = (value: unknown) =>
    new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)).toBase64();
  const secret = (auths: unknown) => ({ data: { ".dockerconfigjson": base64({ auths }) } });
  const reference = (text: string) => parseImageReference(text)!;
  const entry = (user: string) => ({ auth: base64(`${user}:p:w`) });
  const auths = {
    "https://index.docker.io/v1/": entry("hub"),
    "reg.io": entry("all"),
    "reg.io/team": entry("team"),
  };
  assert.deepEqual(authFor(secret(auths), reference("busybox:1"))?.username, "hub");
  assert.deepEqual(authFor(secret(auths), reference("reg.io/x:1"))?.username, "all");
  assert.deepEqual(authFor(secret(auths), reference("reg.io/team/x:1")), {
    username: "team",
    password: "p:w",
    serverAddress: "reg.io/team",
  });
  assert.equal(authFor(secret(auths), reference("other.io/x:1")), undefined);
  assert.equal(authFor({ data: {} }, reference("busybox")), undefined);
  for (const bad of ["x", "bnVsbA==", base64({ auths: 1 }), base64({ auths: { "reg.io": { auth: "%" } } })]) {
    assert.throws(
      () => authFor({ data: { ".dockerconfigjson": bad } }, reference("reg.io/x:1")),
      SyntaxError,
    );
  }
});
