import assert from "node:assert/strict";
import { NODES, PODS } from "../../common/kubeclient/mod.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { Program, until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { busyboxPod, containers, Trial } from "../support/trial.ts";

/** Waits for a line in a program's log while the program stays up. */
async function logged(program: Program, pattern: RegExp): Promise<string> {
  return await until(`${program.name} logs ${pattern}`, async () => {
    if (!program.running) throw new Error(`${program.name} ended:\n${await program.tail()}`);
    return (await program.log()).match(pattern)?.[0];
  });
}

Deno.test({
  name: "edgecore says what is wrong with a token, stays up, and joins with the right one",
  ignore: lacking(EXECUTABLES, ENGINE),
  fn: async (t) => {
    await using trial = await Trial.make("e2e-token");
    const { site } = trial;
    await site.configureCloud();
    await site.startCloud();
    const token = await site.token();
    const [hash, ...jwt] = token.split(".");
    const rows: Array<[string, string, RegExp]> = [
      ["no token", "", /token.*(keadm gettoken|modules\.edgeHub\.token)/i],
      ["a token that is base64 of a token", btoa(token), /base64/i],
      ["half a token", `${hash}.${jwt[0]}`, /token/i],
      [
        "a token of another cluster",
        `${"0".repeat(64)}.${jwt.join(".")}`,
        /(another|different|other) c|hash/i,
      ],
      [
        "a token with a forged signature",
        `${hash}.${jwt[0]}.${jwt[1]}.${"A".repeat(43)}`,
        /token|signature|401/i,
      ],
    ];
    for (const [name, bad, expected] of rows) {
      await t.step(name, async () => {
        await site.configureEdge(bad);
        await Deno.remove(`${site.directory}/edgecore.log`).catch((error) => {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        });
        site.startEdge();
        try {
          const line = await logged(site.edge, /^E.*(certificate|token|join).*$/im);
          assert.match(line, expected);
          assert.ok(bad === "" || !line.includes(bad), "the token itself is never printed");
          assert.ok(site.edge.running);
          assert.equal((await (await site.kube()).list(NODES)).items.length, 0);
        } finally {
          assert.equal((await site.edge.stop()).code, 0);
        }
      });
    }
    await t.step("the right token", async () => {
      await site.configureEdge(token);
      site.startEdge();
      await site.nodeReady();
      const key = await Deno.stat(`${site.directory}/edge/certs/server.key`);
      assert.equal(key.mode! & 0o777, 0o600);
    });
  },
});

onEachControlPlane("pods that cannot run say why, in the kubelet's words, and others go on", {
  needs: [EXECUTABLES, ENGINE, KUBECTL],
  node: "pods",
  steps: async (t, trial) => {
    const { site } = trial;
    await site.start();
    const container = {
      name: "main",
      image: "demo-web:1",
      imagePullPolicy: "IfNotPresent",
      command: ["sleep", "3600"],
    };
    const waiting = (reason: RegExp, message: RegExp) =>
    (
      pod: {
        status?: {
          containerStatuses?: Array<{ state?: { waiting?: { reason?: string; message?: string } } }>;
        };
      },
    ) => {
      const state = pod.status?.containerStatuses?.[0]?.state?.waiting;
      return reason.test(state?.reason ?? "") && message.test(state?.message ?? "");
    };
    await trial.apply(
      busyboxPod("no-image", [], { containers: [{ ...container, image: "nowhere.invalid/none:1" }] }),
      busyboxPod("never-image", [], {
        containers: [{ ...container, image: "absent:1", imagePullPolicy: "Never" }],
      }),
      busyboxPod("bad-image", [], { containers: [{ ...container, image: "--privileged" }] }),
      busyboxPod("no-config", [], {
        containers: [{
          ...container,
          env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "absent", key: "x" } } }],
        }],
      }),
      busyboxPod("no-volume", [], {
        containers: [{ ...container, volumeMounts: [{ name: "v", mountPath: "/v" }] }],
        volumes: [{ name: "v", secret: { secretName: "absent" } }],
      }),
      busyboxPod("no-program", [], { containers: [{ ...container, command: ["/does/not/exist"] }] }),
      busyboxPod("hostile", [], {
        containers: [{
          ...container,
          command: [
            "sh",
            "-c",
            'test "$1" = "$(printf \'%s\' "$1")" && sleep 3600',
            "--",
            "; touch /tmp/owned; --rm",
          ],
          env: [{ name: "LINES", value: "a\nb --privileged\n$(id)" }],
        }],
      }),
    );
    const rows: Array<[string, RegExp, RegExp]> = [
      ["no-image", /^(ErrImagePull|ImagePullBackOff)$/, /nowhere\.invalid/],
      ["never-image", /^ErrImageNeverPull$/, /absent:1/],
      ["bad-image", /^InvalidImageName$/, /privileged/],
      ["no-config", /^CreateContainerConfigError$/, /configmap "absent" not found/],
      ["no-program", /^(RunContainerError|CrashLoopBackOff)$/, /does\/not\/exist|back-off/],
    ];
    for (const [name, reason, message] of rows) {
      await t.step(name, async () => {
        await trial.pod(name, waiting(reason, message), `was waiting with ${reason} and ${message}`);
      });
    }
    await t.step("no-volume waits in ContainerCreating", async () => {
      await trial.pod(
        "no-volume",
        waiting(/^ContainerCreating$/, /./),
        "was ContainerCreating with a message",
      );
    });
    await t.step("a pod with hostile arguments just runs", async () => {
      await trial.pod("hostile", isReady, "became ready");
    });
    await t.step("what was missing arrives: the pods run", async () => {
      await trial.apply(
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "absent" }, data: { x: "here" } },
        { apiVersion: "v1", kind: "Secret", metadata: { name: "absent" }, stringData: { y: "here" } },
      );
      await trial.pod("no-config", isReady, "became ready", 90_000);
      await trial.pod("no-volume", isReady, "became ready", 90_000);
    });
    await t.step("a pod whose uid leads out of its directory is refused by the API", async () => {
      const kube = await site.kube();
      await assert.rejects(
        kube.create(PODS, {
          metadata: { name: "../../etc", namespace: "default" },
          spec: { containers: [container] },
        }),
        { reason: "Invalid" },
      );
    });
  },
});

Deno.test({
  name: "a port that is taken and a damaged database are told with the fix",
  ignore: lacking(EXECUTABLES, ENGINE, KUBECTL),
  fn: async (t) => {
    await using trial = await Trial.make("e2e-state");
    const { site } = trial;
    await t.step("cloudcore on a port that is taken", async () => {
      const config = await site.configureCloud();
      using _taken = Deno.listen({ hostname: "127.0.0.1", port: site.ports.hub });
      await using cloud = Program.start("cloudcore", site.program("cloudcore"), ["--config", config], {
        logFile: `${site.directory}/taken.log`,
      });
      assert.equal((await cloud.ended).code, 1);
      const text = await cloud.tail();
      assert.match(text, new RegExp(String(site.ports.hub)));
      assert.match(text, /websocket\.port/);
    });
    await t.step("edgecore with a damaged database starts anew and is filled by the cloud", async () => {
      await site.start();
      await trial.apply(busyboxPod("kept", ["sleep", "3600"]));
      const pod = await trial.pod("kept", isReady, "became ready");
      const id = pod.status?.containerStatuses?.[0]?.containerID;
      await site.edge.stop();
      await Deno.writeTextFile(`${site.directory}/edge/edgecore.db`, "this is no database".repeat(1000));
      site.startEdge();
      await logged(site.edge, /^E.*(corrupt|damaged).*$/im);
      await site.nodeReady();
      await trial.edgeKnows(pod.metadata!.uid!);
      assert.deepEqual(
        (await containers({ uid: pod.metadata!.uid!, name: "main" })).map((running) => `docker://${running}`),
        [id],
        "the running container was adopted",
      );
    });
  },
});
