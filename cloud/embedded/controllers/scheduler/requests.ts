import type { Pod } from "../../../../common/api/core_v1.ts";
import { parseQuantity } from "../../../../common/api/quantity.ts";

/** Amounts by resource name, in base units: cores, bytes. */
export type Amounts = Map<string, number>;

/** A port of the host that a pod wants for itself. */
export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

const ANY_ADDRESS = "0.0.0.0";

function add(to: Amounts, amounts: ReadonlyMap<string, number>): void {
  for (const [name, amount] of amounts) to.set(name, (to.get(name) ?? 0) + amount);
}

function raise(to: Amounts, amounts: ReadonlyMap<string, number>): void {
  for (const [name, amount] of amounts) to.set(name, Math.max(to.get(name) ?? 0, amount));
}

/** A list of resources as numbers; what is no quantity counts as nothing. */
export function amountsOf(list: Readonly<Record<string, unknown>> | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text) ?? 0]));
}

/**
 * What a pod needs of a node: its containers together, or its largest init step if that is more, and its overhead.
 * Upstream: k8s.io/component-helpers/resource/helpers.go (PodRequests) @ v0.32
 */
export function podRequests(pod: Pod): ReadonlyMap<string, number> {
  let requests = known.get(pod);
  if (requests === undefined) known.set(pod, requests = computeRequests(pod));
  return requests;
}

/** Reading quantities costs more than all else the scheduler does, and the objects of an informer never change. */
const known = new WeakMap<Pod, Amounts>();

function computeRequests({ spec }: Pod): Amounts {
  const requests = (container: { resources?: { requests?: Record<string, unknown> } }) =>
    amountsOf(container.resources?.requests);
  const total: Amounts = new Map();
  for (const container of spec?.containers ?? []) add(total, requests(container));
  const sidecars: Amounts = new Map();
  const largestInit: Amounts = new Map();
  for (const container of spec?.initContainers ?? []) {
    const own = requests(container);
    if (container.restartPolicy === "Always") {
      add(sidecars, own);
      raise(largestInit, sidecars);
    } else {
      add(own, sidecars);
      raise(largestInit, own);
    }
  }
  add(total, sidecars);
  raise(total, largestInit);
  add(total, amountsOf(spec?.overhead));
  return total;
}

/** The host ports a pod wants. */
export function hostPorts({ spec }: Pod): HostPort[] {
  return [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []).filter((c) => c.restartPolicy === "Always"),
  ]
    .flatMap(({ ports = [] }) => ports)
    .map(({ hostIP, protocol, hostPort, containerPort }) => ({
      ip: hostIP || ANY_ADDRESS,
      protocol: protocol ?? "TCP",
      port: hostPort ?? (spec?.hostNetwork ? containerPort : 0),
    }))
    .filter(({ port }) => port > 0);
}

/** Whether two pods cannot both have the ports. */
export function portsConflict(a: readonly HostPort[], b: readonly HostPort[]): boolean {
  return a.some((x) =>
    b.some((y) =>
      x.port === y.port && x.protocol === y.protocol &&
      (x.ip === y.ip || x.ip === ANY_ADDRESS || y.ip === ANY_ADDRESS)
    )
  );
}
