import assert from "node:assert/strict";
import type { Pod } from "../../common/api/core_v1.ts";
import { createKubeClient, EVENTS, loadKubeConfig, NODES, PODS } from "../../common/kubeclient/mod.ts";
import { kubectl } from "../../scripts/trial/kubernetes.ts";
import { runToEnd, until } from "../../scripts/trial/program.ts";
import { Cloudcore } from "../support/cloudcore.ts";
import { EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";
import { ROOT } from "../support/trial.ts";

const INSTALL = `${ROOT}cloud/install`;
const MISSING = /"A right is missing; what needs it is tried again, all else goes on"/;

Deno.test({
  name: "kubectl installs the manifests on a real cluster, and they mean what they say",
  ignore: lacking(KUBECTL, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start({
      manifests: ["1-namespace.yaml"],
      customResources: false,
    });
    const run = (...args: string[]) => kubectl(cluster.admin, args);
    const may = async (...args: string[]) => {
      const as = ["--as", "system:serviceaccount:kubeedge:cloudcore"];
      const { stdout } = await runToEnd("kubectl", [
        "--kubeconfig",
        cluster.admin,
        "auth",
        "can-i",
        ...args,
        ...as,
      ]);
      return stdout.trim() === "yes";
    };

    await t.step("strictly, for one namespace", async () => {
      for (const file of ["1-namespace", "2-rbac", "4-cloudcore"]) {
        await run("apply", "--server-side", "--force-conflicts", "-f", `${INSTALL}/${file}.yaml`);
      }
      const subject = ["--clusterrole", "cloudcore-namespace", "--serviceaccount", "kubeedge:cloudcore"];
      await run("create", "namespace", "edge-apps");
      await run("-n", "edge-apps", "create", "rolebinding", "cloudcore", ...subject);
      const rows: Array<[expected: boolean, ...args: string[]]> = [
        [true, "get", "secrets", "-n", "edge-apps"],
        [true, "create", "serviceaccounts", "--subresource=token", "-n", "edge-apps"],
        [true, "delete", "pods", "-n", "edge-apps"],
        [true, "get", "secrets/casecret", "-n", "kubeedge"],
        [true, "list", "pods", "-A"],
        [false, "get", "secrets", "-n", "default"],
        [false, "get", "secrets", "-n", "kube-system"],
        [false, "list", "secrets", "-A"],
        [false, "get", "configmaps", "-n", "kube-system"],
        [false, "get", "secrets/other", "-n", "kubeedge"],
        [false, "list", "secrets", "-n", "kubeedge"],
        [false, "create", "serviceaccounts", "--subresource=token", "-n", "kube-system"],
        [false, "delete", "pods", "-n", "default"],
        [false, "update", "customresourcedefinitions/other.example.org"],
        [false, "delete", "nodes"],
        [false, "create", "clusterrolebindings"],
      ];
      for (const [expected, ...args] of rows) assert.equal(await may(...args), expected, args.join(" "));
    });

    await t.step("for all namespaces", async () => {
      await run("apply", "-f", `${INSTALL}/3-all-namespaces.yaml`);
      assert.equal(await may("get", "secrets", "-n", "default"), true);
      assert.equal(await may("update", "secrets", "-n", "default"), false);
      assert.equal(await may("delete", "secrets", "-n", "kubeedge"), false);
    });

    await t.step(
      "the commands of the README make a kubeconfig of the service account, and of nobody else",
      async () => {
        const readme = await Deno.readTextFile(`${INSTALL}/README.md`);
        const [, commands = ""] = /## Outside a cluster\n+```\n([^`]+)```/.exec(readme) ?? [];
        const { code, stderr } = await runToEnd("sh", ["-eu"], {
          cwd: cluster.directory,
          env: { KUBECONFIG: cluster.admin },
          stdin: commands.replaceAll("cloud/install", INSTALL),
        });
        assert.equal(code, 0, stderr);
        const file = `${cluster.directory}/cloudcore.kubeconfig`;
        assert.doesNotMatch(await Deno.readTextFile(file), /client-key-data/);
        const who = await kubectl(file, ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
        assert.equal(who, "system:serviceaccount:kubeedge:cloudcore");
      },
    );
  },
});

Deno.test({
  name:
    "cloudcore on a real cluster names each right it lacks, becomes whole when it is given, and reads no more than it may",
  ignore: lacking(KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start({
      manifests: ["1-namespace.yaml"],
      customResources: false,
    });
    await using kube = createKubeClient(await loadKubeConfig({ path: cluster.admin }));
    const run = (...args: string[]) => kubectl(cluster.admin, args);
    await using cloud = await Cloudcore.start(cluster, cluster.cloudcore);
    const pod = (namespace: string, name: string): Pod => ({
      metadata: { namespace, name },
      spec: {
        nodeName: "edge-1",
        containers: [{ name: "main", image: "demo-web:1" }],
        volumes: [{ name: "v", secret: { secretName: "password" } }],
        automountServiceAccountToken: false,
      },
    });

    await t.step("without any, it goes on and says which, for whom, and what gives them", async () => {
      for (const [verb, resource] of [["get", "namespaces"], ["list", "nodes"], ["list", "objectsyncs"]]) {
        const line = await cloud.says(new RegExp(`${MISSING.source} verb="${verb}" resource="${resource}"`));
        assert.match(
          line,
          / user="system:serviceaccount:kubeedge:cloudcore" fix="kubectl apply -f .*cloud\/install\/2-rbac\.yaml/,
        );
      }
      await cloud.says(
        /"Custom resources are not as they should be.*objectsyncs\.reliablesyncs\.kubeedge\.io is missing: what edges confirmed survives.*fix="kubectl apply -f crds\//,
      );
      assert.equal(await cloud.count(/resource="nodes"/), 1);
      assert.ok(cloud.site.cloud.running);
      assert.ok(await cloud.site.cloudHealthy("/livez"));
      assert.equal(await cloud.site.cloudHealthy(), false);
    });

    await t.step(
      "given the roles, it is whole without a restart, and installs the custom resources",
      async () => {
        await run("apply", "-f", `${INSTALL}/2-rbac.yaml`);
        await cloud.serves(60_000);
        await cloud.says(/"Installed custom resources" created=13 updated=0/, 90_000);
        await cloud.says(/"What nodes confirmed is recorded now"/, 90_000);
        await cloud.says(/"A right that was missing is there now" verb="list" apiGroup="" resource="nodes"/);
      },
    );

    await t.step(
      "a pod whose namespace it may not read is told so by an Event, others are served",
      async () => {
        await kube.create(NODES, {
          metadata: { name: "edge-1", labels: { "node-role.kubernetes.io/edge": "" } },
        });
        const secret = ["create", "secret", "generic", "password", "--from-literal=password=swordfish"];
        await run("create", "namespace", "bound");
        for (const namespace of ["bound", "default"]) await run("-n", namespace, ...secret);
        const subject = ["--clusterrole", "cloudcore-namespace", "--serviceaccount", "kubeedge:cloudcore"];
        await run("-n", "bound", "create", "rolebinding", "cloudcore", ...subject);
        await kube.create(PODS, pod("bound", "served"));
        await kube.create(PODS, pod("default", "refused"));
        const event = await until("the pod is told", async () => {
          const { items } = await kube.list(EVENTS, { namespace: "default" });
          return items.find(({ reason }) => reason === "ReferenceForbidden");
        });
        assert.equal(event.involvedObject.name, "refused");
        assert.match(
          event.message!,
          /^cloudcore may not read Secret password for this pod: kubectl -n default create rolebinding cloudcore /,
        );
        await cloud.says(
          /"May not read what a pod refers to; the pod waits for it, others go on" pod="default\/refused"/,
        );
        const reads = (await cluster.requests()).filter(({ uri }) => uri.includes("/secrets?"));
        assert.ok(reads.some(({ uri, code }) => uri.includes("/namespaces/bound/") && code === 200));
        // The command of the Event helps.
        await run(...event.message!.split(": kubectl ")[1]!.split(" "));
        await until(
          "the Secret is read",
          async () =>
            (await cluster.requests()).some(({ uri, code, verb }) =>
              verb === "list" && code === 200 && uri.includes("/namespaces/default/secrets?")
            ),
          { timeoutMs: 60_000 },
        );
      },
    );

    await t.step("it never asked for Secrets or ConfigMaps but by name and namespace", async () => {
      const reads = (await cluster.requests()).filter(({ uri }) => /\/(secrets|configmaps)\b/.test(uri));
      assert.ok(reads.length > 0);
      for (const { uri, verb } of reads) {
        if (verb === "create") continue;
        assert.match(
          uri,
          /\/namespaces\/[^/]+\/(secrets|configmaps)(\/[^/?]+$|\?fieldSelector=metadata\.name%3D)/,
        );
      }
    });
  },
});
