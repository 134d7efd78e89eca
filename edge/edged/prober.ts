import type { Container, Probe } from "../../common/api/core_v1.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { RecordEvent } from "./events.ts";
import type { RunHandler } from "./handlers.ts";
import type { CheckedPod } from "./parse_pod.ts";
import type { ContainerRuntimeStatus } from "./runtime/types.ts";
import type { Timers } from "./timers.ts";

export type ProbeKind = "startup" | "liveness" | "readiness";

/** What a probe has come to say of a container. */
export interface ProbeState {
  /** The verdict in force. */
  passed: boolean;
  /** Whether it ever came to a verdict of its own. */
  decided: boolean;
  /** Results of the same kind in a row. */
  run: { ok: boolean; count: number };
}

/** Before the first result: alive, but neither ready nor started. */
export const initialProbeState = (kind: ProbeKind): ProbeState => ({
  passed: kind === "liveness",
  decided: false,
  run: { ok: false, count: 0 },
});

/**
 * The state after one more result: the verdict changes once as many results in a row say so as the thresholds ask for.
 * Upstream: kubelet pkg/kubelet/prober/worker.go (doProbe) @ v1.32
 */
export function nextProbeState(state: ProbeState, ok: boolean, probe: Probe): ProbeState {
  const run = { ok, count: state.run.ok === ok ? state.run.count + 1 : 1 };
  const threshold = ok ? probe.successThreshold || 1 : probe.failureThreshold || 3;
  return run.count < threshold ? { ...state, run } : { passed: ok, decided: true, run };
}

/** What a prober is made of. */
export interface ProberComponents {
  runHandler: RunHandler;
  timers: Timers;
  clock: Clock;
  log: Logger;
  event: RecordEvent;
  /** A verdict changed. */
  onChange: () => void;
  signal: AbortSignal;
}

interface Watched {
  container: Container;
  status: ContainerRuntimeStatus;
  podIP: string;
  states: Map<ProbeKind, ProbeState>;
  stop: AbortController;
}

const FIELD = { startup: "startupProbe", liveness: "livenessProbe", readiness: "readinessProbe" } as const;

/** Runs the probes of one pod's containers. */
export class Prober {
  readonly #components: ProberComponents;
  readonly #watched = new Map<string, Watched>();

  constructor(components: ProberComponents) {
    this.#components = components;
  }

  /** Probes exactly these running containers from now on. */
  sync(pod: CheckedPod, running: readonly ContainerRuntimeStatus[], podIP: string): void {
    const ids = new Set(running.map(({ id }) => id));
    for (const [id, watched] of this.#watched) {
      if (!ids.has(id)) {
        watched.stop.abort();
        this.#watched.delete(id);
      }
    }
    for (const status of running) {
      const seen = this.#watched.get(status.id);
      if (seen !== undefined) {
        seen.podIP = podIP;
        continue;
      }
      const container = [...pod.spec.initContainers ?? [], ...pod.spec.containers]
        .find(({ name }) => name === status.name);
      if (container === undefined) continue;
      const watched: Watched = { container, status, podIP, states: new Map(), stop: new AbortController() };
      this.#watched.set(status.id, watched);
      for (const kind of ["startup", "liveness", "readiness"] as const) {
        if (container[FIELD[kind]] !== undefined) watched.states.set(kind, initialProbeState(kind));
      }
      if (watched.states.has("startup")) {
        this.#schedule(watched, "startup", this.#firstAt(watched, "startup"));
      } else this.#begin(watched);
    }
  }

  /** Stops all probes. */
  stop(): void {
    for (const { stop } of this.#watched.values()) stop.abort();
    this.#watched.clear();
  }

  started(id: string): boolean {
    return this.#watched.get(id)?.states.get("startup")?.passed ?? true;
  }

  ready(id: string): boolean {
    return this.started(id) && (this.#watched.get(id)?.states.get("readiness")?.passed ?? true);
  }

  /** Why the container must be started anew; undefined when it need not. */
  unhealthy(id: string): { reason: string; graceSeconds?: number } | undefined {
    const watched = this.#watched.get(id);
    for (const kind of ["startup", "liveness"] as const) {
      const state = watched?.states.get(kind);
      if (watched === undefined || state === undefined || !state.decided || state.passed) continue;
      const grace = watched.container[FIELD[kind]]?.terminationGracePeriodSeconds;
      const reason = `Container ${watched.container.name} failed ${kind} probe, will be restarted`;
      return grace === undefined ? { reason } : { reason, graceSeconds: grace };
    }
    return undefined;
  }

  #begin(watched: Watched): void {
    for (const kind of ["liveness", "readiness"] as const) {
      if (watched.states.has(kind)) this.#schedule(watched, kind, this.#firstAt(watched, kind));
    }
  }

  #firstAt({ container, status }: Watched, kind: ProbeKind): number {
    const delayMs = (container[FIELD[kind]]?.initialDelaySeconds ?? 0) * 1000;
    const now = this.#components.clock.now();
    // A start that lies ahead was before the clock was set back.
    return Math.max(now, Math.min(now, status.startedAt ?? status.createdAt) + delayMs);
  }

  #schedule(watched: Watched, kind: ProbeKind, at: number): void {
    if (watched.stop.signal.aborted || this.#components.signal.aborted) return;
    const cancel = this.#components.timers.at(at, () => {
      watched.stop.signal.removeEventListener("abort", cancel);
      // The handler never rejects, and what follows it does not throw.
      void this.#probe(watched, kind);
    });
    watched.stop.signal.addEventListener("abort", cancel, { once: true });
  }

  async #probe(watched: Watched, kind: ProbeKind): Promise<void> {
    const { runHandler, clock, log, event, onChange, signal } = this.#components;
    const { container, states, stop, status, podIP } = watched;
    const probe = container[FIELD[kind]]!;
    const begunAt = clock.now();
    const result = await runHandler(probe, {
      containerId: status.id,
      container,
      podIP,
      timeoutMs: (probe.timeoutSeconds || 1) * 1000,
      signal: AbortSignal.any([signal, stop.signal]),
    });
    if (stop.signal.aborted || signal.aborted) return;
    const title = kind.charAt(0).toUpperCase() + kind.slice(1);
    const subject = { kind: "Pod", pod: status.pod, container: container.name } as const;
    const again = () => this.#schedule(watched, kind, begunAt + (probe.periodSeconds || 10) * 1000);
    if (result.errored) {
      log.debug("Probe could not be run", { kind, ...status.pod, output: result.output.slice(0, 512) });
      event(subject, "Warning", "Unhealthy", `${title} probe errored: ${result.output}`);
      return again();
    }
    const before = states.get(kind)!;
    const after = nextProbeState(before, result.ok, probe);
    states.set(kind, after);
    const changed = after.passed !== before.passed || after.decided !== before.decided;
    if (!result.ok) {
      event(subject, "Warning", "Unhealthy", `${title} probe failed: ${result.output}`);
    }
    if (!result.ok && (changed || after.run.count === 1)) {
      const { namespace, name } = status.pod;
      log.info("Probe failed", {
        kind,
        namespace,
        pod: name,
        container: container.name,
        output: result.output.slice(0, 512),
      });
    }
    // A container that failed for good is not asked again: it is about to be replaced.
    const over = after.decided && (kind === "startup" || (kind === "liveness" && !after.passed));
    if (!over) again();
    else if (kind === "startup" && after.passed) this.#begin(watched);
    if (changed) onChange();
  }
}
