import assert from "node:assert/strict";
import type { Pod, Toleration } from "../../common/api/core_v1.ts";
import { planTolerations } from "./outage_tolerations.ts";

const toleration = (key: string, tolerationSeconds?: number): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect: "NoExecute",
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});
const other: Toleration = { key: "gpu", operator: "Exists" };
const DEFAULTS = [toleration("not-ready", 300), toleration("unreachable", 300)];
const KEPT = [toleration("not-ready", 300), toleration("unreachable")];

/** A pod as the API server has it; `owned` when the one who made it wrote tolerations. */
const pod = (
  tolerations: Toleration[],
  { owned = false, ...rest }: Partial<Pod> & { owned?: boolean } = {},
): Pod => ({
  ...rest,
  metadata: {
    ...rest.metadata,
    managedFields: [{
      manager: "kubectl",
      operation: "Update",
      fieldsV1: { "f:spec": owned ? { "f:tolerations": {}, "f:containers": {} } : { "f:containers": {} } },
    }],
  },
  spec: { containers: [], nodeName: "edge-1", tolerations },
});
const unmanaged = (tolerations: Toleration[]): Pod => ({
  metadata: {},
  spec: { containers: [], tolerations },
});
const autonomy = { metadata: { labels: { "app-offline.kubeedge.io": "autonomy" } } };

Deno.test("planTolerations() takes the time limit from what admission added, and from nothing that an owner wrote", async (t) => {
  const rows: Array<[string, Pod, Toleration[] | undefined]> = [
    ["defaults", pod(DEFAULTS), KEPT],
    [
      "defaults of a server with another time",
      pod([toleration("not-ready", 30), toleration("unreachable", 30)]),
      [
        toleration("not-ready", 30),
        toleration("unreachable"),
      ],
    ],
    ["defaults after an owner's tolerations", pod([other, ...DEFAULTS], { owned: true }), [other, ...KEPT]],
    ["an owner's own 300 s", pod([...DEFAULTS].reverse(), { owned: true }), undefined],
    ["both of an owner", pod(DEFAULTS, { owned: true }), undefined],
    [
      "an owner's other time",
      pod([other, toleration("not-ready", 300), toleration("unreachable", 60)], { owned: true }),
      undefined,
    ],
    [
      "an owner's zero",
      pod([toleration("unreachable", 0), toleration("not-ready", 300)], { owned: true }),
      undefined,
    ],
    [
      "an owner's toleration of everything, for a time",
      pod([{ operator: "Exists", tolerationSeconds: 300 }], { owned: true }),
      undefined,
    ],
    [
      "without limits, as of a DaemonSet",
      pod([toleration("not-ready"), toleration("unreachable")], { owned: true }),
      undefined,
    ],
    ["everything tolerated", pod([{ operator: "Exists" }]), undefined],
    [
      "another effect does not count",
      pod([{ ...toleration("unreachable"), effect: "NoSchedule" }], { owned: true }),
      [
        { ...toleration("unreachable"), effect: "NoSchedule" },
        toleration("unreachable"),
      ],
    ],
    ["none at all", pod([]), [toleration("unreachable")]],
    ["no managers known: the words of the default at the end", unmanaged(DEFAULTS), KEPT],
    ["no managers known: other words", unmanaged([toleration("unreachable", 60)]), undefined],
    [
      "autonomy overrides an owner's time",
      pod([toleration("unreachable", 60)], { owned: true, ...autonomy }),
      [
        toleration("unreachable"),
      ],
    ],
    [
      "another value of the label does not",
      pod([toleration("unreachable", 60)], {
        owned: true,
        metadata: { labels: { "app-offline.kubeedge.io": "migrate" } },
      }),
      undefined,
    ],
    ["a pod that ended", pod(DEFAULTS, { status: { phase: "Succeeded" } }), undefined],
    [
      "a pod that is being deleted",
      pod(DEFAULTS, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      undefined,
    ],
  ];
  for (const [name, given, expected] of rows) {
    await t.step(name, () => {
      const before = structuredClone(given);
      const planned = planTolerations(given);
      assert.deepEqual(planned, expected);
      assert.deepEqual(given, before);
      if (planned !== undefined) {
        assert.equal(
          planTolerations({ ...given, spec: { containers: [], tolerations: planned } }),
          undefined,
        );
      }
    });
  }
});
