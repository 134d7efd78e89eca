import type { Endpoints, Node, Pod, Service } from "../../../../common/api/core_v1.ts";
import type { EndpointSlice } from "../../../../common/api/discovery_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { isAlreadyExists, isNotFound } from "../../../../common/errors/mod.ts";
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  equalJson,
  type Informer,
  type KubeWriter,
  type WorkQueue,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents, splitKey } from "../controller.ts";
import { Expectations } from "../replicaset/expectations.ts";
import { backendsOf, hasSelector, selectsPod } from "./backends.ts";
import { HEADLESS_LABEL, MANAGED_LABEL, MANAGER, planSlices, SERVICE_LABEL } from "./slices.ts";
import { subsetsOf } from "./subsets.ts";

/** What the controllers of endpoints work with. */
export interface EndpointsComponents extends LoopComponents {
  kube: Pick<KubeWriter, "create" | "update" | "delete">;
  services: Informer<Service>;
  pods: Informer<Pod>;
  nodes: Informer<Node>;
  endpoints: Informer<Endpoints>;
  slices: Informer<EndpointSlice>;
}

const MANAGED_ENDPOINTS_LABEL = "endpoints.kubernetes.io/managed-by";
const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";

/** Adds the services that a change may concern. */
function watchServices({ services, pods }: EndpointsComponents, queue: WorkQueue): Array<() => void> {
  return [
    services.subscribe(({ object }) => queue.add(keyOf(object))),
    pods.subscribe((event) => {
      const states = event.type === "updated" ? [event.object, event.old] : [event.object];
      for (const service of services.list(event.object.metadata?.namespace)) {
        if (hasSelector(service) && states.some((pod) => selectsPod(service, pod))) queue.add(keyOf(service));
      }
    }),
  ];
}

/**
 * Keeps an Endpoints object for every service with a selector.
 * Upstream: k8s.io/kubernetes pkg/controller/endpoint/endpoints_controller.go @ v1.33
 */
export function endpointsController(components: EndpointsComponents): Controller {
  const { services, endpoints, kube } = components;
  return controller(components, {
    name: "endpoints",
    watch: (queue) => [
      ...watchServices(components, queue),
      endpoints.subscribe(({ type, object }) => {
        const orphan = object.metadata?.labels?.[MANAGED_ENDPOINTS_LABEL] !== undefined &&
          services.get(keyOf(object)) === undefined;
        if (type === "deleted" || orphan) queue.add(keyOf(object));
      }),
    ],
    reconcile: async (key, { signal }) => {
      const service = services.get(key);
      const current = endpoints.get(key);
      if (service === undefined) {
        if (current === undefined) return;
        await ignoreGone(() => kube.delete(ENDPOINTS, splitKey(key), {}, { signal }));
        return;
      }
      if (!hasSelector(service) || service.metadata?.deletionTimestamp !== undefined) return;
      const wanted = endpointsOf(components, service);
      if (current === undefined) {
        try {
          await kube.create(ENDPOINTS, wanted, { signal });
        } catch (error) {
          if (!isAlreadyExists(error)) throw error;
        }
        return;
      }
      const same = equalJson(current.subsets ?? [], wanted.subsets ?? []) &&
        equalJson(current.metadata?.labels, wanted.metadata?.labels) &&
        current.metadata?.annotations?.[OVER_CAPACITY] === wanted.metadata?.annotations?.[OVER_CAPACITY];
      if (same) return;
      const { [OVER_CAPACITY]: _over, ...annotations } = current.metadata?.annotations ?? {};
      Object.assign(annotations, wanted.metadata?.annotations);
      const { annotations: _old, ...others } = current.metadata ?? {};
      const metadata = {
        ...others,
        labels: wanted.metadata?.labels,
        ...(Object.keys(annotations).length > 0 && { annotations }),
      };
      await kube.update(ENDPOINTS, { ...wanted, metadata } as Endpoints, { signal });
    },
  });
}

function endpointsOf({ pods, nodes }: EndpointsComponents, service: Service): Endpoints {
  const { name = "", namespace = "", labels } = service.metadata ?? {};
  const headless = service.spec?.clusterIP === "None";
  const around = pods.list(namespace).filter((pod) => selectsPod(service, pod));
  const { subsets, truncated } = subsetsOf(backendsOf(service, around, (node) => nodes.get(node)), {
    publishing: service.spec?.publishNotReadyAddresses === true,
    headless: headless && (service.spec?.ports ?? []).length === 0,
  });
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name,
      namespace,
      labels: {
        ...labels,
        [MANAGED_ENDPOINTS_LABEL]: "endpoint-controller",
        ...(headless && { [HEADLESS_LABEL]: "" }),
      },
      ...(truncated && { annotations: { [OVER_CAPACITY]: "truncated" } }),
    },
    ...(subsets.length > 0 && { subsets }),
  };
}

/**
 * Keeps the EndpointSlices of every service with a selector; those of a deleted service go with it, as it owns them.
 * Upstream: k8s.io/kubernetes pkg/controller/endpointslice/endpointslice_controller.go @ v1.33
 */
export function endpointSliceController(components: EndpointsComponents): Controller {
  const { services, slices, pods, nodes, kube, clock } = components;
  const expectations = new Expectations();
  const mine = ({ metadata }: EndpointSlice) => metadata?.labels?.[MANAGED_LABEL] === MANAGER;
  return controller(components, {
    name: "endpointslice",
    watch: (queue) => [
      ...watchServices(components, queue),
      slices.subscribe(({ object }) => {
        const service = object.metadata?.labels?.[SERVICE_LABEL];
        if (!mine(object) || service === undefined) return;
        const key = `${object.metadata?.namespace}/${service}`;
        expectations.observed(key, object.metadata?.uid ?? "");
        queue.add(key);
      }),
      nodes.subscribe((event) => {
        const zone = (node: Node) => node.metadata?.labels?.["topology.kubernetes.io/zone"];
        if (event.type === "updated" && zone(event.old) === zone(event.object)) return;
        for (const pod of pods.list()) {
          if (pod.spec?.nodeName !== event.object.metadata?.name) continue;
          for (const service of services.list(pod.metadata?.namespace)) {
            if (hasSelector(service) && selectsPod(service, pod)) queue.add(keyOf(service));
          }
        }
      }),
    ],
    reconcile: async (key, { signal }) => {
      const service = services.get(key);
      if (service === undefined || service.metadata?.deletionTimestamp !== undefined) return undefined;
      if (!hasSelector(service)) return undefined;
      const waitMs = expectations.pendingMs(key, clock.now());
      if (waitMs > 0) return { afterMs: waitMs };
      const namespace = service.metadata?.namespace ?? "";
      const around = pods.list(namespace).filter((pod) => selectsPod(service, pod));
      const existing = slices.list(namespace).filter((slice) =>
        mine(slice) && slice.metadata?.labels?.[SERVICE_LABEL] === service.metadata?.name &&
        slice.metadata?.deletionTimestamp === undefined
      );
      const plan = planSlices(service, backendsOf(service, around, (node) => nodes.get(node)), existing);
      for (const slice of plan.update) await kube.update(ENDPOINT_SLICES, slice, { signal });
      for (const { metadata } of plan.delete) {
        const ref = { name: metadata?.name ?? "", namespace };
        await ignoreGone(() => kube.delete(ENDPOINT_SLICES, ref, {}, { signal }));
      }
      for (const slice of plan.create) {
        const made = await kube.create(ENDPOINT_SLICES, slice, { signal });
        const uid = made.metadata?.uid ?? "";
        // A look that does not see the slice yet would make another.
        if (slices.get(keyOf(made)) === undefined) expectations.expect(key, uid, clock.now());
      }
      return undefined;
    },
  });
}

async function ignoreGone(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
