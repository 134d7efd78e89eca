import assert from "node:assert/strict";
import type { Container } from "../../../common/api/core_v1.ts";
import { PodEnvironmentError } from "../pod_environment.ts";
import { systemMounter } from "./mod.ts";
import { bitsOf, fails, mountable, podWith, read, UID, withVolumes } from "./testing.ts";

const MOUNTS: Container = {
  name: "main",
  volumeMounts: [
    { name: "cm", mountPath: "/www" },
    { name: "e", mountPath: "data", mountPropagation: "HostToContainer" },
    { name: "e", mountPath: "/ro", readOnly: true },
  ],
};

Deno.test("containerMounts() gives volumes, read-only where their content is managed, and a termination file", () =>
  withVolumes(async ({ volumes: all, configMaps, dir }) => {
    configMaps.set("cm", { data: { a: "A" } });
    const pod = podWith([{ name: "cm", configMap: { name: "cm" } }, { name: "e", emptyDir: {} }]);
    const volumes = await all.setUp(pod);
    const { mounts } = await all.containerMounts(pod, MOUNTS, { volumes, attempt: 3, env: [] });
    const file = `${dir}/pods/${UID}/containers/main/3`;
    assert.deepEqual(mounts, [
      { hostPath: volumes.get("cm"), containerPath: "/www", readOnly: true, propagation: "private" },
      { hostPath: volumes.get("e"), containerPath: "/data", readOnly: false, propagation: "hostToContainer" },
      { hostPath: volumes.get("e"), containerPath: "/ro", readOnly: true, propagation: "private" },
      { hostPath: file, containerPath: "/dev/termination-log", readOnly: false, propagation: "private" },
    ]);
    assert.equal(await bitsOf(file), 0o666);
    assert.equal(await all.terminationMessage(UID, "main", 3), undefined);
    await Deno.writeTextFile(file, "x".repeat(5000) + "the end");
    const message = await all.terminationMessage(UID, "main", 3);
    assert.ok(message?.endsWith("the end") && message.length === 4096);
    await all.containerMounts(pod, MOUNTS, { volumes, attempt: 3, env: [] });
    assert.equal(await all.terminationMessage(UID, "main", 3), undefined, "made anew");
    assert.equal(await all.terminationMessage(UID, "main", 9), undefined);
    const unknown = { ...MOUNTS, volumeMounts: [{ name: "no", mountPath: "/x" }] };
    await assert.rejects(
      all.containerMounts(pod, unknown, { volumes, attempt: 0, env: [] }),
      fails("invalid", 'cannot find volume "no" to mount into container "main"'),
    );
  }));

for (const mounter of [undefined, systemMounter]) {
  Deno.test({
    name: `subPath stays inside its volume (${mounter === undefined ? "resolved" : "bound"})`,
    ignore: mounter !== undefined && !mountable,
    fn: (t) =>
      withVolumes(async ({ volumes: all, configMaps, dir }) => {
        configMaps.set("cm", { data: { a: "A" } });
        const pod = podWith([{ name: "e", emptyDir: {} }, { name: "cm", configMap: { name: "cm" } }]);
        const volumes = await all.setUp(pod);
        const e = volumes.get("e")!;
        await Deno.mkdir(`${e}/real/deep`, { recursive: true });
        await Deno.writeTextFile(`${e}/real/deep/file`, "inside");
        await Deno.symlink("real/deep", `${e}/link`);
        await Deno.symlink("/etc", `${e}/escape`);
        await Deno.symlink("nowhere", `${e}/dangling`);
        await Deno.symlink("../../../..", `${e}/up`);
        const env = [{ name: "POD", value: "web" }, { name: "UP", value: ".." }];
        const mountOf = async (mount: { subPath?: string; subPathExpr?: string }, name = "e") => {
          const container: Container = { name: "main", volumeMounts: [{ name, mountPath: "/m", ...mount }] };
          const { mounts } = await all.containerMounts(pod, container, { volumes, attempt: 0, env });
          return mounts[0]!.hostPath;
        };
        await t.step("through a link inside", async () => {
          assert.equal(await read(`${await mountOf({ subPath: "link" })}/file`), "inside");
        });
        await t.step("a file", async () =>
          assert.equal(await read(await mountOf({ subPath: "link/file" })), "inside"));
        await t.step("a file of a ConfigMap", async () => {
          assert.equal(await read(await mountOf({ subPath: "a" }, "cm")), "A");
        });
        await t.step("made where it is missing, as open as its volume", async () => {
          const path = await mountOf({ subPathExpr: "logs/$(POD)" });
          await Deno.writeTextFile(`${path}/x`, "y");
          assert.equal(await read(`${e}/logs/web/x`), "y");
          assert.equal(await bitsOf(`${e}/logs/web`), 0o777);
        });
        for (
          const subPath of [
            "escape",
            "escape/passwd",
            "up",
            "../x",
            "real/../../x",
            "/etc",
            "dangling",
            "dangling/x",
          ]
        ) {
          await t.step(`refuses ${subPath}`, () =>
            assert.rejects(
              mountOf({ subPath }),
              (error) =>
                error instanceof PodEnvironmentError &&
                /failed to prepare subPath for volumeMount "e"/.test(error.message),
            ));
        }
        await t.step("refuses what variables make of it", async () => {
          await assert.rejects(mountOf({ subPathExpr: "$(UP)/x" }), fails("invalid", /without '\.\.'/));
          await assert.rejects(mountOf({ subPathExpr: "$(NO)" }), fails("invalid", /missing value for "NO"/));
        });
        assert.ok(!await exists(`${dir}/x`));
      }, mounter),
  });
}

Deno.test({
  name: "tearDown() never follows links or walks into mounts",
  ignore: !mountable,
  fn: async () => {
    const outside = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${outside}/precious`, "p");
      await withVolumes(async ({ volumes: all }) => {
        const pod = podWith([{ name: "e", emptyDir: {} }, { name: "h", hostPath: { path: outside } }]);
        const volumes = await all.setUp(pod);
        await Deno.symlink(outside, `${volumes.get("e")}/link`);
        const container: Container = {
          name: "main",
          volumeMounts: [{ name: "h", mountPath: "/m", subPath: "sub" }],
        };
        const { mounts } = await all.containerMounts(pod, container, { volumes, attempt: 0, env: [] });
        await Deno.writeTextFile(`${mounts[0]!.hostPath}/also`, "p");
      }, systemMounter);
      assert.equal(await read(`${outside}/precious`), "p");
      assert.equal(await read(`${outside}/sub/also`), "p");
    } finally {
      await Deno.remove(outside, { recursive: true });
    }
  },
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
