import assert from "node:assert/strict";
import fc from "fast-check";
import { containerConfig, isKind, sandboxConfig } from "./contract.ts";
import {
  checkImageReference,
  type EngineChoices,
  planCreateContainer,
  planRunSandbox,
} from "./docker_args.ts";
import { checkId } from "./docker_client.ts";
import { planEnv } from "./docker_env.ts";
import { engineError, engineMessage } from "./docker_errors.ts";
import { printLogin, registryOf } from "./docker_images.ts";
import { engineLabels, parseAttempt, printContainerName, splitLabels } from "./docker_names.ts";
import {
  containerStatusOf,
  parseArray,
  parseEvent,
  parseImage,
  parseInspected,
  sandboxOf,
} from "./docker_parse.ts";
import type { ContainerConfig, PodSandboxConfig, RuntimeError } from "./types.ts";

const POD = { namespace: "default", name: "web-1", uid: "u-1" };
const CHOICES: EngineChoices = {
  nodeName: "edge-1",
  logMaxSizeBytes: 1024,
  logMaxFiles: 3,
  mayLowerOomScore: true,
};
const FACTS = { cgroupParent: "", hostNetwork: false, hostPID: false, hostIPC: false };
const SANDBOX = "ab".repeat(32);

const sandboxArgs = (change: Partial<PodSandboxConfig>, choices = CHOICES) =>
  planRunSandbox({ ...sandboxConfig(POD, "pause:1"), ...change }, choices).args;
const containerArgs = (change: Partial<ContainerConfig>, facts = FACTS, choices = CHOICES) =>
  planCreateContainer(SANDBOX, facts, { ...containerConfig(POD, "web:1", []), ...change }, choices).args;

Deno.test("printContainerName() is the kubelet's, and parseAttempt() reads it back", () => {
  assert.equal(printContainerName(POD, "main", 3), "k8s_main_web-1_default_u-1_3");
  assert.equal(parseAttempt("/k8s_main_web-1_default_u-1_3"), 3);
  assert.equal(parseAttempt("/somebody"), 0);
  for (const name of ["", "--rm", "a_b", "a/b", "a b", "ä", "x".repeat(300), "a\n"]) {
    assert.throws(() => printContainerName({ ...POD, name }, "main", 0), isKind("invalid"), name);
  }
  assert.throws(() => printContainerName(POD, "main", -1), isKind("invalid"));
});

Deno.test("engineLabels() cannot be made to name another pod", () => {
  const config = {
    pod: POD,
    name: "main",
    labels: { "io.kubernetes.pod.uid": "other", "io.kubernetes.docker.type": "podsandbox", app: "x" },
    annotations: { note: "n" },
  };
  const labels = engineLabels(config, "edge-1", SANDBOX);
  assert.equal(labels["io.kubernetes.pod.uid"], "u-1");
  assert.equal(labels["io.kubernetes.docker.type"], "container");
  assert.equal(labels["io.kubernetes.sandbox.id"], SANDBOX);
  assert.equal(labels["io.kubeedge.node.name"], "edge-1");
  assert.equal(labels["annotation.note"], "n");
  assert.deepEqual(splitLabels(labels).annotations, { note: "n" });
  assert.equal(engineLabels(config, "edge-1")["io.kubernetes.container.name"], "POD");
});

Deno.test("planRunSandbox() gives the pod its namespaces, ports and names", () => {
  const args = sandboxArgs({
    portMappings: [
      { protocol: "TCP", containerPort: 80, hostPort: 8080, hostIP: "" },
      { protocol: "UDP", containerPort: 53, hostPort: 53, hostIP: "fd00::1" },
    ],
    dns: { servers: ["10.0.0.1"], searches: ["svc"], options: ["ndots:5"] },
    sysctls: { "net.core.somaxconn": "1024" },
    cgroupParent: "/kube",
    hostPID: true,
  });
  for (
    const arg of [
      "--publish=8080:80/tcp",
      "--publish=[fd00::1]:53:53/udp",
      "--dns=10.0.0.1",
      "--dns-search=svc",
      "--dns-option=ndots:5",
      "--sysctl=net.core.somaxconn=1024",
      "--cgroup-parent=/kube",
      "--pid=host",
      "--ipc=shareable",
      "--hostname=web",
      "--oom-score-adj=-998",
    ]
  ) assert.ok(args.includes(arg), arg);
  assert.deepEqual(args.slice(-2), ["--", "pause:1"]);
  const host = sandboxArgs({ hostNetwork: true, hostIPC: true });
  assert.ok(host.includes("--network=host") && host.includes("--ipc=host"));
  assert.ok(!host.some((arg) => /^--(hostname|publish)/.test(arg)));
  assert.ok(!sandboxArgs({}, { ...CHOICES, mayLowerOomScore: false }).some((arg) => arg.startsWith("--oom")));
});

Deno.test("planCreateContainer() puts command and arguments where the client reads them", async (t) => {
  const rows: Array<[string, Partial<ContainerConfig>, string | undefined, string[]]> = [
    ["nothing", {}, undefined, []],
    ["arguments", { args: ["-a", "b"] }, undefined, ["-a", "b"]],
    ["command", { command: ["--x", "-y"] }, "--entrypoint=--x", ["-y"]],
    ["both", { command: ["c", "d"], args: ["--", "e\nf"] }, "--entrypoint=c", ["d", "--", "e\nf"]],
  ];
  for (const [name, change, entrypoint, tail] of rows) {
    await t.step(name, () => {
      const args = containerArgs({ command: [], ...change });
      assert.deepEqual(args.slice(args.indexOf("--") + 1), ["web:1", ...tail]);
      assert.equal(args.find((arg) => arg.startsWith("--entrypoint")), entrypoint);
    });
  }
});

Deno.test("planCreateContainer() says bounds, rights and mounts", () => {
  const args = containerArgs({
    resources: {
      cpuShares: 102,
      cpuQuotaMicros: 5000,
      cpuPeriodMicros: 100000,
      memoryLimitBytes: 1 << 25,
      oomScoreAdj: -997,
    },
    security: {
      privileged: true,
      readOnlyRootFilesystem: true,
      noNewPrivileges: true,
      runAsUser: 1000,
      runAsGroup: 2000,
      supplementalGroups: [3000],
      addCapabilities: ["NET_ADMIN"],
      dropCapabilities: ["ALL"],
    },
    mounts: [
      { hostPath: "/a,b c", containerPath: "/x", readOnly: true, propagation: "private" },
      { hostPath: '/a:"b",c', containerPath: "/y", readOnly: false, propagation: "bidirectional" },
    ],
    workingDir: "/w",
    stdin: true,
    tty: true,
  }, { cgroupParent: "/kube", hostNetwork: true, hostPID: true, hostIPC: false });
  for (
    const arg of [
      "--cpu-shares=102",
      "--cpu-quota=5000",
      "--cpu-period=100000",
      "--memory=33554432b",
      "--memory-swap=33554432b",
      "--oom-score-adj=-997",
      "--privileged",
      "--read-only",
      "--security-opt=no-new-privileges",
      "--user=1000:2000",
      "--group-add=3000",
      "--cap-add=NET_ADMIN",
      "--cap-drop=ALL",
      "--volume=/a,b c:/x:ro,rprivate",
      '--mount=type=bind,"source=/a:""b"",c",target=/y,bind-propagation=rshared',
      "--workdir=/w",
      "--interactive",
      "--tty",
      "--pid=host",
      "--uts=host",
      "--cgroup-parent=/kube",
      `--network=container:${SANDBOX}`,
      `--ipc=container:${SANDBOX}`,
      "--log-opt=max-size=1024",
      "--log-opt=max-file=3",
    ]
  ) assert.ok(args.includes(arg), arg);
});

Deno.test("planCreateContainer() refuses what the client cannot express", async (t) => {
  const security = containerConfig(POD, "", []).security;
  const mount = { hostPath: "/a", containerPath: "/b", readOnly: false, propagation: "private" } as const;
  const rows: Array<[string, Partial<ContainerConfig>]> = [
    ["an image that is an option", { image: "--privileged" }],
    ["a relative mount", { mounts: [{ ...mount, hostPath: "a" }] }],
    ["a zero byte", { args: ["a\0b"] }],
    ["an endless argument", { args: ["x".repeat(1 << 20)] }],
    ["a group without a user", { security: { ...security, runAsGroup: 5 } }],
    ["a negative user", { security: { ...security, runAsUser: -1 } }],
    ["an empty command", { command: [""] }],
    ["a label with =", { labels: { "a=b": "c" } }],
  ];
  for (const [name, change] of rows) {
    await t.step(name, () => assert.throws(() => containerArgs(change), isKind("invalid")));
  }
});

Deno.test("checkImageReference() takes references and ids, never options", () => {
  for (
    const good of ["a", "a:1", "r.io:5000/a/b:c", "a@sha256:" + "0".repeat(64), "sha256:" + "0".repeat(64)]
  ) {
    assert.equal(checkImageReference(good), good);
  }
  for (const bad of ["", "-a", "a b", "a\nb", ".a", "a$(x)", "ä", "x".repeat(600)]) {
    assert.throws(() => checkImageReference(bad), isKind("invalid"), bad);
  }
});

Deno.test("checkId() takes ids only", () => {
  assert.equal(checkId(SANDBOX), SANDBOX);
  for (const bad of ["", "-f", "name", "../x", "AB".repeat(32)]) {
    assert.throws(() => checkId(bad), isKind("not-found"), bad);
  }
});

Deno.test("planEnv() never puts a value on a command line", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({
        name: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_. -]{0,20}$/),
        value: fc.string({ unit: "binary" }),
      }),
    ),
    (variables) => {
      const marked = variables.map(({ name, value }) => ({
        name: `X${name}`,
        value: `<secret>${value.replaceAll("\0", "")}`,
      }));
      const { args, stdin, env } = planEnv(marked);
      assert.ok(!args.join("\n").includes("<secret>"));
      const shown = new Map(Object.entries(env));
      for (const line of (stdin ?? "").split("\n").filter((l) => l !== "")) {
        const at = line.indexOf("=");
        shown.set(line.slice(0, at), line.slice(at + 1));
      }
      assert.deepEqual(shown, new Map(marked.map(({ name, value }) => [name, value])));
    },
  ));
});

Deno.test("planEnv() keeps variables away from the client that it would obey itself", () => {
  for (const name of ["DOCKER_HOST", "LD_PRELOAD", "PATH", "http_proxy", "HOME"]) {
    assert.deepEqual(planEnv([{ name, value: "x" }]).env, {}, name);
    assert.throws(() => planEnv([{ name, value: "a\nb" }]), isKind("invalid"), name);
  }
  assert.deepEqual(planEnv([{ name: "A", value: "1\n2" }]), {
    args: ["--env=A"],
    stdin: undefined,
    env: { A: "1\n2" },
  });
  for (const name of ["", "a=b", "a\0"]) {
    assert.throws(() => planEnv([{ name, value: "" }]), isKind("invalid"));
  }
  assert.throws(() => planEnv([{ name: "A", value: "x".repeat(200_000) }]), isKind("invalid"));
});

Deno.test("engineError() tells what to do about it", async (t) => {
  const rows: Array<[string, RuntimeError["kind"]]> = [
    [
      "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
      "unavailable",
    ],
    ["error during connect: Get http://...: EOF", "unavailable"],
    ["unexpected EOF\n", "unavailable"],
    [
      "docker: Error response from daemon: runc: can't get final child's PID from pipe: EOF: unknown",
      "failed",
    ],
    ["Error: No such container: abc", "not-found"],
    ["Error response from daemon: No such container: abc", "not-found"],
    ["Error: No such object: abc", "not-found"],
    ["docker: Error response from daemon: No such image: x:1.\nSee 'docker run --help'.", "image-missing"],
    ["Error response from daemon: manifest for x:1 not found: manifest unknown", "image-missing"],
    ["Error response from daemon: pull access denied for x, repository does not exist", "image-missing"],
    ["Error response from daemon: Get https://r.io/v2/: dial tcp: lookup r.io: no such host", "failed"],
    ["invalid reference format", "invalid"],
    ["Error response from daemon: Minimum memory limit allowed is 6MB", "invalid"],
    ["Error response from daemon: driver failed programming: port is already allocated", "failed"],
    ["", "failed"],
  ];
  for (const [stderr, kind] of rows) {
    await t.step(stderr.slice(0, 60) || "nothing said", () => {
      const error = engineError("Cannot do it", 1, stderr);
      assert.equal(error.kind, kind);
      assert.match(error.message, /^Cannot do it: ./);
    });
  }
  assert.equal(
    engineMessage(
      "WARNING: no swap\nError response from daemon: boom\nError: failed to start containers: x\n",
    ),
    "boom",
  );
});

const INSPECTED = {
  Id: SANDBOX,
  Name: "/k8s_main_web-1_default_u-1_2",
  Created: "2026-11-20T16:00:00.123456789Z",
  Image: "sha256:1",
  Config: {
    Image: "web:1",
    Labels: {
      "io.kubernetes.pod.name": "web-1",
      "io.kubernetes.pod.namespace": "default",
      "io.kubernetes.pod.uid": "u-1",
      "io.kubernetes.container.name": "main",
      "io.kubernetes.docker.type": "container",
      "io.kubernetes.sandbox.id": "s",
      "annotation.a": "b",
    },
  },
  State: {
    Status: "exited",
    ExitCode: 0,
    Error: "",
    OOMKilled: false,
    StartedAt: "2026-11-20T16:00:01Z",
    FinishedAt: "2026-11-20T16:00:02Z",
  },
};

Deno.test("containerStatusOf() tells the end as the kubelet does", async (t) => {
  const zero = "0001-01-01T00:00:00Z";
  const rows: Array<[string, Record<string, unknown>, [string, number | undefined, string | undefined]]> = [
    ["completed", {}, ["exited", 0, "Completed"]],
    ["failed", { ExitCode: 2 }, ["exited", 2, "Error"]],
    ["out of memory", { ExitCode: 137, OOMKilled: true }, ["exited", 137, "OOMKilled"]],
    ["running", { Status: "running", FinishedAt: zero }, ["running", undefined, undefined]],
    ["paused", { Status: "paused", FinishedAt: zero }, ["running", undefined, undefined]],
    ["created", { Status: "created", StartedAt: zero, FinishedAt: zero }, ["created", undefined, undefined]],
    [
      "never started",
      { Status: "created", StartedAt: zero, FinishedAt: zero, ExitCode: 127, Error: "no such file" },
      ["exited", 127, "ContainerCannotRun"],
    ],
    ["going", { Status: "removing" }, ["unknown", undefined, undefined]],
  ];
  for (const [name, state, expected] of rows) {
    await t.step(name, () => {
      const inspected = parseInspected({ ...INSPECTED, State: { ...INSPECTED.State, ...state } });
      assert.ok(inspected);
      const status = containerStatusOf(inspected);
      assert.deepEqual([status.state, status.exitCode, status.reason], expected);
      assert.deepEqual([status.attempt, status.name, status.annotations], [2, "main", { a: "b" }]);
      assert.equal(status.createdAt, Date.UTC(2026, 10, 20, 16, 0, 0, 123));
    });
  }
});

Deno.test("parseInspected() survives anything and shows only a kubelet's containers", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    for (
      const json of [value, { ...INSPECTED, State: value }, {
        ...INSPECTED,
        HostConfig: value,
        NetworkSettings: value,
      }]
    ) {
      for (const item of parseArray(JSON.stringify([json]))) {
        const inspected = parseInspected(item);
        if (inspected === undefined) continue;
        containerStatusOf(inspected);
        sandboxOf(inspected);
      }
    }
    parseImage(parseArray(JSON.stringify([value]))[0]!);
  }));
  assert.equal(parseInspected({ ...INSPECTED, Config: { Labels: {} } }), undefined);
  for (const text of ["", "{", "null", "{}"]) assert.throws(() => parseArray(text), isKind("failed"), text);
});

Deno.test("parseEvent() takes what concerns pods", () => {
  const Attributes = { ...INSPECTED.Config.Labels, name: "x" };
  const event = (Action: string, attributes: Record<string, string> = Attributes) =>
    parseEvent(JSON.stringify({ Type: "container", Action, Actor: { ID: "i", Attributes: attributes } }));
  assert.deepEqual(event("die"), { podUid: "u-1", containerId: "i", type: "stopped" });
  assert.equal(event("exec_start: x"), undefined);
  assert.equal(event("start", {}), undefined);
  assert.throws(() => parseEvent("not json"), isKind("failed"));
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    parseEvent(JSON.stringify(value));
  }));
});

Deno.test("printLogin() is for the image's registry", () => {
  assert.equal(registryOf("busybox"), "https://index.docker.io/v1/");
  assert.equal(registryOf("library/busybox"), "https://index.docker.io/v1/");
  assert.equal(registryOf("docker.io/library/busybox"), "https://index.docker.io/v1/");
  assert.equal(registryOf("r.io:5000/a"), "r.io:5000");
  assert.equal(registryOf("localhost/a"), "localhost");
  assert.deepEqual(JSON.parse(printLogin("r.io/a", { username: "u", password: "ü:" })), {
    auths: { "r.io": { auth: new TextEncoder().encode("u:ü:").toBase64() } },
  });
});
