import assert from "node:assert/strict";
import { DIRECTORY, readDefinitions } from "../../crds/definitions_testing.ts";
import { kubectl } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { Cloudcore } from "../support/cloudcore.ts";
import { EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";

const definitions = [...(await readDefinitions()).values()];

/** A definition as the API server has it. */
interface Stored {
  metadata: { generation: number; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    conversion?: unknown;
    versions: Array<{
      name: string;
      storage: boolean;
      schema: { openAPIV3Schema: { properties: { spec: { properties: Record<string, unknown> } } } };
    }>;
  };
  status: { storedVersions: string[] };
}

Deno.test({
  name:
    "cloudcore installs and upgrades the custom resources of a real cluster, and leaves alone what it does not know",
  ignore: lacking(KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start({ customResources: false });
    const run = (args: string[], stdin?: string) => kubectl(cluster.admin, args, stdin);
    const get = async (name: string): Promise<Stored> =>
      JSON.parse(await run(["get", "crd", name, "-o", "json"]));
    const replace = (definition: unknown) => run(["replace", "-f", "-"], JSON.stringify(definition));
    const names = definitions.map(({ metadata }) => metadata.name);
    const OBJECT_SYNCS = "objectsyncs.reliablesyncs.kubeedge.io";
    const DEVICES = "devices.devices.kubeedge.io";
    const specOf = (stored: Stored) =>
      stored.spec.versions[0]!.schema.openAPIV3Schema.properties.spec.properties;

    await t.step("two at once install all that is missing, each once", async () => {
      await using first = await Cloudcore.start(cluster, cluster.cloudcore);
      await using second = await Cloudcore.start(cluster, cluster.cloudcore);
      for (const one of [first, second]) await one.serves();
      const wait = ["wait", "--for=condition=Established", "--timeout=30s"];
      await until("all are served", () => run([...wait, ...names.map((name) => `crd/${name}`)]));
      for (const name of names) assert.equal((await get(name)).metadata.generation, 1, name);
      for (const one of [first, second]) {
        assert.equal(
          await one.count(/^crds\] .*(Cannot|not as they should)/),
          0,
          (await one.log()).join("\n"),
        );
      }
    });

    await t.step("what is older is upgraded, and what others wrote beside it stays", async () => {
      const syncs = await get(OBJECT_SYNCS);
      delete specOf(syncs).objectName;
      delete syncs.metadata.annotations!["kubeedge.io/definition-version"];
      syncs.metadata.labels = { team: "edge" };
      syncs.metadata.annotations = { note: "kept" };
      await replace(syncs);
      const devices = await get(DEVICES);
      await run(["delete", "crd", DEVICES]);
      const old = devices.spec.versions.filter(({ name }) => name === "v1alpha2");
      for (const version of old) version.storage = true;
      const { conversion: _, ...spec } = devices.spec;
      const made = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
      await run(
        ["create", "-f", "-"],
        JSON.stringify({ ...made, metadata: { name: DEVICES }, spec: { ...spec, versions: old } }),
      );
      await using cloud = await Cloudcore.start(cluster, cluster.cloudcore);
      await cloud.says(/"Installed custom resources" created=0 updated=2/);
      const now = await get(OBJECT_SYNCS);
      assert.ok("objectName" in specOf(now));
      assert.deepEqual(now.metadata.labels, { team: "edge" });
      assert.equal(now.metadata.annotations!.note, "kept");
      assert.deepEqual((await get(DEVICES)).status.storedVersions, ["v1alpha2", "v1beta1"]);
    });

    await t.step("what is newer is left alone, and said once", async () => {
      const syncs = await get(OBJECT_SYNCS);
      specOf(syncs).node = { type: "string" };
      delete specOf(syncs).objectKind;
      delete syncs.metadata.annotations!["kubeedge.io/definition-version"];
      await replace(syncs);
      const { metadata: { generation } } = await get(OBJECT_SYNCS);
      await using cloud = await Cloudcore.start(cluster, cluster.cloudcore);
      await cloud.says(
        /"A custom resource is not changed" what="objectsyncs.* has v1alpha1\.spec\.node, unknown to this version, and lacks v1alpha1\.spec\.objectKind"/,
      );
      await cloud.serves();
      assert.equal((await get(OBJECT_SYNCS)).metadata.generation, generation);
    });

    await t.step(
      "without the right it says what is missing in the log and an Event, and is content once others install it",
      async () => {
        await run(["delete", "clusterrolebinding", "cloudcore-crds"]);
        await run(["delete", "crd", OBJECT_SYNCS, DEVICES]);
        await using cloud = await Cloudcore.start(cluster, cluster.cloudcore);
        const line = await cloud.says(/"Custom resources are not as they should be/);
        for (const name of [OBJECT_SYNCS, DEVICES]) assert.ok(line.includes(`${name} is missing: `), line);
        assert.ok(!line.includes("rules.rules.kubeedge.io"), line);
        const events = await until("the Events are there", async () => {
          const text = await run([
            "get",
            "events",
            "--field-selector=reason=CustomResourceMissing",
            "-o",
            "name",
          ]);
          return text.trim().split("\n").length === 2 ? text : undefined;
        });
        assert.match(events, /event\/objectsyncs\.reliablesyncs\.kubeedge\.io\.customresourcemissing/);
        await cloud.serves();
        await run(["apply", "--server-side", "--force-conflicts", "-f", DIRECTORY.pathname]);
        await cloud.says(/"All custom resources are there"/, 90_000);
        await cloud.says(/"What nodes confirmed is recorded now"/, 90_000);
      },
    );
  },
});
