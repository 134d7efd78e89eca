import assert from "node:assert/strict";
import { StatusError } from "../../common/errors/mod.ts";
import { type FakeCall, FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import {
  EVENTS,
  type ObjectRef,
  type RequestOptions,
  type ResourceType,
} from "../../common/kubeclient/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { createLogger } from "../../common/module/mod.ts";
import { carriedText } from "../../scripts/carry_crds.ts";
import { compareDefinition, upgradedDefinition, WRITER_ANNOTATION } from "./compare.ts";
import { customResources } from "./custom_resources.ts";
import { carriedDefinitions, type Definition, DEFINITIONS, FEATURES } from "./definition.ts";
import { CRD_RULES } from "./rbac.ts";
import carried from "./definitions.jsonl" with { type: "text" };

const VERSION = "0.5.0";

function objectSyncs(): Definition {
  for (const one of carriedDefinitions()) {
    if (one.metadata?.name === "objectsyncs.reliablesyncs.kubeedge.io") return structuredClone(one);
  }
  throw new Error("There are no ObjectSyncs");
}

const fields = (definition: Definition) =>
  definition.spec.versions[0]!.schema!.openAPIV3Schema!.properties!.spec!.properties!;

Deno.test("carriedDefinitions() are those of crds/, and each has its feature", async () => {
  assert.equal(carried, await carriedText(), "run: deno run -A scripts/carry_crds.ts");
  const names = [...carriedDefinitions()].map(({ metadata }) => metadata!.name!);
  assert.equal(names.length, 13);
  assert.deepEqual(Object.keys(FEATURES).sort(), names.sort());
});

Deno.test("compareDefinition() tells what fits, what is older, and what is unknown", async (t) => {
  const rows: Array<[string, (theirs: Definition) => void, ReturnType<typeof compareDefinition>]> = [
    ["the same", () => {}, { kind: "fits" }],
    ["other columns and descriptions", (d) => {
      d.spec.versions[0] = { ...d.spec.versions[0]!, ...{ additionalPrinterColumns: [] } };
      delete (fields(d).objectName as { description?: string }).description;
    }, { kind: "fits" }],
    ["a field is missing", (d) => delete fields(d).objectName, {
      kind: "older",
      missing: ["v1alpha1.spec.objectName"],
    }],
    ["what every object has is not named", (d) => {
      for (const name of ["apiVersion", "kind", "metadata"]) {
        delete d.spec.versions[0]!.schema!.openAPIV3Schema!.properties![name];
      }
    }, { kind: "fits" }],
    ["the version is missing and another is there", (d) => d.spec.versions[0]!.name = "v1", {
      kind: "foreign",
      unknown: ["version v1"],
      missing: ["version v1alpha1"],
    }],
    ["the version is not served", (d) => d.spec.versions[0]!.served = false, {
      kind: "older",
      missing: ["version v1alpha1"],
    }],
    ["a version that objects were stored in", (d) => d.status = { storedVersions: ["v1", "v1alpha1"] }, {
      kind: "foreign",
      unknown: ["version v1"],
      missing: [],
    }],
    ["one field more and one less", (d) => {
      fields(d).node = { type: "string" };
      delete fields(d).objectKind;
    }, { kind: "foreign", unknown: ["v1alpha1.spec.node"], missing: ["v1alpha1.spec.objectKind"] }],
    ["no status subresource", (d) => delete d.spec.versions[0]!.subresources, {
      kind: "older",
      missing: ["v1alpha1 subresource status"],
    }],
    ["a field that must be there", (d) => {
      d.spec.versions[0]!.schema!.openAPIV3Schema!.required = ["spec"];
    }, { kind: "older", missing: ["v1alpha1 without spec"] }],
    ["a value more", (d) => fields(d).objectKind!.enum = ["Pod"], {
      kind: "older",
      missing: ["v1alpha1.spec.objectKind any value"],
    }],
    ["any field at all", (d) => {
      d.spec.versions[0]!.schema!.openAPIV3Schema!.properties!.spec!["x-kubernetes-preserve-unknown-fields"] =
        true;
    }, { kind: "foreign", unknown: ["v1alpha1.spec.*"], missing: [] }],
    ["another scope", (d) => d.spec.scope = "Cluster", {
      kind: "foreign",
      unknown: ["scope Cluster"],
      missing: [],
    }],
    ["written by an older cloudcore", (d) => d.metadata!.annotations = { [WRITER_ANNOTATION]: "0.4.10" }, {
      kind: "stale",
      writer: "0.4.10",
    }],
    ["written by this cloudcore", (d) => d.metadata!.annotations = { [WRITER_ANNOTATION]: VERSION }, {
      kind: "fits",
    }],
    ["written by a newer cloudcore", (d) => {
      d.metadata!.annotations = { [WRITER_ANNOTATION]: "0.10.0" };
      fields(d).more = { type: "string" };
    }, { kind: "fits" }],
  ];
  for (const [name, change, verdict] of rows) {
    await t.step(name, () => {
      const theirs = objectSyncs();
      change(theirs);
      assert.deepEqual(compareDefinition(theirs, objectSyncs(), VERSION), verdict);
    });
  }
});

Deno.test("upgradedDefinition() keeps metadata, conversion and status", () => {
  const theirs = objectSyncs();
  delete fields(theirs).objectName;
  const conversion = { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"] } };
  theirs.metadata = {
    ...theirs.metadata!,
    resourceVersion: "7",
    labels: { team: "edge" },
    annotations: { note: "kept" },
  };
  theirs.spec.conversion = conversion;
  theirs.status = { storedVersions: ["v1alpha1"] };
  const upgraded = upgradedDefinition(theirs, objectSyncs(), VERSION);
  assert.deepEqual(upgraded.metadata, {
    ...theirs.metadata,
    annotations: { note: "kept", [WRITER_ANNOTATION]: VERSION },
  });
  assert.deepEqual(upgraded.spec, { ...objectSyncs().spec, conversion });
  assert.deepEqual(upgraded.status, theirs.status);
  assert.deepEqual(compareDefinition(upgraded, objectSyncs(), VERSION), { kind: "fits" });
});

/** A cluster that serves at once what is stored. */
class Cluster extends FakeKubeClient {
  served = new Set<string>();
  servedResources(): Promise<ReadonlySet<string>> {
    return Promise.resolve(this.served);
  }
  override async get<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T> {
    const status = { conditions: [{ type: "Established", status: "True" }] };
    const object = await super.get(type, ref, options);
    return type.resource === DEFINITIONS.resource ? { ...object, status } : object;
  }
}

function start(kube: Cluster, definitions = () => [objectSyncs()]) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const module = customResources({
    kube,
    clock,
    log: createLogger("crds", { write: (line) => lines.push(line) }),
    version: VERSION,
    definitions,
  });
  const controller = new AbortController();
  const reason = new Error("stop");
  const ended = module.run(controller.signal).catch((error) => {
    if (error !== reason) throw error;
  });
  return {
    clock,
    lines,
    async pass(ms: number) {
      await clock.advance(ms);
      await clock.advance(200);
    },
    [Symbol.asyncDispose]: async () => {
      controller.abort(reason);
      await ended;
    },
  };
}

/** As the API server refuses what RBAC does not allow. */
function forbid(...verbs: string[]): (call: FakeCall) => void {
  return ({ verb, resource }) => {
    if (resource === DEFINITIONS.resource && verbs.includes(verb)) throw new StatusError("Forbidden", "no");
  };
}

/** As the API server names what is not there; the double does not. */
function named(call: FakeCall, kube: Cluster): void {
  if (call.verb !== "get" || call.resource !== DEFINITIONS.resource) return;
  if (kube.peek(DEFINITIONS, call.name!) !== undefined) return;
  throw new StatusError("NotFound", "none", { details: { name: call.name!, kind: call.resource } });
}

Deno.test("customResources() creates what is missing and is done", async () => {
  const kube: Cluster = new Cluster({ intercept: (call) => named(call, kube) });
  await using run = start(kube);
  await run.pass(0);
  assert.equal(kube.peekAll(DEFINITIONS).length, 1);
  assert.match(run.lines.join(""), /"Installed custom resources" created=1 updated=0/);
  const calls = kube.calls.length;
  await run.pass(600_000);
  assert.equal(kube.calls.length, calls);
});

Deno.test("customResources() that may not say what is missing, once, record it, and install it once they may", async () => {
  let may = false;
  const kube: Cluster = new Cluster({
    intercept: (call) => {
      if (!may) forbid("get", "create")(call);
      named(call, kube);
    },
  });
  await using run = start(kube);
  await run.pass(300_000);
  assert.deepEqual(run.lines.map((line) => line.replace(/^.*?crds\] /, "")), [
    '"Custom resources are not as they should be and cloudcore may not change that; all else goes on" ' +
    'what="objectsyncs.reliablesyncs.kubeedge.io is missing: what edges confirmed survives a restart of cloudcore" ' +
    'fix="kubectl apply -f crds/, or give cloudcore the rights of ClusterRole cloudcore-crds"\n',
  ]);
  const [event] = kube.peekAll(EVENTS);
  assert.equal(event?.reason, "CustomResourceMissing");
  assert.equal(event?.involvedObject.name, "objectsyncs.reliablesyncs.kubeedge.io");
  may = true;
  await run.pass(60_000);
  assert.equal(kube.peekAll(DEFINITIONS).length, 1);
  assert.match(run.lines.at(-1)!, /"All custom resources are there"/);
});

Deno.test("customResources() say where definitions are not served at all, and go on", async () => {
  const kube = new Cluster({
    intercept: ({ resource }) => {
      if (resource === DEFINITIONS.resource) throw new StatusError("NotFound", "404 page not found");
    },
  });
  await using run = start(kube);
  await run.pass(300_000);
  assert.equal(run.lines.length, 1);
  assert.match(
    run.lines[0]!,
    /is missing, and nothing serves apiextensions\.k8s\.io here: what edges confirmed/,
  );
});

Deno.test("customResources() take what is served for good where they may not look", async () => {
  const kube: Cluster = new Cluster({ intercept: forbid("get") });
  kube.served = new Set(["objectsyncs", "objectsyncs/status"]);
  await using run = start(kube);
  await run.pass(0);
  assert.deepEqual(run.lines, []);
  assert.equal(kube.calls.some(({ verb }) => verb === "create"), false);
});

Deno.test("customResources() look again when another cloudcore was faster", async () => {
  let others = 2;
  const kube: Cluster = new Cluster({
    intercept: (call) => {
      named(call, kube);
      if (call.verb === "update" && others-- > 0) throw new StatusError("Conflict", "changed meanwhile");
    },
  });
  const old = objectSyncs();
  delete fields(old).objectName;
  kube.seed(DEFINITIONS, { ...old, status: { conditions: [{ type: "Established", status: "True" }] } });
  await using run = start(kube);
  await run.pass(0);
  const [stored] = kube.peekAll(DEFINITIONS);
  assert.notEqual(fields(stored!).objectName, undefined);
  assert.equal(others, -1);
});

Deno.test("customResources() leave alone what they do not know, and say so once", async () => {
  const kube = new Cluster();
  const newer = objectSyncs();
  fields(newer).more = { type: "string" };
  kube.seed(DEFINITIONS, newer);
  await using run = start(kube);
  await run.pass(600_000);
  assert.equal(kube.calls.some(({ verb, resource }) => verb === "update" && resource !== "events"), false);
  assert.equal(run.lines.length, 1);
  assert.match(run.lines[0]!, /"A custom resource is not changed".*it has v1alpha1\.spec\.more, unknown/);
});

Deno.test("customResources() without the right to change are content with what an older cloudcore wrote", async () => {
  const kube = new Cluster({ intercept: forbid("update") });
  const stale = objectSyncs();
  stale.metadata!.annotations = { [WRITER_ANNOTATION]: "0.4.0" };
  kube.seed(DEFINITIONS, stale);
  await using run = start(kube);
  await run.pass(300_000);
  assert.deepEqual(run.lines, []);
  assert.equal(kube.calls.filter(({ verb }) => verb === "update").length, 1);
});

Deno.test("CRD_RULES permit what is done", async () => {
  const kube: Cluster = new Cluster({ intercept: (call) => named(call, kube) });
  const old = objectSyncs();
  delete fields(old).objectName;
  await using run = start(kube, () => {
    const [first] = [...carriedDefinitions()].filter(({ metadata }) => metadata!.name !== old.metadata!.name);
    return [first!, objectSyncs()];
  });
  kube.seed(DEFINITIONS, { ...old, status: { conditions: [{ type: "Established", status: "True" }] } });
  await run.pass(0);
  const done = kube.calls.filter(({ resource }) => resource === DEFINITIONS.resource).map(({ verb }) => verb);
  assert.deepEqual([...new Set(done)].sort(), CRD_RULES.flatMap(({ verbs }) => [...verbs]).sort());
});
