import assert from "node:assert/strict";
import { createLogger, silentLogger, systemClock } from "../../../common/module/mod.ts";
import { containerConfig, isKind, newPod, sandboxConfig, untilState } from "./contract.ts";
import { dockerRuntime } from "./docker.ts";
import { DEMO_IMAGE, dockerAnswers, ensureImages, PAUSE } from "./docker_support.ts";
import { survivors } from "../../../common/module/survivors_testing.ts";
import { type ProcessCall, type Processes, ProcessTimeoutError, systemProcesses } from "./processes.ts";
import type { ContainerConfig, ContainerRuntime, PodIdentity, PodSandboxConfig } from "./types.ts";

const answers = await dockerAnswers();
const FOREVER = ["/bin/busybox", "sleep", "100000"];

interface Bench {
  runtime: ContainerRuntime;
  pod: PodIdentity;
  /** Every call of the client so far. */
  calls: ProcessCall[];
  sandbox(change?: Partial<PodSandboxConfig>): Promise<string>;
  /** Makes and starts a container that stays, unless told otherwise. */
  start(sandbox: string, change?: Partial<ContainerConfig>): Promise<string>;
  exec(id: string, ...command: string[]): Promise<string>;
}

function recording(inner: Processes, calls: ProcessCall[]): Processes {
  return {
    run: (call) => {
      calls.push(call);
      return inner.run(call);
    },
    stream: (call) => {
      calls.push(call);
      return inner.stream(call);
    },
  };
}

function engineTest(name: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test({
    name: `dockerRuntime: ${name}`,
    ignore: !answers,
    fn: async () => {
      await ensureImages();
      const calls: ProcessCall[] = [];
      const processes = recording(systemProcesses(systemClock), calls);
      const runtime = dockerRuntime({ processes, clock: systemClock, log: silentLogger }, {
        nodeName: "engine-test",
      });
      const pod = newPod();
      try {
        await body({
          runtime,
          pod,
          calls,
          sandbox: (change = {}) => runtime.runPodSandbox({ ...sandboxConfig(pod, PAUSE), ...change }),
          start: async (sandbox, change = {}) => {
            const config = { ...containerConfig(pod, DEMO_IMAGE, FOREVER), ...change };
            const id = await runtime.createContainer(sandbox, config);
            await runtime.startContainer(id);
            return id;
          },
          exec: async (id, ...command) => {
            const { exitCode, output } = await runtime.execSync(id, command, 10_000);
            assert.equal(exitCode, 0, output);
            return output;
          },
        });
      } finally {
        for (const { id } of await runtime.listPodSandboxes({ podUid: pod.uid })) {
          await runtime.removePodSandbox(id);
        }
      }
    },
  });
}

engineTest(
  "variables arrive byte for byte and no value is on a command line",
  async ({ sandbox, start, exec, calls }) => {
    const env = [
      { name: "PLAIN", value: "s3cret-a" },
      { name: "a.b-c", value: "s3cret-b" },
      { name: "LINES", value: "s3cret-c\nsecond\r\n\n" },
      { name: "QUOTES", value: `'"$(id) \`id\` $PATH \\ % s3cret-d  ` },
      { name: "EMPTY", value: "" },
      { name: "UNICODE", value: "ä☃ s3cret-e" },
      { name: "DOCKER_HOST", value: "tcp://127.0.0.1:1" },
      { name: "LD_PRELOAD", value: "/s3cret-f" },
      { name: "#HASH", value: "s3cret-g" },
      { name: "-dash", value: "s3cret-h" },
      { name: "with space", value: "s3cret-i" },
      { name: "LONG", value: "s3cret-j" + "x".repeat(100_000) },
    ];
    const id = await start(await sandbox(), { env });
    const seen = new Map(
      (await exec(id, "cat", "/proc/1/environ")).split("\0").map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
    for (const { name, value } of env) assert.equal(seen.get(name), value, name);
    assert.ok(!calls.some((call) => call.args.some((arg) => arg.includes("s3cret"))));
  },
);

engineTest(
  "mounts with names that mean something to the client",
  async ({ sandbox, start, exec, runtime }) => {
    const dir = await Deno.makeTempDir();
    try {
      const names = ["plain", "a,b", "a:b", 'q"uo"te', "sp ace", "-dash", "ro,readonly:rw"];
      const mounts = await Promise.all(names.map(async (name, i) => {
        await Deno.mkdir(`${dir}/${name}`);
        await Deno.writeTextFile(`${dir}/${name}/f`, name);
        return {
          hostPath: `${dir}/${name}`,
          containerPath: `/m/${i}${i === 3 ? ",x" : ""}`,
          readOnly: i % 2 === 1,
          propagation: "private",
        } as const;
      }));
      const made = {
        hostPath: `${dir}/made`,
        containerPath: "/made",
        readOnly: false,
        propagation: "private",
      } as const;
      const id = await start(await sandbox(), { mounts: [...mounts, made] });
      for (const [i, { containerPath, readOnly }] of mounts.entries()) {
        assert.equal(await exec(id, "cat", `${containerPath}/f`), names[i]);
        const { exitCode } = await runtime.execSync(id, ["touch", `${containerPath}/new`], 10_000);
        assert.equal(exitCode === 0, !readOnly, `mount ${i}`);
      }
      assert.ok((await Deno.stat(`${dir}/made`)).isDirectory);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

engineTest("a container has no more rights than it is given", async ({ sandbox, start, exec, runtime }) => {
  const id = await start(await sandbox(), {
    security: {
      privileged: false,
      readOnlyRootFilesystem: true,
      noNewPrivileges: true,
      runAsUser: 1234,
      runAsGroup: 5678,
      supplementalGroups: [4321],
      addCapabilities: ["NET_BIND_SERVICE"],
      dropCapabilities: ["ALL"],
    },
    workingDir: "/tmp",
  });
  assert.match(await exec(id, "id"), /uid=1234 gid=5678 groups=.*4321/);
  assert.equal((await exec(id, "pwd")).trim(), "/tmp");
  assert.notEqual((await runtime.execSync(id, ["touch", "/tmp/x"], 10_000)).exitCode, 0);
  const status = await exec(id, "cat", "/proc/1/status");
  assert.match(status, /^CapBnd:\t0000000000000400$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
});

engineTest("memory is bounded and running out of it is told", async ({ sandbox, start, runtime }) => {
  const listening = new AbortController();
  const told = (async () => {
    for await (const { type } of runtime.events(listening.signal)) if (type === "oom") return;
  })();
  const id = await start(await sandbox(), {
    command: ["/bin/busybox", "tail", "/dev/zero"],
    resources: {
      memoryLimitBytes: 16 << 20,
      cpuShares: 128,
      cpuPeriodMicros: 100_000,
      cpuQuotaMicros: 50_000,
    },
  });
  await untilState(runtime, id, "exited");
  await told;
  listening.abort();
  const status = await runtime.containerStatus(id);
  assert.deepEqual([status.exitCode, status.reason], [137, "OOMKilled"]);
});

engineTest(
  "containers of a pod share network, name and name servers",
  async ({ sandbox, start, exec, runtime }) => {
    const id = await sandbox({
      hostname: "the-host",
      hostAliases: [{ ip: "10.1.2.3", hostnames: ["db", "db.local"] }, { ip: "fd00::3", hostnames: ["six"] }],
      dns: { servers: ["10.9.8.7"], searches: ["a.local", "b.local"], options: ["ndots:5"] },
    });
    const web = await start(id, { command: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"] });
    const other = await start(id, { name: "other" });
    assert.equal(await exec(other, "wget", "-qO-", "http://127.0.0.1:8080/"), "demo-web\n");
    assert.equal((await exec(web, "hostname")).trim(), "the-host");
    const resolv = await exec(other, "cat", "/etc/resolv.conf");
    assert.match(resolv, /nameserver 10\.9\.8\.7/);
    assert.match(resolv, /search a\.local b\.local/);
    assert.match(resolv, /options ndots:5/);
    const hosts = await exec(other, "cat", "/etc/hosts");
    for (
      const line of [/the-host/, /^10\.1\.2\.3\s+db$/m, /^10\.1\.2\.3\s+db\.local$/m, /^fd00::3\s+six$/m]
    ) {
      assert.match(hosts, line);
    }
    const [ip] = (await runtime.podSandboxStatus(id)).ips;
    const response = await fetch(`http://${ip}:8080/`);
    assert.equal(await response.text(), "demo-web\n");
  },
);

engineTest("a port of the node leads to the pod", async ({ sandbox, start }) => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const hostPort = listener.addr.port;
  listener.close();
  const portMappings = [{ protocol: "TCP", containerPort: 8080, hostPort, hostIP: "127.0.0.1" }] as const;
  const id = await sandbox({ portMappings: [...portMappings] });
  await start(id, { command: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"] });
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      assert.equal(await (await fetch(`http://127.0.0.1:${hostPort}/`)).text(), "demo-web\n");
      return;
    } catch (error) {
      // The server may not listen yet.
      if (!(error instanceof TypeError) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});

engineTest(
  "a pod on the node's network has its name and no address of its own",
  async ({ sandbox, start, exec, runtime }) => {
    const id = await sandbox({ hostNetwork: true, hostPID: true, hostIPC: true, hostname: "" });
    const container = await start(id);
    assert.deepEqual((await runtime.podSandboxStatus(id)).ips, []);
    assert.equal((await exec(container, "hostname")).trim(), Deno.hostname());
    assert.match(await exec(container, "ps"), new RegExp(`^ *${Deno.pid} `, "m"));
  },
);

engineTest("what an interrupted attempt left makes room", async ({ sandbox, runtime, pod }) => {
  const left = await new Deno.Command("docker", {
    args: ["create", `--name=k8s_POD_${pod.name}_${pod.namespace}_${pod.uid}_0`, PAUSE],
  }).output();
  assert.equal(left.code, 0);
  const id = await sandbox();
  assert.equal((await runtime.listPodSandboxes({ podUid: pod.uid }))[0]?.id, id);
});

engineTest("a sandbox that cannot start leaves nothing behind", async ({ sandbox, pod }) => {
  await assert.rejects(sandbox({ sysctls: { "net.nonesuch": "1" } }), isKind("failed"));
  const { stdout } = await new Deno.Command("docker", {
    args: ["ps", "-aq", `--filter=name=k8s_POD_${pod.name}_`],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "");
});

engineTest("looking costs few processes", async ({ sandbox, start, runtime, calls, pod }) => {
  const id = await sandbox();
  const ids = await Promise.all(["a", "b", "c", "d"].map((name) => start(id, { name })));
  await runtime.containerStatus(ids[0]!);
  await runtime.listContainers({ podUid: pod.uid });
  const count = async (body: () => Promise<unknown>) => {
    const before = calls.length;
    await body();
    return calls.length - before;
  };
  assert.equal(await count(() => runtime.listContainers({ podUid: pod.uid })), 1);
  assert.equal(await count(() => Promise.all(ids.map((i) => runtime.containerStatus(i)))), 1);
  assert.equal(await count(() => runtime.podSandboxStatus(id)), 1);
});

engineTest("a command that takes too long is told", async ({ sandbox, start, runtime }) => {
  const id = await start(await sandbox());
  await assert.rejects(runtime.execSync(id, ["sleep", "100"], 200), isKind("failed"));
  const { exitCode, output } = await runtime.execSync(id, ["/nonesuch"], 10_000);
  assert.ok(exitCode === 126 || exitCode === 127, output);
  const long = await runtime.execSync(id, ["sh", "-c", "yes | head -c 3000000"], 10_000);
  assert.equal(long.output.length, 1 << 20);
});

engineTest(
  "a pull that fails says why, and its password is nowhere to be seen",
  async ({ runtime, calls }) => {
    const auth = { username: "user", password: "s3cret-pass" };
    await assert.rejects(runtime.pullImage("127.0.0.1:1/x/y:z", auth), isKind("failed"));
    await assert.rejects(runtime.pullImage("127.0.0.1:1/x/y:z", undefined), isKind("failed"));
    await assert.rejects(runtime.pullImage("--help", undefined), isKind("invalid"));
    const pulls = calls.filter((call) => call.args[0] === "pull");
    assert.equal(pulls.length, 2);
    assert.ok(!JSON.stringify(pulls).includes("s3cret-pass"));
    const dir = pulls[0]?.env?.["DOCKER_CONFIG"];
    assert.ok(dir);
    await assert.rejects(Deno.stat(dir), Deno.errors.NotFound);
  },
);

/** Processes that answer as told, in turn. */
function scripted(
  outcomes: Array<{ code: number; stdout?: string; stderr?: string } | Error>,
  calls: ProcessCall[] = [],
): Processes {
  return {
    run: (call) => {
      calls.push(call);
      const outcome = outcomes.shift();
      assert.ok(outcome, `Not expected: ${call.args.join(" ")}`);
      if (outcome instanceof Error) return Promise.reject(outcome);
      const { code, stdout = "", stderr = "" } = outcome;
      return Promise.resolve({ code, stdout, stderr, output: stdout + stderr, truncated: false });
    },
    stream: () => ({
      chunks: (async function* () {})(),
      code: Promise.resolve(0),
    }),
  };
}

const ID = "ab".repeat(32);
const scriptedRuntime = (processes: Processes, log = silentLogger) =>
  dockerRuntime({ processes, clock: systemClock, log }, { nodeName: "n" });

Deno.test("dockerRuntime goes without lowered OOM scores where the engine refuses them, and says so once", async () => {
  const calls: ProcessCall[] = [];
  const lines: string[] = [];
  const runtime = scriptedRuntime(
    scripted([
      {
        code: 125,
        stderr:
          "Error response from daemon: OCI runtime create failed: can't get final child's PID from pipe: EOF",
      },
      { code: 0 },
      { code: 0, stdout: `${ID}\n` },
      { code: 0, stdout: `${ID}\n` },
    ], calls),
    createLogger("test", { write: (line) => lines.push(line) }),
  );
  assert.equal(await runtime.runPodSandbox(sandboxConfig(newPod(), PAUSE)), ID);
  assert.equal(await runtime.runPodSandbox(sandboxConfig(newPod(), PAUSE)), ID);
  const lowered = calls.map((call) => call.args.some((arg) => arg.startsWith("--oom-score-adj=-")));
  assert.deepEqual(lowered, [true, false, false, false]);
  assert.equal(lines.length, 1);
});

Deno.test("dockerRuntime finds out about OOM scores once for sandboxes that start at the same time", async () => {
  const lines: string[] = [];
  const eof =
    "Error response from daemon: OCI runtime create failed: can't get final child's PID from pipe: EOF";
  const isLowered = ({ args }: ProcessCall) => args.some((arg) => arg.startsWith("--oom-score-adj=-"));
  const runtime = scriptedRuntime(
    {
      run: (call) => {
        const refused = isLowered(call);
        const stdout = call.args[0] === "rm" ? "" : `${ID}\n`;
        const outcome = refused ? { code: 125, stdout: "", stderr: eof } : { code: 0, stdout, stderr: "" };
        return Promise.resolve({ ...outcome, output: outcome.stdout + outcome.stderr, truncated: false });
      },
      stream: () => ({ chunks: (async function* () {})(), code: Promise.resolve(0) }),
    },
    createLogger("test", { write: (line) => lines.push(line) }),
  );
  const starts = [1, 2, 3].map(() => runtime.runPodSandbox(sandboxConfig(newPod(), PAUSE)));
  assert.deepEqual(await Promise.all(starts), [ID, ID, ID]);
  assert.equal(lines.length, 1);
});

Deno.test("dockerRuntime tells that the engine is away, whatever the way", async (t) => {
  const rows: Array<[string, Parameters<typeof scripted>[0][number]]> = [
    ["no client", new Deno.errors.NotFound("docker")],
    ["no engine", {
      code: 1,
      stderr: "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
    }],
    ["no answer", new ProcessTimeoutError("took too long")],
  ];
  for (const [name, outcome] of rows) {
    await t.step(name, async () => {
      await assert.rejects(scriptedRuntime(scripted([outcome])).version(), isKind("unavailable"));
      await assert.rejects(scriptedRuntime(scripted([outcome])).listContainers(), isKind("unavailable"));
      await assert.rejects(scriptedRuntime(scripted([outcome])).containerStatus(ID), isKind("unavailable"));
      await assert.rejects(scriptedRuntime(scripted([outcome])).removeContainer(ID), isKind("unavailable"));
      await assert.rejects(scriptedRuntime(scripted([outcome])).imageStatus("x"), isKind("unavailable"));
      await assert.rejects(
        scriptedRuntime(scripted([outcome])).execSync(ID, ["true"], 10),
        (error) => error instanceof Error,
      );
    });
  }
  await t.step("the stream of events ends", () =>
    assert.rejects(
      Array.fromAsync(scriptedRuntime(scripted([])).events(new AbortController().signal)),
      isKind("unavailable"),
    ));
});

Deno.test("systemProcesses() lets go of what a program wrote while it goes on, though it says nothing else", async () => {
  const given: WeakRef<object>[] = [];
  for await (const { bytes } of systemProcesses(systemClock).stream({ binary: "yes", args: [] }).chunks) {
    given.push(new WeakRef(bytes));
    if (given.length < 100) continue;
    assert.ok(await survivors(given) < 10);
    break;
  }
  assert.equal(given.length, 100);
});

Deno.test("systemProcesses() bounds time and output, and ends what it started", async (t) => {
  const { run, stream } = systemProcesses(systemClock);
  await t.step("output", async () => {
    const outcome = await run({ binary: "head", args: ["-c", "100000", "/dev/zero"], limitBytes: 10 });
    assert.deepEqual([outcome.code, outcome.stdout.length, outcome.truncated], [0, 10, true]);
  });
  await t.step("input", async () => {
    const stdin = "x".repeat(1 << 20);
    assert.equal((await run({ binary: "cat", args: [], stdin, limitBytes: 2 << 20 })).stdout, stdin);
    assert.equal((await run({ binary: "true", args: [], stdin, limitBytes: 10 })).code, 0);
  });
  await t.step("time", () =>
    assert.rejects(
      run({ binary: "sleep", args: ["100"], timeoutMs: 20, limitBytes: 10 }),
      ProcessTimeoutError,
    ));
  await t.step("abort", async () => {
    const reason = new Error("enough");
    const stop = new AbortController();
    const running = run({ binary: "sleep", args: ["100"], signal: stop.signal, limitBytes: 10 });
    stop.abort(reason);
    await assert.rejects(running, reason);
  });
  await t.step(
    "no such program",
    () => assert.rejects(run({ binary: "/nonesuch", args: [], limitBytes: 10 }), Deno.errors.NotFound),
  );
  await t.step("a reader that stops", async () => {
    for await (const { bytes } of stream({ binary: "yes", args: [] }).chunks) {
      assert.ok(bytes.length > 0);
      break;
    }
  });
});
