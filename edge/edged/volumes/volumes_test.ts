import assert from "node:assert/strict";
import type { Container, Pod, Volume } from "../../../common/api/core_v1.ts";
import { StatusError } from "../../../common/errors/mod.ts";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { silentLogger } from "../../../common/module/mod.ts";
import type { PodEnvironmentError } from "../pod_environment.ts";
import { podVolumes, systemMounter } from "./mod.ts";
import { bitsOf, fails, mountable, podWith, read, root, UID, withVolumes } from "./testing.ts";
import { memorySize } from "./volumes.ts";

Deno.test("setUp() lays a ConfigMap out as the kubelet does, and refresh() switches at once", () =>
  withVolumes(async ({ volumes, configMaps, dir }) => {
    configMaps.set("cm", {
      data: { "index.html": "one", gone: "x" },
      binaryData: { "b.bin": btoa("\x00\xff") },
    });
    const pod = podWith([{ name: "www", configMap: { name: "cm" } }]);
    const www = (await volumes.setUp(pod)).get("www")!;
    assert.equal(www, `${dir}/pods/${UID}/volumes/kubernetes.io~configmap/www`);
    assert.equal(await read(`${www}/index.html`), "one");
    assert.deepEqual(await Deno.readFile(`${www}/b.bin`), new Uint8Array([0, 255]));
    assert.equal(await Deno.readLink(`${www}/index.html`), "..data/index.html");
    const first = await Deno.readLink(`${www}/..data`);
    assert.match(first, /^\.\.2026_01_01_00_00_00\.[0-9a-f]{8}$/);

    assert.equal(await volumes.refresh(pod), undefined);
    assert.equal(await Deno.readLink(`${www}/..data`), first, "unchanged content writes nothing");

    configMaps.set("cm", { data: { "index.html": "two" } });
    await volumes.refresh(pod);
    assert.equal(await read(`${www}/index.html`), "two");
    const second = await Deno.readLink(`${www}/..data`);
    assert.notEqual(second, first);
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(www), (e) => e.name)).sort(),
      [
        second,
        "..data",
        "index.html",
      ].sort(),
    );
  }));

Deno.test("refresh() keeps what a volume had when its source is gone or unreadable", () =>
  withVolumes(async ({ volumes, configMaps }) => {
    configMaps.set("cm", { data: { a: "kept" } });
    const pod = podWith([{ name: "www", configMap: { name: "cm" } }]);
    const www = (await volumes.setUp(pod)).get("www")!;
    configMaps.delete("cm");
    await assert.rejects(
      volumes.refresh(pod),
      fails("missing", 'MountVolume.SetUp failed for volume "www" : configmap "cm" not found'),
    );
    configMaps.set("cm", { binaryData: { a: "%%%" } });
    await assert.rejects(volumes.refresh(pod), fails("invalid", /key a is not base64/));
    assert.equal(await read(`${www}/a`), "kept");
  }));

Deno.test("setUp() and refresh() stop waiting for an answer of the API when the signal aborts", () =>
  withVolumes(async ({ volumes, configMaps, slow }) => {
    configMaps.set("cm", { data: { a: "one" } });
    const pod = podWith([{ name: "www", configMap: { name: "cm" } }]);
    const www = (await volumes.setUp(pod)).get("www")!;
    configMaps.set("cm", { data: { a: "two" } });
    for (const work of [volumes.setUp, volumes.refresh]) {
      const answered = Promise.withResolvers<void>();
      slow.until = answered.promise;
      const controller = new AbortController();
      const working = work(pod, { signal: controller.signal });
      const stopped = assert.rejects(working, (error) => error === controller.signal.reason);
      controller.abort();
      await stopped;
      answered.resolve();
      await answered.promise;
    }
    assert.equal(await read(`${www}/a`), "one", "what comes after that is not written");
  }));

Deno.test("setUp() mends what an interrupted write left", () =>
  withVolumes(async ({ volumes, configMaps }) => {
    configMaps.set("cm", { data: { a: "1", b: "2" } });
    const pod = podWith([{ name: "www", configMap: { name: "cm" } }]);
    const www = (await volumes.setUp(pod)).get("www")!;
    await Deno.remove(`${www}/b`);
    await Deno.symlink("..elsewhere", `${www}/..data_tmp`);
    await Deno.mkdir(`${www}/..2020_01_01_00_00_00.deadbeef`);
    await Deno.writeTextFile(`${www}/${await Deno.readLink(`${www}/..data`)}/a`, "spoiled");
    await volumes.setUp(pod);
    assert.deepEqual([await read(`${www}/a`), await read(`${www}/b`)], ["1", "2"]);
    assert.equal((await Array.fromAsync(Deno.readDir(www))).length, 4);
  }));

Deno.test("items, modes and optional are as the spec says", () =>
  withVolumes(async ({ volumes, configMaps, secrets }) => {
    configMaps.set("cm", { data: { a: "A", b: "B" } });
    secrets.set("sec", { data: { pass: btoa("s3cret") } });
    const table = await volumes.setUp(podWith([
      {
        name: "cm",
        configMap: {
          name: "cm",
          defaultMode: 0o600,
          items: [{ key: "a", path: "x/y/a.txt" }, { key: "b", path: "x/b", mode: 0o755 }],
        },
      },
      { name: "sec", secret: { secretName: "sec", defaultMode: 0o400 } },
      { name: "no", secret: { secretName: "no", optional: true } },
      { name: "nokey", configMap: { name: "cm", optional: true, items: [{ key: "no", path: "no" }] } },
    ]));
    const cm = table.get("cm")!;
    assert.equal(await read(`${cm}/x/y/a.txt`), "A");
    assert.deepEqual([await bitsOf(`${cm}/x/y/a.txt`), await bitsOf(`${cm}/x/b`)], [0o600, 0o755]);
    assert.equal(await read(`${table.get("sec")}/pass`), "s3cret");
    assert.equal(await bitsOf(`${table.get("sec")}/pass`), 0o400);
    for (const name of ["no", "nokey"]) {
      const names = await Array.fromAsync(Deno.readDir(table.get(name)!), (e) => e.name);
      assert.ok(names.every((n) => n.startsWith("..")), names.join());
    }
  }));

Deno.test("setUp() names volume and object of what cannot be", async (t) => {
  const rows: Array<[string, Volume, PodEnvironmentError["kind"], string | RegExp]> = [
    ["secret", { name: "v", secret: { secretName: "no" } }, "missing", ': secret "no" not found'],
    [
      "key",
      { name: "v", configMap: { name: "cm", items: [{ key: "no", path: "x" }] } },
      "missing",
      ": configmap references non-existent config key: no",
    ],
    [
      "traversal",
      { name: "v", configMap: { name: "cm", items: [{ key: "a", path: "../x" }] } },
      "invalid",
      /'\.\.'/,
    ],
    [
      "absolute",
      { name: "v", configMap: { name: "cm", items: [{ key: "a", path: "/x" }] } },
      "invalid",
      /relative/,
    ],
    [
      "hidden",
      { name: "v", configMap: { name: "cm", items: [{ key: "a", path: "..data" }] } },
      "invalid",
      /start with/,
    ],
    ["hostile key", { name: "v", configMap: { name: "bad" } }, "invalid", /must not contain '\.\.'/],
    [
      "file and directory",
      { name: "v", configMap: { name: "cm", items: [{ key: "a", path: "x" }, { key: "a", path: "x/y" }] } },
      "invalid",
      /both a file and a directory/,
    ],
    ["mode", { name: "v", configMap: { name: "cm", defaultMode: 0o7777 } }, "invalid", /not between/],
    [
      "claim",
      { name: "v", persistentVolumeClaim: { claimName: "c" } },
      "invalid",
      /persistentVolumeClaim is not supported/,
    ],
    [
      "projected kind",
      { name: "v", projected: { sources: [{ clusterTrustBundle: { path: "x" } }] } },
      "invalid",
      /clusterTrustBundle/,
    ],
    ["medium", { name: "v", emptyDir: { medium: "HugePages" } }, "invalid", /unknown storage medium/],
    ["hostPath", { name: "v", hostPath: { path: "/etc/../x" } }, "invalid", /without '\.\.'/],
    ["hostPath type", { name: "v", hostPath: { path: "/", type: "Sock" } }, "invalid", /invalid volume type/],
  ];
  await withVolumes(async ({ volumes, configMaps }) => {
    configMaps.set("cm", { data: { a: "A" } });
    configMaps.set("bad", { data: { "x/../../../../etc/passwd": "A" } });
    for (const [name, volume, kind, message] of rows) {
      await t.step(name, async () => {
        const prefix = 'MountVolume.SetUp failed for volume "v" ';
        const expected = typeof message === "string" ? prefix + message : message;
        await assert.rejects(volumes.setUp(podWith([volume])), fails(kind, expected));
      });
    }
    await t.step(
      "volume name",
      () =>
        assert.rejects(
          volumes.setUp(podWith([{ name: "../v", emptyDir: {} }])),
          fails("invalid", /not fit for a path/),
        ),
    );
    await t.step(
      "pod uid",
      () =>
        assert.rejects(
          volumes.setUp({ ...podWith([]), metadata: { uid: "../x" } }),
          fails("invalid", /not fit for a path/),
        ),
    );
    await t.step(
      "tearDown() of a hostile uid",
      () => assert.rejects(volumes.tearDown(".."), fails("invalid", /not fit for a path/)),
    );
  });
});

Deno.test("emptyDir is open to everyone, and keeps its content when set up again", () =>
  withVolumes(async ({ volumes }) => {
    const pod = podWith([{ name: "a", emptyDir: {} }, { name: "b" }, {
      name: "m",
      emptyDir: { medium: "Memory" },
    }]);
    const table = await volumes.setUp(pod);
    for (const path of table.values()) assert.equal(await bitsOf(path), 0o777);
    await Deno.writeTextFile(`${table.get("a")}/x`, "kept");
    assert.deepEqual(await volumes.setUp(pod), table);
    assert.equal(await read(`${table.get("a")}/x`), "kept");
  }));

Deno.test("hostPath volumes are checked and made by their type", async (t) => {
  const dir = await Deno.makeTempDir();
  const listener = Deno.listen({ transport: "unix", path: `${dir}/socket` });
  try {
    await Deno.writeTextFile(`${dir}/file`, "");
    const rows: Array<[string, string, boolean]> = [
      ["no", "", true],
      ["new/dir", "DirectoryOrCreate", true],
      ["file", "DirectoryOrCreate", false],
      ["no", "Directory", false],
      ["new", "Directory", true],
      ["newfile", "FileOrCreate", true],
      ["new", "FileOrCreate", false],
      ["nodir/newfile", "FileOrCreate", false],
      ["file", "File", true],
      ["new", "File", false],
      ["socket", "Socket", true],
      ["file", "Socket", false],
      ["file", "BlockDevice", false],
      ["file", "CharDevice", false],
    ];
    await withVolumes(async ({ volumes }) => {
      for (const [path, type, ok] of rows) {
        await t.step(`${type || "any"} at ${path}`, async () => {
          const setUp = volumes.setUp(podWith([{ name: "h", hostPath: { path: `${dir}/${path}`, type } }]));
          if (ok) assert.equal((await setUp).get("h"), `${dir}/${path}`);
          else await assert.rejects(setUp, fails("failed", /hostPath type check failed/));
        });
      }
      await t.step(
        "CharDevice at /dev/null",
        async () => {
          const pod = podWith([{ name: "h", hostPath: { path: "/dev/null", type: "CharDevice" } }]);
          assert.equal((await volumes.setUp(pod)).get("h"), "/dev/null");
        },
      );
    });
    assert.equal(await bitsOf(`${dir}/newfile`), 0o644);
    assert.ok((await Deno.stat(`${dir}/new/dir`)).isDirectory, "hostPath content outlives the pod");
  } finally {
    listener.close();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a projected volume joins its sources, and its token is renewed in time", () =>
  withVolumes(async ({ volumes, configMaps, clock, tokens }) => {
    configMaps.set("kube-root-ca.crt", { data: { "ca.crt": "CA" } });
    const pod = podWith([{
      name: "kube-api-access",
      projected: {
        sources: [
          { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          {
            downwardAPI: {
              items: [
                { path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } },
                { path: "res/cpu", resourceFieldRef: { containerName: "main", resource: "limits.cpu" } },
              ],
            },
          },
        ],
      },
    }], { serviceAccountName: "robot" });
    const dir = (await volumes.setUp(pod)).get("kube-api-access")!;
    assert.equal(await read(`${dir}/token`), "default/robot//web/1");
    assert.equal(await read(`${dir}/ca.crt`), "CA");
    assert.equal(await read(`${dir}/namespace`), "metadata.namespace of web");
    assert.equal(await read(`${dir}/res/cpu`), "limits.cpu");
    assert.equal(await volumes.refresh(pod), 2_880_000);
    assert.equal(tokens.asked, 1);
    await clock.advance(2_880_000);
    await volumes.refresh(pod);
    assert.equal(await read(`${dir}/token`), "default/robot//web/2");

    await clock.advance(3_000_000);
    tokens.error = new StatusError("ServiceUnavailable", "the cloud is away");
    assert.equal(await volumes.refresh(pod), 60_000, "a valid token is used while there is no other");
    await clock.advance(600_000);
    await assert.rejects(volumes.refresh(pod), fails("failed", /failed to fetch token: the cloud is away/));
    assert.equal(await read(`${dir}/token`), "default/robot//web/2");
  }));

Deno.test({
  name: "fsGroup owns what the pod's containers share",
  ignore: !root,
  fn: () =>
    withVolumes(async ({ volumes, configMaps }) => {
      configMaps.set("cm", { data: { a: "A" } });
      const pod = podWith([
        { name: "cm", configMap: { name: "cm", defaultMode: 0o400, items: [{ key: "a", path: "d/a" }] } },
        { name: "e", emptyDir: {} },
        { name: "t", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
      ], { securityContext: { fsGroup: 4321 } });
      const table = await volumes.setUp(pod);
      const first = await Deno.readLink(`${table.get("cm")}/..data`);
      await volumes.refresh(pod);
      assert.equal(await Deno.readLink(`${table.get("cm")}/..data`), first);
      assert.equal((await Deno.stat(`${table.get("cm")}/d/a`)).gid, 4321);
      assert.equal(await bitsOf(`${table.get("cm")}/d/a`), 0o440);
      assert.equal(await bitsOf(`${table.get("cm")}/d`), 0o2755);
      assert.equal((await Deno.stat(table.get("e")!)).gid, 4321);
      assert.equal(await bitsOf(table.get("e")!), 0o2777);
      assert.equal(await bitsOf(`${table.get("t")}/token`), 0o640);
    }),
});

Deno.test({
  name: "secrets and memory volumes are kept off the disk, and tearDown() unmounts them",
  ignore: !mountable,
  fn: () =>
    withVolumes(async ({ volumes, secrets, configMaps, dir }) => {
      secrets.set("sec", { data: { pass: btoa("s3cret") } });
      configMaps.set("cm", { data: { a: "A" } });
      const pod = podWith([
        { name: "sec", secret: { secretName: "sec" } },
        { name: "cm", configMap: { name: "cm" } },
        { name: "mem", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      ], { securityContext: { fsGroup: 77 } });
      const table = await volumes.setUp(pod);
      await volumes.setUp(pod);
      const mounts = (await systemMounter.list()).filter((m) => m.target.startsWith(dir));
      assert.deepEqual(mounts.map((m) => [m.target, m.fileSystem]).sort(), [
        [table.get("mem"), "tmpfs"],
        [table.get("sec"), "tmpfs"],
      ]);
      assert.equal(await read(`${table.get("sec")}/pass`), "s3cret");
      assert.equal(await bitsOf(table.get("mem")!), 0o2777);
      assert.equal((await Deno.stat(table.get("mem")!)).gid, 77);
      await assert.rejects(Deno.writeFile(`${table.get("mem")}/big`, new Uint8Array(2 << 20)));
    }, systemMounter),
});

Deno.test("volumes in memory are on disk where mounting is refused", () =>
  withVolumes(
    async ({ volumes, secrets }) => {
      secrets.set("sec", { data: { pass: btoa("s3cret") } });
      const pod = podWith([{ name: "sec", secret: { secretName: "sec" } }, {
        name: "e",
        emptyDir: { medium: "Memory" },
      }]);
      const table = await volumes.setUp(pod);
      assert.equal(await read(`${table.get("sec")}/pass`), "s3cret");
      const container: Container = {
        name: "main",
        volumeMounts: [{ name: "e", mountPath: "/m", subPath: "x" }],
      };
      const { mounts } = await volumes.containerMounts(pod, container, {
        volumes: table,
        attempt: 0,
        env: [],
      });
      assert.equal(mounts[0]?.hostPath, `${await Deno.realPath(table.get("e")!)}/x`);
    },
    {
      mountTmpfs: () => Promise.reject(new Error("mount /x failed: mount: /x: permission denied.")),
      bind: () => Promise.reject(new Error("mount /x failed: mount: /x: must be superuser to use mount.")),
      unmount: () => Promise.reject(new Error("nothing is mounted")),
      list: () => Promise.resolve([]),
    },
  ));

Deno.test("memorySize() takes the least bound", () => {
  const limited = (...memory: string[]): Pod => ({
    spec: {
      containers: memory.map((m, i) => ({
        name: `c${i}`,
        resources: { limits: { memory: m } },
      })),
    },
  });
  assert.equal(memorySize(limited("0"), undefined), 0);
  assert.equal(memorySize(limited("0"), "1Mi"), 1 << 20);
  assert.equal(memorySize(limited("1Mi", "1Mi"), "5Mi"), 2 << 20);
  assert.equal(memorySize(limited("1Mi", "0"), undefined), 0);
  assert.throws(() => memorySize(limited("0"), "lots"), fails("invalid", /sizeLimit/));
});

Deno.test("podVolumes() needs an absolute root", async () => {
  await withVolumes(async () => {});
  const nothing = () => Promise.reject(new Error("not asked"));
  const api = { getConfigMap: nothing, getSecret: nothing, createToken: nothing };
  const downward = { field: () => "", resource: () => "" };
  const components = { api, downward, clock: new FakeClock(), log: silentLogger };
  assert.throws(() => podVolumes(components, { rootDirectory: "x" }), TypeError);
});
