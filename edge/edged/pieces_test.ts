import assert from "node:assert/strict";
import fc from "fast-check";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { containerConfig, linuxResources, qosClass, rootRefusal, sandboxConfig } from "./container_config.ts";
import { nextBackoff, printSeconds, waitUntil } from "./crash_backoff.ts";
import { expandVariables } from "./expand.ts";
import { parseImageReference, pullPolicy } from "./image_reference.ts";
import { Limiter } from "./limiter.ts";
import { authFor } from "./pull_secrets.ts";
import { initialProbeState, nextProbeState } from "./prober.ts";
import { parseQuantity } from "./quantity.ts";
import { sameJson, strategicDiff } from "./strategic_patch.ts";
import { testPod } from "./testing.ts";
import { Timers } from "./timers.ts";

const SETTINGS = {
  nodeName: "edge-1",
  sandboxImage: "pause",
  clusterDNS: ["10.96.0.10"],
  clusterDomain: "cluster.local",
  cgroupParent: "",
  memoryBytes: 4 * 2 ** 30,
};

Deno.test("expandVariables() replaces what is known and leaves the rest", () => {
  const lookup = (name: string) => ({ A: "1", B: "$(A)" })[name];
  for (
    const [text, expected] of [
      ["$(A)", "1"],
      ["$$(A)", "$(A)"],
      ["$(X)", "$(X)"],
      ["$(B)", "$(A)"],
      ["$", "$"],
      ["$(A", "$(A"],
      ["$$$(A)", "$1"],
    ]
  ) {
    assert.equal(expandVariables(text!, lookup), expected);
  }
  assert.throws(() => expandVariables("$(A)".repeat(9), () => "x".repeat(100_000)), RangeError);
});

Deno.test("parseQuantity() reads numbers with suffixes and exponents", () => {
  const table: Array<[unknown, number | undefined]> = [
    ["100m", 0.1],
    ["2", 2],
    [2, 2],
    ["1.5Gi", 1.5 * 2 ** 30],
    ["1e3", 1000],
    ["1E", 1e18],
    ["128M", 128e6],
    ["x", undefined],
    ["1kk", undefined],
    ["", undefined],
    [null, undefined],
  ];
  for (const [text, expected] of table) assert.equal(parseQuantity(text), expected);
});

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

Deno.test("nextBackoff() doubles to five minutes and begins anew after ten quiet ones", () => {
  let backoff = nextBackoff(undefined, 0, 0);
  const delays = [backoff.delayMs];
  for (let i = 0; i < 6; i++) delays.push((backoff = nextBackoff(backoff, 0, 0)).delayMs);
  assert.deepEqual(delays.map((ms) => ms / 1000), [10, 20, 40, 80, 160, 300, 300]);
  assert.equal(nextBackoff(backoff, 600_001, 600_001).delayMs, 10_000);
  assert.equal(waitUntil(backoff, 1000, 2000), 301_000);
  assert.equal(waitUntil(backoff, 1000, 301_000), undefined);
  assert.deepEqual([10_000, 80_000, 300_000].map(printSeconds), ["10s", "1m20s", "5m0s"]);
});

Deno.test("nextProbeState() changes its verdict only after as many results as the thresholds ask for", () => {
  const probe = { failureThreshold: 2, successThreshold: 2 };
  let state = initialProbeState("readiness");
  const verdicts = [true, true, false, true, false, false].map((ok) =>
    (state = nextProbeState(state, ok, probe)).passed
  );
  assert.deepEqual(verdicts, [false, true, true, true, true, false]);
});

Deno.test("strategicDiff() makes one object into the other", () => {
  const keys = { conditions: "type" };
  assert.deepEqual(strategicDiff({ a: 1, b: { c: 1, d: 2 } }, { b: { c: 1, d: 3 }, e: [1] }, keys), {
    a: null,
    b: { d: 3 },
    e: [1],
  });
  const before = { conditions: [{ type: "A", status: "True", reason: "x" }, { type: "B", status: "True" }] };
  const after = { conditions: [{ type: "A", status: "False" }, { type: "C", status: "True" }] };
  assert.deepEqual(strategicDiff(before, after, keys), {
    "$setElementOrder/conditions": [{ type: "A" }, { type: "C" }],
    conditions: [
      { type: "A", status: "False", reason: null },
      { type: "C", status: "True" },
      { $patch: "delete", type: "B" },
    ],
  });
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
    const same = Object.keys(strategicDiff({ a }, { a: b }, {})).length === 0;
    assert.equal(same, sameJson(a, b));
  }));
});

Deno.test("sandboxConfig() gives host name, ports and name servers", () => {
  const containers = [{
    name: "web",
    image: "busybox:1",
    ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }],
  }];
  const config = sandboxConfig(testPod({ spec: { containers } }), 3, SETTINGS);
  assert.equal(config.hostname, "web");
  assert.deepEqual(config.portMappings, [{ protocol: "TCP", containerPort: 80, hostPort: 8080, hostIP: "" }]);
  assert.deepEqual(config.dns, {
    servers: ["10.96.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
    options: ["ndots:5"],
  });
  assert.equal(config.labels["io.kubernetes.pod.uid"], "u1");
  const host = sandboxConfig(testPod({ spec: { containers, hostNetwork: true } }), 0, SETTINGS);
  assert.deepEqual([host.hostname, host.portMappings, host.dns], ["edge-1", [], undefined]);
  const long = sandboxConfig(testPod({ metadata: { name: `${"a".repeat(62)}.b` } }), 0, SETTINGS);
  assert.equal(long.hostname, "a".repeat(62));
});

Deno.test("containerConfig() expands commands and writes down what a restart needs", () => {
  const pod = testPod({
    spec: {
      containers: [{
        name: "web",
        image: "busybox:1",
        command: ["echo", "$(GREETING)", "$(NONE)"],
        args: ["$$(A)"],
      }],
    },
  });
  const config = containerConfig(pod, pod.spec.containers[0]!, {
    attempt: 2,
    image: "busybox:1",
    env: [{ name: "GREETING", value: "hello; rm -rf /" }],
    mounts: [],
    settings: SETTINGS,
  });
  assert.deepEqual(config.command, ["echo", "hello; rm -rf /", "$(NONE)"]);
  assert.deepEqual(config.args, ["$(A)"]);
  assert.equal(config.annotations["io.kubernetes.container.restartCount"], "2");
  assert.match(config.annotations["io.kubernetes.container.hash"]!, /^[0-9a-f]+$/);
});

Deno.test("linuxResources() bounds as the kubelet does", () => {
  const of = (resources: unknown) => {
    const pod = testPod({ spec: { containers: [{ name: "web", image: "busybox:1", resources }] } });
    return { qos: qosClass(pod), ...linuxResources(pod, pod.spec.containers[0]!, SETTINGS.memoryBytes) };
  };
  assert.deepEqual(of({}), { qos: "BestEffort", cpuShares: 2, oomScoreAdj: 1000 });
  assert.deepEqual(of({ limits: { cpu: "500m", memory: "128Mi" } }), {
    qos: "Guaranteed",
    cpuShares: 512,
    cpuPeriodMicros: 100_000,
    cpuQuotaMicros: 50_000,
    memoryLimitBytes: 128 * 2 ** 20,
    oomScoreAdj: -997,
  });
  assert.deepEqual(of({ requests: { memory: "1Gi" } }), { qos: "Burstable", cpuShares: 2, oomScoreAdj: 750 });
});

Deno.test("rootRefusal() keeps root out where the spec says so", () => {
  const image = (user: string) => ({ id: "i", repoTags: [], repoDigests: [], sizeBytes: 1, user });
  const refusal = (securityContext: unknown, user: string) => {
    const pod = testPod({ spec: { containers: [{ name: "web", image: "busybox:1", securityContext }] } });
    return rootRefusal(pod, pod.spec.containers[0]!, image(user));
  };
  assert.equal(refusal({}, ""), undefined);
  assert.match(refusal({ runAsNonRoot: true }, "")!, /image will run as root/);
  assert.match(refusal({ runAsNonRoot: true }, "nobody")!, /non-numeric user/);
  assert.match(refusal({ runAsNonRoot: true, runAsUser: 0 }, "1000")!, /breaks non-root policy/);
  assert.equal(refusal({ runAsNonRoot: true }, "1000:1000"), undefined);
});

Deno.test("Timers fires in order, once, and not what was cancelled", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const controller = new AbortController();
  const run = timers.run(controller.signal);
  const fired: number[] = [];
  const delays = [50, 10, 40, 20, 30, 10];
  const cancels = delays.map((ms) => timers.after(ms, () => fired.push(ms)));
  cancels[2]!();
  await clock.advance(25);
  assert.deepEqual(fired, [10, 10, 20]);
  timers.after(1, () => fired.push(1));
  await clock.advance(100);
  assert.deepEqual(fired, [10, 10, 20, 1, 30, 50]);
  assert.equal(clock.sleeping, 1);
  controller.abort();
  await run;
  assert.equal(clock.sleeping, 0);
});

Deno.test("Limiter lets no more than its limit run and forgets who gave up", async () => {
  const limiter = new Limiter(2);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const give = new AbortController();
  const runs = gates.map((gate, i) =>
    limiter.run(() => {
      begun.push(i);
      return gate.promise;
    }, i === 2 ? give.signal : undefined)
  );
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1]);
  const refused = assert.rejects(runs[2]!);
  give.abort();
  await refused;
  gates[0]!.resolve();
  await runs[0];
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1, 3]);
  for (const { resolve } of gates) resolve();
  await Promise.all([runs[1], runs[3]]);
});
