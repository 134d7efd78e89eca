import assert from "node:assert/strict";
import { KUBERNETES_VERSION, linkerFlags, printGoMod, stagingVersion } from "./release.ts";

const UPSTREAM = `module k8s.io/kubernetes

go 1.24.0

godebug default=go1.24

require (
\tgithub.com/google/uuid v1.6.0
\tk8s.io/api v0.0.0
)

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tk8s.io/component-base => ./staging/src/k8s.io/component-base
\texample.com/other => ../other
)
`;

Deno.test("stagingVersion() is the release with v0 in front, and refuses what is no release", () => {
  assert.equal(stagingVersion("v1.33.13"), "v0.33.13");
  assert.equal(stagingVersion(KUBERNETES_VERSION).slice(0, 3), "v0.");
  for (const bad of ["1.33.13", "v2.0.0", "v1.33", "v1.33.0-rc.1"]) {
    assert.throws(() => stagingVersion(bad), TypeError, bad);
  }
});

Deno.test("printGoMod() replaces every staging module by the published one", () => {
  assert.equal(
    printGoMod("v1.33.13", UPSTREAM),
    `module kubeedge.invalid/kubernetes

go 1.24.0

godebug default=go1.24

require k8s.io/kubernetes v1.33.13

replace (
\tk8s.io/api => k8s.io/api v0.33.13
\tk8s.io/component-base => k8s.io/component-base v0.33.13
)
`,
  );
  assert.throws(() => printGoMod("v1.33.13", "module x\n\ngo 1.24.0\n"), SyntaxError);
});

Deno.test("linkerFlags() set the version in both packages that programs read it from", () => {
  const flags = linkerFlags("v1.33.13").split(" -X ");
  for (const name of ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]) {
    assert.ok(flags.includes(`${name}.gitVersion=v1.33.13`), name);
    assert.ok(flags.includes(`${name}.gitMinor=33`), name);
  }
});
