import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { CLOUD_HUB_NAMESPACE_RULES, CLOUD_HUB_RULES } from "../cloudhub/mod.ts";
import { checkSupported } from "../supported.ts";
import { readCloudCoreConfig } from "../config/mod.ts";
import { CRD_RULES } from "../crds/mod.ts";
import { EDGE_CONTROLLER_RULES } from "../edgecontroller/mod.ts";
import { RIGHTS_FROM } from "../rights.ts";

interface Rule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  resourceNames?: readonly string[];
}

interface Probe {
  httpGet: { host: string; port: number };
}

interface DeploymentSpec {
  selector: Record<string, unknown>;
  template: {
    metadata: { labels: Record<string, string> };
    spec: {
      serviceAccountName: string;
      containers: Array<{
        ports: Array<{ name: string; containerPort: number }>;
        livenessProbe: Probe;
        readinessProbe: Probe;
      }>;
    };
  };
}

interface ServiceSpec {
  ports: Array<{ name: string; port: number; targetPort: number }>;
}

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: Rule[];
  roleRef?: { kind: string; name: string };
  subjects?: Array<{ kind: string; namespace: string; name: string }>;
  spec?: DeploymentSpec & ServiceSpec;
  data?: Record<string, string>;
}

const FOLDER = new URL("./", import.meta.url);

async function manifests(file: string): Promise<Manifest[]> {
  const text = await Deno.readTextFile(new URL(file, FOLDER));
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

const all = async () =>
  (await Promise.all(
    ["1-namespace.yaml", "2-rbac.yaml", "3-all-namespaces.yaml", "4-cloudcore.yaml"].map(manifests),
  )).flat();

/** Each right for itself: where, group, resource, verb, names. */
function rights(rules: readonly Rule[], where = ""): string[] {
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames = ["*"] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          resourceNames.map((name) => `${where} ${group}/${resource} ${verb} ${name}`.trim())
        )
      )
    )
  );
}

Deno.test("the roles give what the code says it does, where it does it, and nothing else", async () => {
  const roles = (await all()).filter(({ rules }) => rules !== undefined);
  const given = roles.flatMap(({ rules, metadata: { namespace } }) => rights(rules!, namespace));
  const isLease = ({ resources }: Rule) => resources.includes("leases");
  const needed = [
    // The namespace is installed.
    ...rights(CLOUD_HUB_RULES.filter(({ resources }) => !resources.includes("namespaces"))),
    ...rights(CLOUD_HUB_NAMESPACE_RULES, "kubeedge"),
    ...rights(EDGE_CONTROLLER_RULES.filter((rule) => !isLease(rule))),
    ...rights(EDGE_CONTROLLER_RULES.filter(isLease), "kube-node-lease"),
    ...rights(CRD_RULES),
  ];
  assert.deepEqual([...new Set(given)].sort(), [...new Set(needed)].sort());
  assert.equal(new Set(given).size, given.length, "nothing is given twice");
});

Deno.test("every role is bound, to cloudcore and to nobody else", async () => {
  const objects = await all();
  const key = (kind: string, name: string, namespace = "") => `${kind} ${namespace}/${name}`;
  const roles = objects.filter(({ rules }) => rules !== undefined)
    .map(({ kind, metadata: { name, namespace } }) => key(kind, name, namespace));
  const bindings = objects.filter(({ roleRef }) => roleRef !== undefined);
  const bound = bindings.map(({ roleRef, metadata: { namespace } }) =>
    key(roleRef!.kind, roleRef!.name, roleRef!.kind === "Role" ? namespace : "")
  );
  assert.deepEqual(bound.sort(), roles.sort());
  for (const { subjects } of bindings) {
    assert.deepEqual(subjects, [{ kind: "ServiceAccount", namespace: "kubeedge", name: "cloudcore" }]);
  }
});

Deno.test("messages about missing rights name the file and the roles that have them", async () => {
  const files = [...RIGHTS_FROM.matchAll(/cloud\/install\/(\S+\.yaml)/g)].map(([, file]) => file!);
  const roles = (await Promise.all(files.map(manifests))).flat().filter(({ kind }) => kind === "ClusterRole");
  for (const { metadata: { name } } of roles) assert.ok(RIGHTS_FROM.includes(name), name);
});

Deno.test("the ConfigMap is a configuration of cloudcore, and the Deployment and Service fit it", async () => {
  const objects = await all();
  const find = (kind: string) => objects.find((object) => object.kind === kind)!;
  const reading = readCloudCoreConfig(
    find("ConfigMap").data!["cloudcore.yaml"]!,
    "4-cloudcore.yaml",
    checkSupported,
  );
  assert.deepEqual(reading.warnings, []);
  const { commonConfig, modules: { cloudHub, cloudStream } } = reading.config;
  const ports = [
    ["cloudhub", cloudHub.websocket.port],
    ["cloudhub-https", cloudHub.https.port],
    ["cloudstream", cloudStream.streamPort],
    ["tunnelport", cloudStream.tunnelPort],
  ];
  const deployment = find("Deployment").spec!;
  const service = find("Service").spec!;
  const pod = deployment.template;
  const container = pod.spec.containers[0]!;
  const { ports: containerPorts } = container;
  const { ports: servicePorts } = service;
  assert.deepEqual(containerPorts.map(({ name, containerPort }) => [name, containerPort]), ports);
  assert.deepEqual(servicePorts.map(({ name, port }) => [name, port]), ports);
  for (const { port, targetPort } of servicePorts) assert.equal(port, targetPort);
  assert.deepEqual(service.selector, pod.metadata.labels);
  assert.deepEqual(deployment.selector.matchLabels, pod.metadata.labels);
  for (const probe of [container.livenessProbe, container.readinessProbe]) {
    assert.equal(`${probe.httpGet.host}:${probe.httpGet.port}`, commonConfig.monitorServer.bindAddress);
  }
  assert.equal(pod.spec.serviceAccountName, "cloudcore");
});
