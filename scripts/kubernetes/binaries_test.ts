import assert from "node:assert/strict";
import { cacheDirectory, findBinary, missingBinaries } from "./binaries.ts";
import { buildDirectory } from "./release.ts";

Deno.test("findBinary() prefers KUBEBUILDER_ASSETS, then PATH, then what was built, and takes programs only", async () => {
  const root = await Deno.makeTempDir();
  try {
    const cache = `${root}/cache`;
    const built = `${buildDirectory(cache)}/bin`;
    const env = { KUBEBUILDER_ASSETS: `${root}/assets`, PATH: `relative:${root}/path` };
    for (const folder of [env.KUBEBUILDER_ASSETS, `${root}/path`, built]) {
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(`${folder}/kube-scheduler`, "", { mode: 0o755 });
    }
    const found = () => findBinary("kube-scheduler", env, cache);
    assert.equal(await found(), `${root}/assets/kube-scheduler`);
    await Deno.chmod(`${root}/assets/kube-scheduler`, 0o644);
    assert.equal(await found(), `${root}/path/kube-scheduler`);
    await Deno.remove(`${root}/path/kube-scheduler`);
    assert.equal(await found(), `${built}/kube-scheduler`);
    assert.deepEqual(await missingBinaries(env, cache), [
      "etcd",
      "kube-apiserver",
      "kube-controller-manager",
      "kubectl",
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("cacheDirectory() is the user's, wherever that is", () => {
  assert.equal(cacheDirectory({ HOME: "/home/u" }), "/home/u/.cache/kubeedge-deno/kubernetes");
  assert.equal(
    cacheDirectory({ HOME: "/home/u", XDG_CACHE_HOME: "/big" }),
    "/big/kubeedge-deno/kubernetes",
  );
  assert.equal(
    cacheDirectory({ HOME: "/home/u", XDG_CACHE_HOME: "relative" }),
    "/home/u/.cache/kubeedge-deno/kubernetes",
  );
});
