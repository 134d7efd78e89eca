import assert from "node:assert/strict";
import { stringify } from "yaml";
import { makeDemoImages } from "../../scripts/demo_image.ts";
import { freePort, Program, runToEnd } from "../../scripts/trial/program.ts";
import { removeContainers, removeTree } from "../../scripts/trial/site.ts";
import { ENGINE, lacking } from "../support/needs.ts";
import { EdgeCloud, type Json } from "./edge_cloud.ts";
import { checkDial, checkDifferences, playRecording } from "./edge_player.ts";
import { readRecording, RECORDED_NODE } from "./edge_recording.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LIMIT_MS = 30_000;

/** What an edgecore of this cloud and directory is told. */
function configuration(directory: string, { pki, nodeName }: EdgeCloud, token: string): string {
  const { join, hub } = pki.ports;
  return `# the comment stays\n` + stringify({
    apiVersion: "edgecore.config.kubeedge.io/v1alpha2",
    kind: "EdgeCore",
    database: { dataSource: `${directory}/db/edgecore.db` },
    modules: {
      edgeHub: {
        httpServer: `https://127.0.0.1:${join}`,
        websocket: { server: `127.0.0.1:${hub}` },
        token,
        tlsCaFile: `${directory}/certs/ca.crt`,
        tlsCertFile: `${directory}/certs/server.crt`,
        tlsPrivateKeyFile: `${directory}/certs/server.key`,
      },
      edged: {
        hostnameOverride: nodeName,
        rootDirectory: `${directory}/kubelet`,
        podSandboxImage: "kubeedge/pause:3.6",
        containerRuntime: "docker",
        reportEvent: true,
        tailoredKubeletConfig: {
          readOnlyPort: freePort(),
          staticPodPath: `${directory}/manifests`,
          podLogsDir: `${directory}/pod-logs`,
        },
      },
      eventBus: { enable: false },
      deviceTwin: { enable: false },
    },
  });
}

async function until<T>(
  what: string,
  condition: () => T | undefined | false,
  edge: Program,
): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    const result = condition();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > end || !edge.running) {
      throw new Error(`It did not happen: ${what}\n${await edge.tail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test({
  name:
    "the program edgecore, in its compartments and with Docker, answers upstream's recorded cloud as upstream's did",
  ignore: lacking(ENGINE),
  fn: async () => {
    await makeDemoImages();
    const tagged = await runToEnd("docker", ["tag", "demo-web:1", "local/busybox:1"]);
    assert.equal(tagged.code, 0, tagged.stderr);
    const directory = await Deno.makeTempDir();
    await removeContainers(RECORDED_NODE);
    await using cloud = await EdgeCloud.start(RECORDED_NODE);
    const file = `${directory}/edgecore.yaml`;
    await Deno.writeTextFile(file, configuration(directory, cloud, await cloud.pki.token()));
    const args = [
      "run",
      "--quiet",
      `--config=${ROOT}deno.json`,
      "--unstable-worker-options",
      "-P=edgecore",
      `${ROOT}edge/main.ts`,
      "--config",
      file,
    ];
    const edge = Program.start("edgecore", Deno.execPath(), args, { logFile: `${directory}/edgecore.log` });
    const events: string[] = [];
    try {
      const recording = await readRecording({ startsAt: Date.now() });
      const played = await playRecording(cloud, recording, {
        until: (what, condition) => until(what, condition, edge),
        ready: () => {},
      });
      played.answerExtras();
      for (const request of played.pending.splice(0)) {
        assert.match(request.route.resource, /\/event\//, `unexpected: ${request.route.resource}`);
        events.push(String((request.content as Json).reason));
      }
      checkDifferences(played);
      checkDial(cloud);
      for (const reason of ["Starting", "NodeReady", "Pulled", "Created", "Started", "Killing"]) {
        assert.ok(events.includes(reason), `event ${reason} was reported`);
      }
      const left = await runToEnd("docker", [
        "ps",
        "-aq",
        "--filter",
        "label=io.kubernetes.pod.uid=f3c168e4-14e1-4bb6-ad39-c773c06c7064",
      ]);
      assert.equal(left.stdout.trim(), "", "the pod is gone from Docker");
      const text = await Deno.readTextFile(file);
      assert.match(text, /^# the comment stays$/m);
      assert.match(text, /^ +token: ""$/m, "the token has served");
    } finally {
      await edge.stop();
      await removeContainers(RECORDED_NODE);
      await runToEnd("docker", ["rmi", "local/busybox:1"]);
      await removeTree(directory);
    }
  },
});
