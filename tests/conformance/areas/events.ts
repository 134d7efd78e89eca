import assert from "node:assert/strict";
import { area } from "../case.ts";
import { ABSENT, expectAnswer, expectRefusal, namesOf } from "../expect.ts";

const coreOf = (ns: string) => `/api/v1/namespaces/${ns}/events`;
const eventsOf = (ns: string) => `/apis/events.k8s.io/v1/namespaces/${ns}/events`;
const AT = "2026-01-02T03:04:05.678901Z";

const core = (ns: string, name: string, rest: object = {}) => ({
  metadata: { name },
  involvedObject: {
    apiVersion: "v1",
    kind: "Pod",
    namespace: ns,
    name: "p",
    uid: "u1",
    fieldPath: "spec.containers{c}",
  },
  reason: "Started",
  message: "started it",
  source: { component: "kubelet", host: "node" },
  firstTimestamp: "2026-01-02T03:04:05Z",
  lastTimestamp: "2026-01-02T03:05:05Z",
  count: 3,
  type: "Normal",
  ...rest,
});

const modern = (ns: string, name: string, rest: object = {}) => ({
  metadata: { name },
  regarding: { apiVersion: "v1", kind: "Pod", namespace: ns, name: "p", uid: "u1" },
  reason: "Scheduled",
  note: "put it somewhere",
  type: "Normal",
  eventTime: AT,
  action: "Binding",
  reportingController: "example.com/scheduler",
  reportingInstance: "scheduler-1",
  ...rest,
});

export const EVENTS = area("events", {
  "an event of the core group is seen in events.k8s.io": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(coreOf(ns), core(ns, "e")), 201, {
      apiVersion: "v1",
      kind: "Event",
    });
    expectAnswer(await c.api.get(`${eventsOf(ns)}/e`), 200, {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { uid: made.metadata.uid, resourceVersion: made.metadata.resourceVersion },
      regarding: { kind: "Pod", name: "p", fieldPath: "spec.containers{c}" },
      note: "started it",
      reason: "Started",
      type: "Normal",
      deprecatedCount: 3,
      deprecatedSource: { component: "kubelet", host: "node" },
      deprecatedFirstTimestamp: "2026-01-02T03:04:05Z",
      deprecatedLastTimestamp: "2026-01-02T03:05:05Z",
      involvedObject: ABSENT,
      message: ABSENT,
    });
  },
  "an event of events.k8s.io is seen in the core group, with its series": async (c) => {
    const ns = await c.namespace();
    expectAnswer(
      await c.api.post(eventsOf(ns), modern(ns, "e", { series: { count: 2, lastObservedTime: AT } })),
      201,
      { apiVersion: "events.k8s.io/v1" },
    );
    expectAnswer(await c.api.get(`${coreOf(ns)}/e`), 200, {
      apiVersion: "v1",
      involvedObject: { kind: "Pod", name: "p" },
      message: "put it somewhere",
      eventTime: AT,
      action: "Binding",
      reportingComponent: "example.com/scheduler",
      reportingInstance: "scheduler-1",
      series: { count: 2, lastObservedTime: AT },
    });
    expectAnswer(
      await c.api.patch(`${eventsOf(ns)}/e`, "merge", { series: { count: 7, lastObservedTime: AT } }),
      200,
      { series: { count: 7 } },
    );
  },
  "an event of events.k8s.io must be whole": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[object, string]> = [
      [{ eventTime: null }, "eventTime: Required value"],
      [{ reportingController: "" }, "reportingController: Required value"],
      [{ reportingInstance: "" }, "reportingInstance: Required value"],
      [{ action: "" }, "action: Required value"],
      [{ reason: "" }, "reason: Required value"],
      [{ type: "Odd" }, 'type: Invalid value: "": has invalid value: Odd'],
      [
        { series: { count: 1, lastObservedTime: AT } },
        'series.count: Invalid value: "": should be at least 2',
      ],
    ];
    for (const [change, message] of rows) {
      const answer = await c.api.post(eventsOf(ns), modern(ns, "bad", change));
      expectRefusal(
        answer,
        422,
        { reason: "Invalid", message: (text: string) => text.includes(message) } as never,
      );
    }
  },
  "an event of events.k8s.io changes only its series": async (c) => {
    const ns = await c.namespace();
    await c.api.post(eventsOf(ns), modern(ns, "e"));
    expectRefusal(await c.api.patch(`${eventsOf(ns)}/e`, "merge", { note: "another" }), 422, {
      reason: "Invalid",
      message:
        /^Event(\.events\.k8s\.io)? "e" is invalid: (message|note): Invalid value: "another": field is immutable$/,
    });
  },
  "an event is about an object of its namespace": async (c) => {
    const ns = await c.namespace();
    const other = core(ns, "e", { involvedObject: { kind: "Pod", name: "p", namespace: "elsewhere" } });
    expectRefusal(await c.api.post(coreOf(ns), other), 422, {
      reason: "Invalid",
      message: /involvedObject\.namespace: Invalid value: "elsewhere": does not match event\.namespace/,
    });
  },
  "events are selected by what they are about": async (c) => {
    const ns = await c.namespace();
    await c.api.post(coreOf(ns), core(ns, "a"));
    await c.api.post(coreOf(ns), core(ns, "b", { type: "Warning", reason: "Failed" }));
    await c.api.post(
      coreOf(ns),
      core(ns, "c", {
        involvedObject: { kind: "ConfigMap", namespace: ns, name: "q" },
        source: { component: "x" },
      }),
    );
    const rows: Array<[string, string]> = [
      ["involvedObject.kind=Pod", "a b"],
      ["involvedObject.name=q", "c"],
      ["involvedObject.uid=u1", "a b"],
      [`involvedObject.namespace=${ns},type=Warning`, "b"],
      ["involvedObject.fieldPath=spec.containers{c}", "a b"],
      ["reason=Failed", "b"],
      ["reason!=Failed", "a c"],
      ["source=x", "c"],
      ["involvedObject.apiVersion=v1", "a b"],
      ["reportingComponent=", "a b c"],
    ];
    for (const [fieldSelector, names] of rows) {
      const list = expectAnswer(await c.api.get(coreOf(ns), { fieldSelector }), 200);
      assert.equal(namesOf(list).join(" "), names, fieldSelector);
    }
    const regarding = expectAnswer(
      await c.api.get(eventsOf(ns), { fieldSelector: "regarding.kind=ConfigMap" }),
      200,
    );
    assert.deepEqual(namesOf(regarding), ["c"]);
  },
});
