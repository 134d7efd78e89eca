import type { Counter, Gauge, Histogram, MetricsRegistry } from "../../../common/metrics/mod.ts";
import type { Registry } from "../registry.ts";
import { qualifiedResource } from "../resources/errors.ts";
import type { Attributes } from "../auth/rules.ts";

/** Upper bounds, seconds. Upstream: k8s.io/apiserver pkg/endpoints/metrics/metrics.go (requestLatencies) @ v0.33 */
const LATENCIES = [
  0.005,
  0.025,
  0.05,
  0.1,
  0.2,
  0.4,
  0.6,
  0.8,
  1,
  1.25,
  1.5,
  2,
  3,
  4,
  5,
  6,
  8,
  10,
  15,
  20,
  30,
  45,
  60,
];
const READ_ONLY: ReadonlySet<string> = new Set(["get", "list", "watch"]);

/** A request whose answer is counted. */
export interface CountedRequest {
  attributes: Attributes;
  version: string;
  code: number;
  seconds: number;
}

/** What is measured of the API server, under the names of the real one. */
export class RequestMetrics {
  readonly #requests: Counter;
  readonly #durations: Histogram;
  readonly #inflight: Gauge;
  readonly #objects: Gauge;
  readonly #process: Gauge;

  constructor(metrics: MetricsRegistry, startedAt: number) {
    this.#requests = metrics.counter(
      "apiserver_request_total",
      "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.",
    );
    this.#durations = metrics.histogram(
      "apiserver_request_duration_seconds",
      "Response latency distribution in seconds for each verb, group, version, resource, subresource, scope and component.",
      LATENCIES,
    );
    this.#inflight = metrics.gauge(
      "apiserver_current_inflight_requests",
      "Number of currently used inflight request limit of this apiserver per request kind.",
    );
    this.#objects = metrics.gauge(
      "apiserver_storage_objects",
      "Number of stored objects split by kind.",
    );
    this.#process = metrics.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
    metrics.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
      .set(startedAt / 1000);
    for (const kind of ["readOnly", "mutating"]) this.#inflight.set(0, { request_kind: kind });
  }

  /** A request begins; the result is to be called when it has an answer. */
  begin({ verb }: Attributes): () => void {
    const labels = { request_kind: READ_ONLY.has(verb) ? "readOnly" : "mutating" };
    this.#inflight.inc(1, labels);
    return () => this.#inflight.inc(-1, labels);
  }

  /** Counts an answer. */
  count({ attributes, version, code, seconds }: CountedRequest): void {
    const verb = attributes.verb === "deletecollection" ? "DELETECOLLECTION" : attributes.verb.toUpperCase();
    const labels = attributes.kind === "path"
      ? {
        verb,
        group: "",
        version: "",
        resource: "",
        subresource: attributes.path,
        scope: "",
        component: "apiserver",
      }
      : {
        verb,
        group: attributes.group,
        version,
        resource: attributes.resource,
        subresource: attributes.subresource ?? "",
        scope: attributes.name !== undefined
          ? "resource"
          : attributes.namespace !== undefined
          ? "namespace"
          : "cluster",
        component: "apiserver",
      };
    this.#requests.inc(1, { ...labels, code: String(code) });
    // A watch lasts as long as its client likes.
    if (verb !== "WATCH") this.#durations.observe(seconds, labels);
  }

  /** Takes what is measured only when it is asked for. */
  refresh(registry: Registry): void {
    for (const definition of registry.table.stored()) {
      this.#objects.set(registry.cache(definition).size, { resource: qualifiedResource(definition) });
    }
    this.#process.set(Deno.memoryUsage().rss);
  }
}
