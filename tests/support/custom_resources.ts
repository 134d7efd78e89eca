/** That a control plane serves the custom resources of `crds/` as their definitions say. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { findStatusError } from "../../common/errors/mod.ts";
import { createKubeClient, loadKubeConfig, type ResourceType } from "../../common/kubeclient/mod.ts";
import {
  type Definition,
  DIRECTORY,
  prune,
  readDefinitions,
  versionOf,
} from "../../crds/definitions_testing.ts";
import { type Fault, FAULTS, faulty, STATUS_FAULTS } from "../../crds/faults_testing.ts";
import { type Sample, SAMPLES, titleOf } from "../../crds/samples_testing.ts";
import { kubectl } from "../../scripts/trial/kubernetes.ts";
import { runToEnd } from "../../scripts/trial/program.ts";

const definitions = [...(await readDefinitions()).values()];

function typeOf(sample: Sample): ResourceType {
  const { definition: { spec: { group, names, scope } }, version } = versionOf(definitions, sample);
  const { plural: resource, kind } = names;
  return { group, version: version.name, resource, kind, namespaced: scope === "Namespaced" };
}

/** What an object says, without what the API server says of it. */
function contentOf({ metadata: _, ...content }: KubeObject | Sample): Record<string, unknown> {
  return content;
}

function schemaOfStored({ spec: { versions } }: Definition) {
  return versions.find(({ storage }) => storage)!.schema.openAPIV3Schema;
}

/** A JSON pointer as the API server writes it: `spec.properties[0].name`. */
function fieldOf(pointer: string): string {
  return pointer.slice(1).replaceAll("/", ".").replace(/\.(\d+)(?=\.|$)/g, "[$1]");
}

function nameOf([title, pointer, value]: Fault): string {
  return `${title} with ${pointer} ${JSON.stringify(value) ?? "missing"}`;
}

/** That the API server refused the object because of this field. */
function isInvalidAt(pointer: string): (error: unknown) => true {
  return (error) => {
    const status = findStatusError(error);
    assert.equal(status?.reason, "Invalid");
    assert(status.message.includes(fieldOf(pointer)), status.message);
    return true;
  };
}

/** Installs the definitions with kubectl and tries good and bad objects of each. @param kubeconfig of an administrator */
export async function tryCustomResources(t: Deno.TestContext, kubeconfig: string): Promise<void> {
  await using kube = createKubeClient(await loadKubeConfig({ path: kubeconfig }));
  const run = (args: string[], stdin?: string) => kubectl(kubeconfig, args, stdin);

  await t.step("kubectl applies the folder, and all of it is served", async () => {
    const applied = await run(["apply", "-f", DIRECTORY.pathname]);
    assert.equal(applied.trim().split("\n").length, definitions.length, applied);
    const names = definitions.map(({ metadata }) => `crd/${metadata.name}`);
    await run(["wait", "--for=condition=Established", "--timeout=30s", ...names]);
    await run(["wait", "--for=condition=NamesAccepted", "--timeout=30s", ...names]);
    const conditions = await run(["get", "crd", "-o", "jsonpath={.items[*].status.conditions[*].type}"]);
    assert.doesNotMatch(conditions, /NonStructuralSchema/);
  });

  await t.step("kubectl knows every field, and is warned of versions whose objects lose some", async () => {
    const all = SAMPLES.map((sample) => `---\n${JSON.stringify(sample)}\n`).join("");
    const args = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    const { code, stderr } = await runToEnd("kubectl", ["--kubeconfig", kubeconfig, ...args], {
      stdin: all,
    });
    assert.equal(code, 0, stderr);
    const warnings = definitions.flatMap(({ spec }) =>
      spec.versions.flatMap(({ deprecationWarning }) => deprecationWarning ?? [])
    );
    const told = stderr.trim().split("\n").map((line) => line.replace(/^Warning: /, ""));
    assert.deepEqual(told.sort(), warnings.sort());
  });

  for (const sample of SAMPLES) {
    await t.step(`${titleOf(sample)} is kept, as far as the stored version has its fields`, async () => {
      const type = typeOf(sample);
      const { definition, version } = versionOf(definitions, sample);
      const created = await kube.create<KubeObject>(type, sample);
      if (version.subresources?.status !== undefined) {
        assert.equal("status" in created, false, "status is written by its subresource only");
        const whole = { ...created, ...{ status: sample.status } };
        await kube.update<KubeObject>(type, whole, { subresource: "status" });
      }
      const kept = contentOf(await kube.get<KubeObject>(type, sample.metadata));
      assert.deepEqual(kept, prune(contentOf(sample), schemaOfStored(definition)));
      if (version.storage) assert.deepEqual(kept, contentOf(sample));
    });
  }

  for (const fault of FAULTS) {
    await t.step(`${nameOf(fault)} is refused`, async () => {
      const bad = faulty(fault);
      await assert.rejects(kube.create(typeOf(bad), bad), isInvalidAt(fault[1]));
    });
  }

  for (const fault of STATUS_FAULTS) {
    await t.step(`${nameOf(fault)} is refused as status`, async () => {
      const bad = faulty(fault);
      const type = typeOf(bad);
      const stored = await kube.get<KubeObject>(type, bad.metadata);
      const whole = { ...stored, ...{ status: bad.status } };
      await assert.rejects(
        kube.update<KubeObject>(type, whole, { subresource: "status" }),
        isInvalidAt(fault[1]),
      );
    });
  }

  for (const sample of SAMPLES) {
    await t.step(`kubectl prints ${titleOf(sample)} as a table`, async () => {
      const { definition: { spec: { names, group } }, version } = versionOf(definitions, sample);
      const resource = `${names.plural}.${version.name}.${group}`;
      const table = await run(["get", resource, sample.metadata.name, "-o", "wide"]);
      const [header = "", row = ""] = table.split("\n");
      const columns = version.additionalPrinterColumns.map(({ name }) => name.toUpperCase());
      assert.deepEqual(header.split(/\s{2,}/).map((cell) => cell.trim()), ["NAME", ...columns]);
      if (version.storage) assert.doesNotMatch(row, /<none>|<invalid>/);
    });
  }

  await t.step("kubectl applies an object, finds nothing to do, and changes one field", async () => {
    const model = SAMPLES.find(({ apiVersion, kind }) =>
      apiVersion === "devices.kubeedge.io/v1beta1" && kind === "DeviceModel"
    )!;
    const applied = async (labels: Record<string, string>) => {
      const object = { ...model, metadata: { name: "applied", namespace: "default", labels } };
      return (await run(["apply", "-f", "-"], JSON.stringify(object))).trim().split(" ").at(-1);
    };
    assert.equal(await applied({ a: "1" }), "created");
    assert.equal(await applied({ a: "1" }), "unchanged");
    assert.equal(await applied({ b: "2" }), "configured");
    const labels = await run(["get", "devicemodel", "applied", "-o", "jsonpath={.metadata.labels}"]);
    assert.deepEqual(JSON.parse(labels), { b: "2" });
    await run(["delete", "devicemodel", "applied"]);
  });

  await t.step("a device's row tells node, model and protocol", async () => {
    const table = await run(["get", "device", "thermometer"]);
    assert.match(
      table,
      /^NAME +NODE +MODEL +PROTOCOL +AGE\nthermometer +edge-1 +thermometer +modbus +\d+m?\d*s\n$/,
    );
  });

  await t.step("short names and the category find the objects", async () => {
    const short = await run(["get", "ng,re,eapp,saaccess", "-o", "name"]);
    assert.deepEqual(short.trim().split("\n"), [
      "nodegroup.apps.kubeedge.io/north",
      "ruleendpoint.rules.kubeedge.io/orders",
      "edgeapplication.apps.kubeedge.io/shop",
      "serviceaccountaccess.policy.kubeedge.io/web",
    ]);
    const found = (await run(["get", "kubeedge", "-o", "name"])).trim().split("\n");
    assert.equal(found.length, SAMPLES.length, found.join("\n"));
  });

  await t.step("kubectl explains a field with our words", async () => {
    assert.match(await run(["explain", "device.spec.nodeName"]), /Edge node that the device is at\./);
  });
}
