import assert from "node:assert/strict";
import { loadKubeConfig } from "../../common/kubeclient/mod.ts";
import { CLOUDCORE_IMAGE, makeCloudcoreImage } from "../../scripts/cloudcore_image.ts";
import { kubectl } from "../../scripts/trial/kubernetes.ts";
import { runToEnd, until } from "../../scripts/trial/program.ts";
import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";
import { Trial } from "../support/trial.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runToEnd("docker", args);
  assert.equal(code, 0, stderr);
  return stdout + stderr;
}

/** A container that is removed at the end. */
async function container(...args: string[]): Promise<AsyncDisposable & { id: string }> {
  const id = (await docker("run", "--detach", ...args)).trim();
  return { id, [Symbol.asyncDispose]: async () => void await docker("rm", "--force", id) };
}

Deno.test({
  name:
    "the image of cloudcore runs as the manifests run it: in a cluster, without root, on a read-only root, and an edge joins",
  ignore: lacking(ENGINE, KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    const reference = await makeCloudcoreImage({ reference: `${CLOUDCORE_IMAGE}-test` });
    await using _image = {
      [Symbol.asyncDispose]: async () => void await docker("rmi", "--force", reference),
    };
    await using cluster = await RealCluster.start({ customResources: false });
    await using trial = await Trial.make("image-edge", { cluster });
    const { site } = trial;
    const { server, ca } = await loadKubeConfig({ path: cluster.cloudcore });
    const { hostname, port } = new URL(server);

    // As the kubelet gives them: the token is a link into a directory that is replaced as a whole.
    const account = `${site.directory}/account`;
    const give = async (name: string, text: string) => {
      await Deno.mkdir(`${account}/${name}`, { recursive: true });
      await Deno.writeTextFile(`${account}/${name}/token`, text);
      await Deno.writeTextFile(`${account}/${name}/ca.crt`, ca!);
      await Deno.writeTextFile(`${account}/${name}/namespace`, "kubeedge");
      await Deno.symlink(name, `${account}/..data-new`);
      await Deno.rename(`${account}/..data-new`, `${account}/..data`);
    };
    const admin = (...args: string[]) => kubectl(cluster.admin, ["-n", "kubeedge", ...args]);
    await admin("create", "secret", "generic", "first-token");
    const bound = ["--bound-object-kind=Secret", "--bound-object-name=first-token"];
    await give("..first", (await admin("create", "token", "cloudcore", ...bound)).trim());
    for (const file of ["token", "ca.crt", "namespace"]) {
      await Deno.symlink(`..data/${file}`, `${account}/${file}`);
    }
    const config = await site.configureCloud({ "kubeAPIConfig.kubeConfig": "" });
    await Deno.chmod(config, 0o644);

    await using cloud = await container(
      "--network=host",
      "--read-only",
      "--cap-drop=ALL",
      "--security-opt=no-new-privileges",
      "--tmpfs=/var/cache/kubeedge:rw,exec,mode=1777",
      `--volume=${config}:/etc/kubeedge/config/cloudcore.yaml:ro`,
      `--volume=${account}:${ACCOUNT}:ro`,
      `--env=KUBERNETES_SERVICE_HOST=${hostname}`,
      `--env=KUBERNETES_SERVICE_PORT=${port}`,
      reference,
      "--config",
      "/etc/kubeedge/config/cloudcore.yaml",
    );

    await t.step("it serves, and is nobody's root", async () => {
      try {
        await until("it is ready", () => site.cloudHealthy("/readyz"), { timeoutMs: 60_000 });
      } catch (cause) {
        throw new Error(await docker("logs", cloud.id), { cause });
      }
      assert.equal((await docker("inspect", "--format", "{{.Config.User}}", cloud.id)).trim(), "65532:65532");
      assert.doesNotMatch(await docker("logs", cloud.id), / [EW]\d{4} |"A right is missing/);
    });

    await t.step("an edge joins it", async () => {
      await site.configureEdge(await site.token());
      site.startEdge();
      await site.nodeReady();
    });

    await t.step(
      "it goes on with the token that takes the place of the first, which is taken no longer",
      async () => {
        await give("..second", (await admin("create", "token", "cloudcore")).trim());
        await Deno.remove(`${account}/..first`, { recursive: true });
        await admin("delete", "secret", "first-token");
        const start = Date.now();
        const renewed = async () => {
          const args = [
            "-n",
            "kube-node-lease",
            "get",
            "lease",
            site.nodeName,
            "-o",
            "jsonpath={.spec.renewTime}",
          ];
          return Date.parse(await kubectl(cluster.admin, args));
        };
        // The API server remembers for 10 s that a token was good.
        await until("what the edge reports arrives", async () => await renewed() - start > 12_000, {
          timeoutMs: 60_000,
          everyMs: 500,
        });
        assert.match(await docker("logs", cloud.id), /"Read new credentials for the Kubernetes API server"/);
        assert.deepEqual(await cluster.faults(), []);
      },
    );

    await t.step("it ends at once when told to", async () => {
      const start = Date.now();
      await docker("stop", "--time=10", cloud.id);
      assert.ok(Date.now() - start < 8_000);
      assert.equal((await docker("inspect", "--format", "{{.State.ExitCode}}", cloud.id)).trim(), "0");
    });
  },
});
