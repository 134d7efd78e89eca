import assert from "node:assert/strict";
import type { Pod, Service } from "../../../../common/api/core_v1.ts";
import type { EndpointSlice } from "../../../../common/api/discovery_v1.ts";
import { backendsOf, selectsPod } from "./backends.ts";
import { planSlices } from "./slices.ts";
import { MAX_ADDRESSES, subsetsOf } from "./subsets.ts";

type Spec = NonNullable<Service["spec"]>;
const service = (spec: Partial<Spec> = {}): Service => ({
  metadata: { name: "web", namespace: "ns", uid: "s", labels: { tier: "front" } },
  spec: {
    clusterIP: "10.96.0.9",
    selector: { app: "web" },
    ports: [{ name: "http", port: 80, targetPort: "web", protocol: "TCP" }],
    ...spec,
  },
});

const pod = (
  name: string,
  ip: string,
  change: { ready?: boolean; port?: number; phase?: string; ending?: true } = {},
): Pod => {
  const { ready = true, port = 8080, phase = "Running", ending } = change;
  return {
    metadata: {
      name,
      namespace: "ns",
      uid: name,
      labels: { app: "web" },
      ...(ending && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    spec: {
      nodeName: "n1",
      containers: [{ name: "c", ports: [{ name: "web", containerPort: port, protocol: "TCP" }] }],
    },
    status: { phase, podIP: ip, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
};
const zone = () => ({ metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "z1" } } });
const subsets = (given: Service, pods: Pod[]) =>
  subsetsOf(backendsOf(given, pods, zone), {
    publishing: given.spec?.publishNotReadyAddresses === true,
    headless: given.spec?.clusterIP === "None" && (given.spec.ports ?? []).length === 0,
  }).subsets;
const brief = (given: Service, pods: Pod[]) =>
  subsets(given, pods).map(({ addresses = [], notReadyAddresses = [], ports = [] }) => [
    addresses.map(({ ip }) => ip).join(),
    notReadyAddresses.map(({ ip }) => ip).join(),
    ports.map(({ name, port }) => `${name}:${port}`).join(),
  ]);

Deno.test("subsetsOf() groups ports that the same pods have", async (t) => {
  const two = [{ name: "http", port: 80, targetPort: "web" }, { name: "dns", port: 53, targetPort: 5353 }];
  const rows: Array<[string, Service, Pod[], string[][]]> = [
    ["one pod", service(), [pod("a", "10.0.0.1")], [["10.0.0.1", "", "http:8080"]]],
    ["not ready", service(), [pod("a", "10.0.0.1", { ready: false })], [["", "10.0.0.1", "http:8080"]]],
    ["ended", service(), [pod("a", "10.0.0.1", { phase: "Succeeded" })], []],
    ["ending", service(), [pod("a", "10.0.0.1", { ending: true })], []],
    ["without an address", service(), [pod("a", "")], []],
    ["two ports", service({ ports: two }), [pod("a", "10.0.0.1")], [["10.0.0.1", "", "dns:5353,http:8080"]]],
    [
      "ports that differ",
      service({ ports: two }),
      [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", { port: 9 })],
      [
        ["10.0.0.1", "", "http:8080"],
        ["10.0.0.1,10.0.0.2", "", "dns:5353"],
        ["10.0.0.2", "", "http:9"],
      ],
    ],
    ["no such port", service({ ports: [{ port: 80, targetPort: "admin" }] }), [pod("a", "10.0.0.1")], []],
    ["headless without ports", service({ clusterIP: "None", ports: [] }), [pod("a", "10.0.0.1")], [[
      "10.0.0.1",
      "",
      "",
    ]]],
    ["published before it is ready", service({ publishNotReadyAddresses: true }), [
      pod("a", "10.0.0.1", { ready: false, ending: true }),
    ], [["10.0.0.1", "", "http:8080"]]],
  ];
  for (const [name, given, pods, expected] of rows) {
    await t.step(name, () => assert.deepEqual(brief(given, pods).sort(), expected.sort()));
  }
});

Deno.test("subsetsOf() keeps to the capacity, ready pods first", () => {
  const pods = Array.from(
    { length: MAX_ADDRESSES + 5 },
    (_, i) => pod(`p${String(i).padStart(5, "0")}`, `10.0.${i >> 8}.${i & 255}`, { ready: i >= 5 }),
  );
  const { subsets, truncated } = subsetsOf(backendsOf(service(), pods, zone), {
    publishing: false,
    headless: false,
  });
  assert.equal(truncated, true);
  assert.equal(subsets[0]?.addresses?.length, MAX_ADDRESSES);
  assert.equal(subsets[0]?.notReadyAddresses, undefined);
});

Deno.test("backendsOf() tells nodes, zones and, within the service's own domain, host names", () => {
  const given = pod("a", "10.0.0.1");
  given.spec!.hostname = "db";
  const [other] = backendsOf(service(), [given], zone);
  assert.deepEqual([other?.nodeName, other?.zone, other?.hostname], ["n1", "z1", undefined]);
  given.spec!.subdomain = "web";
  assert.equal(backendsOf(service(), [given], zone)[0]?.hostname, "db");
  assert.equal(selectsPod(service(), { metadata: { namespace: "other", labels: { app: "web" } } }), false);
});

const slices = (pods: Pod[], existing: EndpointSlice[] = [], given = service()) =>
  planSlices(given, backendsOf(given, pods, zone), existing);
const named = (slice: EndpointSlice, name: string): EndpointSlice => ({
  ...slice,
  metadata: { ...slice.metadata, name },
});

Deno.test("planSlices() makes a slice that says what its pods are", () => {
  const { create, update, delete: gone } = slices([
    pod("a", "10.0.0.1"),
    pod("b", "10.0.0.2", { ending: true }),
  ]);
  assert.deepEqual([update, gone], [[], []]);
  assert.equal(create.length, 1);
  const [slice] = create;
  assert.deepEqual(slice?.metadata?.labels, {
    tier: "front",
    "kubernetes.io/service-name": "web",
    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
  });
  assert.deepEqual(slice?.ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
  assert.deepEqual(slice?.endpoints.map(({ conditions }) => conditions), [
    { ready: true, serving: true, terminating: false },
    { ready: false, serving: true, terminating: true },
  ]);
  assert.equal(slice?.endpoints[0]?.zone, "z1");
});

Deno.test("planSlices() writes nothing when nothing changed, and one slice for one pod", () => {
  const many = Array.from({ length: 150 }, (_, i) => pod(`p${String(i).padStart(3, "0")}`, `10.0.0.${i}`));
  const existing = slices(many).create.map((slice, i) => named(slice, `web-${i}`));
  assert.deepEqual(existing.map(({ endpoints }) => endpoints.length), [100, 50]);
  assert.deepEqual(slices(many, existing), { create: [], update: [], delete: [] });
  const fewer = slices(many.slice(1), existing);
  assert.deepEqual(fewer.update.map(({ metadata }) => metadata?.name), ["web-0"]);
  const more = slices([...many, pod("q", "10.0.1.1")], existing);
  assert.deepEqual(more.update.map(({ metadata, endpoints }) => [metadata?.name, endpoints.length]), [[
    "web-1",
    51,
  ]]);
});

Deno.test("planSlices() leaves an empty slice where nothing serves, and deletes the others", () => {
  const many = Array.from({ length: 150 }, (_, i) => pod(`p${i}`, `10.0.0.${i}`));
  const existing = slices(many).create.map((slice, i) => named(slice, `web-${i}`));
  const none = slices([], existing);
  assert.deepEqual(none.update.map(({ metadata, endpoints, ports }) => [metadata?.name, endpoints, ports]), [
    ["web-0", null, null],
  ]);
  assert.deepEqual(none.delete.map(({ metadata }) => metadata?.name), ["web-1"]);
  assert.equal(slices([]).create.length, 1);
});
