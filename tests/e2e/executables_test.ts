import assert from "node:assert/strict";
import { NODES } from "../../common/kubeclient/mod.ts";
import { HOST_ARCH } from "../../scripts/runtime.ts";
import { Program, runToEnd, until } from "../../scripts/trial/program.ts";
import { ARM64, ARM64_ROOT, EXECUTABLES, lacking } from "../support/needs.ts";
import { ROOT, Trial } from "../support/trial.ts";

const NAMES = ["cloudcore", "edgecore", "keadm"] as const;
const EMULATED = { KUBEEDGE_RUNTIME_WRAPPER: `qemu-aarch64-static -L ${ARM64_ROOT}` };
const path = (name: string, arch: string = HOST_ARCH) => `${ROOT}dist/${name}-linux-${arch}`;

Deno.test({
  name: "the executables print their version, help and configuration",
  ignore: lacking(EXECUTABLES),
  fn: async (t) => {
    for (const name of NAMES) {
      await t.step(`${name} --version names the packaging`, async () => {
        const { code, stdout } = await runToEnd(path(name), [name === "keadm" ? "version" : "--version"]);
        assert.equal(code, 0);
        if (name !== "keadm") {
          assert.match(stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ .*(self-extract|compiled)\\)\\n$`));
        } else assert.match(stdout, /v1\.23\.1/);
      });
      await t.step(`${name} --help`, async () => {
        const { code, stdout } = await runToEnd(path(name), ["--help"]);
        assert.equal(code, 0);
        assert.match(stdout, new RegExp(`Usage:? .*${name}`, "is"));
      });
    }
    for (const name of ["cloudcore", "edgecore"] as const) {
      for (const flag of ["--minconfig", "--defaultconfig"]) {
        await t.step(`${name} ${flag} loads unchanged`, async () => {
          const { code, stdout } = await runToEnd(path(name), [flag]);
          assert.equal(code, 0);
          assert.match(stdout, new RegExp(`^apiVersion: ${name}\\.config\\.kubeedge\\.io/`, "m"));
          assert.match(stdout, /^kind: (Cloud|Edge)Core/m);
        });
      }
      const refusals: Array<[string, string[], string | undefined, RegExp]> = [
        ["an unknown flag", ["--confg", "x"], undefined, /--confg.*|did you mean/s],
        ["a missing file", ["--config", "/nonexistent/core.yaml"], undefined, /\/nonexistent\/core\.yaml/],
        ["a file that is not YAML", ["--config"], "a: [", /core\.yaml:\d+:\d+/],
        [
          "a wrong type and a misspelt key, both told",
          ["--config"],
          MISTAKES[name],
          /expected .*did you mean/s,
        ],
      ];
      for (const [what, args, text, expected] of refusals) {
        await t.step(`${name} refuses ${what} with exit code 2`, async () => {
          const file = await Deno.makeTempDir() + "/core.yaml";
          try {
            if (text !== undefined) await Deno.writeTextFile(file, text);
            const { code, stderr } = await runToEnd(path(name), text === undefined ? args : [...args, file]);
            assert.equal(code, 2, stderr);
            assert.match(stderr, expected);
            assert.doesNotMatch(stderr, /^\s+at /m, "a stack trace is no message");
          } finally {
            await Deno.remove(file.slice(0, -"/core.yaml".length), { recursive: true });
          }
        });
      }
    }
  },
});

const MISTAKES = {
  cloudcore: "modules:\n  cloudHub:\n    nodeLimit: many\n    websoket: {}\n",
  edgecore: "modules:\n  edgeHub:\n    heartbeat: often\n    websoket: {}\n",
};

Deno.test({
  name: "the executables unpack into a directory of the owner's and refuse what is damaged",
  ignore: lacking(EXECUTABLES),
  fn: async (t) => {
    const directory = await Deno.makeTempDir();
    const env = { KUBEEDGE_CACHE_DIR: `${directory}/cache` };
    try {
      await t.step("four first starts at once, in an empty cache", async () => {
        const all = await Promise.all(
          [1, 2, 3, 4].map(() => runToEnd(path("edgecore"), ["--version"], { env })),
        );
        assert.deepEqual(all.map(({ code }) => code), [0, 0, 0, 0], all.map(({ stderr }) => stderr).join());
        assert.equal((await Deno.stat(`${directory}/cache`)).mode! & 0o777, 0o700);
        assert.deepEqual(
          [...Deno.readDirSync(`${directory}/cache`)].filter(({ name }) => /^\./.test(name)),
          [],
        );
      });
      await t.step("what another start was faster to unpack is left where it is", async () => {
        const [program] = [...Deno.readDirSync(env.KUBEEDGE_CACHE_DIR)].map(({ name }) => name)
          .filter((name) => name.startsWith("edgecore-"));
        const cache = `${directory}/raced`;
        const target = `${cache}/${program}`;
        const prepared = `${directory}/prepared`;
        const { code: copied } = await runToEnd("cp", [
          "--archive",
          `${env.KUBEEDGE_CACHE_DIR}/${program}`,
          prepared,
        ]);
        assert.equal(copied, 0);
        await Deno.mkdir(`${directory}/bin`);
        // The other start is through just when this one is about to put its own in place.
        await Deno.writeTextFile(
          `${directory}/bin/mv`,
          `#!/bin/sh\n[ ! -e ${prepared} ] || /bin/mv -T ${prepared} ${target}\nexec /bin/mv "$@"\n`,
          { mode: 0o755 },
        );
        const { ino } = await Deno.stat(prepared);
        const { code, stderr } = await runToEnd(path("edgecore"), ["--version"], {
          env: { KUBEEDGE_CACHE_DIR: cache, PATH: `${directory}/bin:${Deno.env.get("PATH")}` },
        });
        assert.equal(code, 0, stderr);
        assert.equal((await Deno.stat(target)).ino, ino);
      });
      await t.step("what a power cut or a killed start has left is replaced", async () => {
        const names = () => [...Deno.readDirSync(env.KUBEEDGE_CACHE_DIR)].map(({ name }) => name).sort();
        const before = names();
        const runtime = before.find((name) => name.startsWith("runtime-"))!;
        const program = before.find((name) => name.startsWith("edgecore-"))!;
        const unfinished = `${env.KUBEEDGE_CACHE_DIR}/.${runtime}.4194305`;
        const damages = [
          () => Deno.truncate(`${env.KUBEEDGE_CACHE_DIR}/${runtime}/deno`, 0),
          () => Deno.truncate(`${env.KUBEEDGE_CACHE_DIR}/${program}/edge/compartments/link.js`, 1000),
          async () => {
            await Deno.remove(`${env.KUBEEDGE_CACHE_DIR}/${runtime}/deno`);
            await Deno.mkdir(`${unfinished}/content`, { recursive: true });
          },
        ];
        for (const damage of damages) {
          await damage();
          const { code, stdout, stderr } = await runToEnd(path("edgecore"), ["--version"], { env });
          assert.equal(code, 0, stderr);
          assert.match(stdout, /^edgecore /);
          assert.deepEqual(names(), before);
        }
        assert.ok(
          (await Deno.stat(`${env.KUBEEDGE_CACHE_DIR}/${program}/edge/compartments/link.js`)).size > 1000,
        );
      });
      await t.step("what the loader is told to load is not for its runtime", async () => {
        const wrapper = `${directory}/show`;
        await Deno.writeTextFile(wrapper, "#!/bin/sh\nenv\n", { mode: 0o755 });
        const loader = { LD_LIBRARY_PATH: "/nowhere", LD_PRELOAD: "", KUBEEDGE_RUNTIME_WRAPPER: wrapper };
        const { stdout } = await runToEnd(path("edgecore"), ["--version"], { env: { ...env, ...loader } });
        assert.match(stdout, /^DENO_DIR=/m);
        assert.doesNotMatch(stdout, /^LD_/m);
      });
      await t.step("a directory that others may write to is refused, and left as it is", async () => {
        const shared = `${directory}/shared`;
        await Deno.mkdir(shared);
        await Deno.chmod(shared, 0o1777);
        const { code, stderr } = await runToEnd(path("keadm"), ["version"], {
          env: { KUBEEDGE_CACHE_DIR: shared },
        });
        assert.equal(code, 1);
        assert.match(stderr, /^keadm: others may write to .*\/shared: set KUBEEDGE_CACHE_DIR to/);
        assert.equal((await Deno.stat(shared)).mode! & 0o7777, 0o1777);
      });
      await t.step("a damaged file", async () => {
        const bytes = await Deno.readFile(path("keadm"));
        bytes[bytes.length - 1000]! ^= 0xff;
        await Deno.writeFile(`${directory}/keadm`, bytes, { mode: 0o755 });
        const { code, stderr } = await runToEnd(`${directory}/keadm`, ["version"], {
          env: { KUBEEDGE_CACHE_DIR: `${directory}/other` },
        });
        assert.equal(code, 1);
        assert.match(stderr, /damaged/);
      });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "the arm64 edgecore prints its configuration and joins a cloudcore",
  ignore: lacking(EXECUTABLES, ARM64) || HOST_ARCH === "arm64",
  fn: async () => {
    const printed = await runToEnd(path("edgecore", "arm64"), ["--minconfig"], { env: EMULATED });
    assert.equal(printed.code, 0, printed.stderr);
    const native = await runToEnd(path("edgecore"), ["--minconfig"]);
    assert.equal(printed.stdout, native.stdout);

    await using trial = await Trial.make("e2e-arm64");
    const { site } = trial;
    await site.configureCloud();
    await site.startCloud();
    const config = await site.configureEdge(await site.token());
    await using edge = Program.start("edgecore", path("edgecore", "arm64"), ["--config", config], {
      logFile: `${site.directory}/edgecore.log`,
      env: EMULATED,
    });
    const kube = await site.kube();
    const node = await until("the arm64 node registers", async () => {
      if (!edge.running) throw new Error(await edge.tail());
      return (await kube.list(NODES)).items.find(({ metadata }) => metadata?.name === "e2e-arm64");
    }, { timeoutMs: 300_000 });
    assert.equal(node.metadata?.labels?.["kubernetes.io/arch"], "arm64");
    assert.equal(node.status?.nodeInfo?.architecture, "arm64");
  },
});
