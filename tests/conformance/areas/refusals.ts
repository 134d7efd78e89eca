import assert from "node:assert/strict";
import { area } from "../case.ts";
import { expectAnswer } from "../expect.ts";
import recorded from "../recorded_refusals.json" with { type: "json" };

/** A spec that is refused, and every reason for it. */
interface Refused {
  kind: string;
  spec: object;
  causes: string[][];
}

const PATHS: Readonly<Record<string, string>> = {
  Pod: "/api/v1/namespaces/{}/pods",
  Deployment: "/apis/apps/v1/namespaces/{}/deployments",
  DaemonSet: "/apis/apps/v1/namespaces/{}/daemonsets",
  StatefulSet: "/apis/apps/v1/namespaces/{}/statefulsets",
  ReplicaSet: "/apis/apps/v1/namespaces/{}/replicasets",
};

const RECORDED: readonly Refused[] = recorded;

export const REFUSALS = area(
  "refusals",
  Object.fromEntries(
    Object.entries(PATHS).map((
      [kind, path],
    ) => [`a ${kind} that a node could make no sense of`, async (c) => {
      const ns = await c.podNamespace();
      for (const { spec, causes } of RECORDED.filter((one) => one.kind === kind)) {
        const body = { metadata: { name: "v" }, spec };
        const answer = await c.api.post(path.replace("{}", ns), body, { dryRun: "All" });
        const { details } = expectAnswer(answer, 422, { reason: "Invalid" });
        const told = details.causes.map(({ reason, field, message }: Record<string, string>) => [
          reason,
          field,
          message,
        ]);
        assert.deepEqual(told.sort(), causes.toSorted(), JSON.stringify(spec));
      }
    }]),
  ),
);
