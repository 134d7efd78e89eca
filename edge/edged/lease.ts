import type { Lease } from "../../common/api/coordination_v1.ts";
import { isConflict, isNotFound } from "../../common/errors/mod.ts";
import type { KubeApi } from "./kube_api.ts";

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;

/**
 * Keeps the node's lease: read, made when it is not there, then renewed with the object last answered.
 * Upstream: k8s.io/component-helpers apimachinery/lease/controller.go @ v1.32
 */
export class LeaseKeeper {
  /** How long the cloud takes the node for alive after a renewal. */
  static readonly durationMs = LEASE_SECONDS * 1000;
  /** Pause between renewals. */
  static readonly renewMs = LeaseKeeper.durationMs / 4;

  readonly #name: string;
  readonly #api: Pick<KubeApi, "getLease" | "createLease" | "updateLease">;
  #lease: Lease | undefined;

  constructor(nodeName: string, api: Pick<KubeApi, "getLease" | "createLease" | "updateLease">) {
    this.#name = nodeName;
    this.#api = api;
  }

  /** Begins anew with reading the lease. */
  forget(): void {
    this.#lease = undefined;
  }

  /** @param nodeUid the node that owns the lease; without it a lease is renewed but not made */
  async renew(nodeUid: string | undefined, now: number): Promise<void> {
    try {
      this.#lease ??= await this.#api.getLease(this.#name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (nodeUid !== undefined) this.#lease = await this.#api.createLease(this.#fresh({}, nodeUid, now));
      return;
    }
    try {
      this.#lease = await this.#api.updateLease(this.#fresh(this.#lease, nodeUid, now));
    } catch (error) {
      // Somebody else wrote it, or removed it: it is read again next time.
      if (isConflict(error) || isNotFound(error)) this.#lease = undefined;
      throw error;
    }
  }

  #fresh(lease: Lease, nodeUid: string | undefined, now: number): Lease {
    const metadata = { ...lease.metadata, name: this.#name, namespace: LEASE_NAMESPACE };
    if (nodeUid !== undefined) {
      metadata.ownerReferences = [{ apiVersion: "v1", kind: "Node", name: this.#name, uid: nodeUid }];
    }
    return {
      ...lease,
      metadata,
      spec: {
        ...lease.spec,
        holderIdentity: this.#name,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: printRenewTime(now, lease.spec?.renewTime),
      },
    };
  }
}

/**
 * The time of a renewal, in microseconds as the API wants it. It is always later than the last: the cloud takes a lease for
 * renewed only then, and would give up a node whose clock was set back.
 * Upstream: k8s.io/kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go (tryUpdateNodeHealth) @ v1.32
 */
function printRenewTime(now: number, last: string | undefined): string {
  const lastMs = Date.parse(last ?? "");
  const ms = Number.isNaN(lastMs) ? now : Math.max(now, lastMs + 1);
  return new Date(ms).toISOString().replace("Z", "000Z");
}
