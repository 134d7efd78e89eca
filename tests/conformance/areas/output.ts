import assert from "node:assert/strict";
import { area } from "../case.ts";
import { ABSENT, expectAnswer, expectPart, expectRefusal, PRESENT } from "../expect.ts";

const secretsOf = (ns: string) => `/api/v1/namespaces/${ns}/secrets`;
const TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1";
const PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/** Columns that kubectl prints, with those of `-o wide` in brackets. */
const COLUMNS: ReadonlyArray<readonly [path: string, columns: string]> = [
  ["/api/v1/configmaps", "Name Data Age"],
  ["/api/v1/secrets", "Name Type Data Age"],
  ["/api/v1/namespaces", "Name Status Age"],
  [
    "/api/v1/nodes",
    "Name Status Roles Age Version [Internal-IP] [External-IP] [OS-Image] [Kernel-Version] [Container-Runtime]",
  ],
  ["/api/v1/pods", "Name Ready Status Restarts Age [IP] [Node] [Nominated Node] [Readiness Gates]"],
  ["/api/v1/services", "Name Type Cluster-IP External-IP Port(s) Age [Selector]"],
  ["/api/v1/serviceaccounts", "Name Secrets Age"],
  ["/api/v1/endpoints", "Name Endpoints Age"],
  ["/api/v1/events", "Last Seen Type Reason Object [Subobject] [Source] Message [First Seen] [Count] [Name]"],
  [
    "/api/v1/persistentvolumes",
    "Name Capacity Access Modes Reclaim Policy Status Claim StorageClass VolumeAttributesClass Reason Age [VolumeMode]",
  ],
  [
    "/api/v1/persistentvolumeclaims",
    "Name Status Volume Capacity Access Modes StorageClass VolumeAttributesClass Age [VolumeMode]",
  ],
  ["/apis/apps/v1/deployments", "Name Ready Up-to-date Available Age [Containers] [Images] [Selector]"],
  ["/apis/apps/v1/replicasets", "Name Desired Current Ready Age [Containers] [Images] [Selector]"],
  [
    "/apis/apps/v1/daemonsets",
    "Name Desired Current Ready Up-to-date Available Node Selector Age [Containers] [Images] [Selector]",
  ],
  ["/apis/apps/v1/statefulsets", "Name Ready Age [Containers] [Images]"],
  ["/apis/apps/v1/controllerrevisions", "Name Controller Revision Age"],
  ["/apis/coordination.k8s.io/v1/leases", "Name Holder Age"],
];

export const OUTPUT = area("output", {
  "a table of a list": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "s", labels: { a: "b" } }, stringData: { x: "1" } });
    const table = expectAnswer(await c.api.get(secretsOf(ns), {}, { accept: TABLE }), 200, {
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: PRESENT },
      rows: [{
        cells: ["s", "Opaque", 1, /^\d+s$/],
        object: {
          kind: "PartialObjectMetadata",
          apiVersion: "meta.k8s.io/v1",
          metadata: { name: "s", labels: { a: "b" } },
          data: ABSENT,
        },
      }],
    });
    expectPart(table.columnDefinitions[0], {
      name: "Name",
      type: "string",
      format: "name",
      priority: 0,
      description: PRESENT,
    });
  },
  "a table of one object, and what its rows carry": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "s" }, stringData: { x: "1" } });
    const path = `${secretsOf(ns)}/s`;
    expectAnswer(await c.api.get(path, {}, { accept: TABLE }), 200, {
      kind: "Table",
      metadata: { resourceVersion: PRESENT },
      rows: [{ cells: ["s", "Opaque", 1, PRESENT] }],
    });
    expectAnswer(await c.api.get(path, { includeObject: "Object" }, { accept: TABLE }), 200, {
      rows: [{ object: { kind: "Secret", apiVersion: "v1", data: { x: "MQ==" } } }],
    });
    expectAnswer(await c.api.get(path, { includeObject: "None" }, { accept: TABLE }), 200, {
      rows: [{ object: null }],
    });
    expectRefusal(await c.api.get(path, { includeObject: "Some" }, { accept: TABLE }), 400, {
      reason: "BadRequest",
      message:
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty",
    });
  },
  "the columns of the kinds": async (c) => {
    for (const [path, columns] of COLUMNS) {
      const { columnDefinitions } = expectAnswer(await c.api.get(path, { limit: 1 }, { accept: TABLE }), 200);
      const printed = columnDefinitions.map(({ name, priority }: { name: string; priority: number }) =>
        priority === 0 ? name : `[${name}]`
      );
      assert.equal(printed.join(" "), columns, path);
    }
  },
  "metadata of one object and of a list": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "s", labels: { a: "b" } }, stringData: { x: "1" } });
    const one = expectAnswer(await c.api.get(`${secretsOf(ns)}/s`, {}, { accept: PARTIAL }), 200, {
      kind: "PartialObjectMetadata",
      apiVersion: "meta.k8s.io/v1",
      metadata: { name: "s", namespace: ns, uid: PRESENT, labels: { a: "b" } },
    });
    assert.deepEqual(Object.keys(one).sort(), ["apiVersion", "kind", "metadata"]);
    expectAnswer(await c.api.get(secretsOf(ns), {}, { accept: PARTIAL_LIST }), 200, {
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: PRESENT },
      items: [{ metadata: { name: "s" }, data: ABSENT }],
    });
  },
  "writes are answered in the form that was asked for": async (c) => {
    const ns = await c.namespace();
    const post = (accept: string, name: string) =>
      c.api.request("POST", secretsOf(ns), { body: { metadata: { name } }, headers: { accept } });
    expectAnswer(await post(PARTIAL, "a"), 201, { kind: "PartialObjectMetadata", metadata: { name: "a" } });
    expectAnswer(await post(TABLE, "b"), 201, {
      kind: "Table",
      rows: [{ cells: ["b", "Opaque", 0, PRESENT] }],
    });
  },
  "the first form that can be had is given": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[string, string]> = [
      ["application/json", "SecretList"],
      ["*/*", "SecretList"],
      [`${TABLE},application/json`, "Table"],
      [`application/json;as=Table;g=meta.k8s.io;v=v7,application/json`, "SecretList"],
      ["text/plain,application/json;q=0.5", "SecretList"],
    ];
    for (const [accept, kind] of rows) {
      expectAnswer(await c.api.get(secretsOf(ns), {}, { accept }), 200, { kind });
    }
  },
  "what cannot be had is refused": async (c) => {
    const ns = await c.namespace();
    for (const accept of ["text/html", "application/xml"]) {
      expectRefusal(await c.api.get(secretsOf(ns), {}, { accept }), 406, {
        reason: "NotAcceptable",
        message: /^406: Not Acceptable\n\nAvailable representations: application\/json/,
        details: {},
      });
    }
    const accept = "application/json;as=Table;g=meta.k8s.io;v=v7";
    expectRefusal(await c.api.get(secretsOf(ns), {}, { accept }), 406, {
      reason: "NotAcceptable",
      message: /^only the following media types are accepted: application\/json/,
    });
  },
  "YAML and protobuf are given, or refused": async (c) => {
    const ns = await c.namespace();
    for (const accept of ["application/yaml", "application/vnd.kubernetes.protobuf"]) {
      const answer = await c.api.get(secretsOf(ns), {}, { accept });
      if (c.plane.kind === "kubernetes") {
        assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, accept]);
        continue;
      }
      expectRefusal(answer, 406, {
        reason: "NotAcceptable",
        message: /^406: Not Acceptable\n\nAvailable representations: application\/json/,
        details: {},
      });
      // A client that takes JSON too, as every client of Kubernetes does, is served.
      const both = await c.api.get(secretsOf(ns), {}, { accept: `${accept},application/json` });
      expectAnswer(both, 200, { kind: "SecretList" });
    }
  },
  "ages are printed as people read them": async (c) => {
    const ns = await c.namespace();
    const events = `/api/v1/namespaces/${ns}/events`;
    const at = (secondsAgo: number) =>
      new Date(Date.now() - secondsAgo * 1000).toISOString().replace(/\.\d+/, "");
    const rows: Array<[string, number, RegExp]> = [
      ["a", 30, /^3\ds$/],
      ["b", 150, /^2m3\ds$/],
      ["c", 7500, /^12\dm$|^2h5m$/],
      ["d", 3 * 86400, /^(2d23h|3d|72h)$/],
    ];
    for (const [name, ago] of rows) {
      expectAnswer(
        await c.api.post(events, {
          metadata: { name, namespace: ns },
          involvedObject: { kind: "Pod", name: "p", namespace: ns },
          reason: "R",
          message: "m",
          type: "Normal",
          firstTimestamp: at(ago),
          lastTimestamp: at(ago),
          count: 1,
        }),
        201,
      );
    }
    const table = expectAnswer(await c.api.get(events, {}, { accept: TABLE }), 200);
    const cells = new Map(
      table.rows.map((row: { cells: string[]; object: { metadata: { name: string } } }) => [
        row.object.metadata.name,
        row.cells[0],
      ]),
    );
    for (const [name, , like] of rows) expectPart(cells.get(name), like, name);
  },
});
