/**
 * Counters, gauges and histograms, and their text in Prometheus' exposition format 0.0.4.
 * Samples are plain data, so that compartments can hand them to the one that serves `/metrics`.
 * @module
 */

/** Label names to values. */
export type Labels = Readonly<Record<string, string>>;

/** One metric with all its samples, as plain data. */
export interface MetricFamily {
  name: string;
  help: string;
  type: "counter" | "gauge" | "histogram";
  samples: Array<{ suffix: string; labels: Labels; value: number }>;
}

/** A number that only grows. */
export interface Counter {
  inc(by?: number, labels?: Labels): void;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number, labels?: Labels): void;
  inc(by?: number, labels?: Labels): void;
}

/** How often a value fell into each bucket. */
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** Series one metric may have; further label sets are counted under the label value "other". */
const MAX_SERIES = 2000;

/** Makes metrics and collects them. */
export class MetricsRegistry {
  #collectors = new Map<string, () => MetricFamily>();

  /** @throws {TypeError} when the name is taken or malformed */
  counter(name: string, help: string): Counter {
    const series = new Series();
    this.#add(name, () => ({ name, help, type: "counter", samples: series.samples() }));
    return { inc: (by = 1, labels = {}) => series.add(labels, by) };
  }

  /** A gauge; with `read` its value is taken when it is collected. */
  gauge(name: string, help: string, read?: () => number): Gauge {
    const series = new Series();
    this.#add(name, () => {
      if (read !== undefined) series.set({}, read());
      return { name, help, type: "gauge", samples: series.samples() };
    });
    return {
      set: (value, labels = {}) => series.set(labels, value),
      inc: (by = 1, labels = {}) => series.add(labels, by),
    };
  }

  /** @param buckets upper bounds, ascending, without infinity */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const rows = new Map<string, { labels: Labels; counts: number[]; sum: number }>();
    this.#add(name, () => {
      const samples: MetricFamily["samples"] = [];
      for (const { labels, counts, sum } of rows.values()) {
        let total = 0;
        counts.forEach((count, i) => {
          total += count;
          samples.push({
            suffix: "_bucket",
            labels: { ...labels, le: String(buckets[i] ?? "+Inf") },
            value: total,
          });
        });
        samples.push({ suffix: "_sum", labels, value: sum }, { suffix: "_count", labels, value: total });
      }
      return { name, help, type: "histogram", samples };
    });
    return {
      observe: (value, labels = {}) => {
        const key = JSON.stringify(labels);
        let row = rows.get(key);
        if (row === undefined) {
          if (rows.size >= MAX_SERIES) return;
          rows.set(key, row = { labels, counts: new Array(buckets.length + 1).fill(0), sum: 0 });
        }
        const at = buckets.findIndex((bound) => value <= bound);
        row.counts[at < 0 ? buckets.length : at]!++;
        row.sum += value;
      },
    };
  }

  /** All metrics now. */
  collect(): MetricFamily[] {
    return [...this.#collectors.values()].map((collect) => collect());
  }

  #add(name: string, collect: () => MetricFamily): void {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) {
      throw new TypeError(`Cannot make metric ${name}: the name is malformed`);
    }
    if (this.#collectors.has(name)) throw new TypeError(`Cannot make metric ${name}: it exists already`);
    this.#collectors.set(name, collect);
  }
}

class Series {
  #rows = new Map<string, { labels: Labels; value: number }>();

  set(labels: Labels, value: number): void {
    this.#row(labels).value = value;
  }

  add(labels: Labels, by: number): void {
    this.#row(labels).value += by;
  }

  samples(): MetricFamily["samples"] {
    return [...this.#rows.values()].map(({ labels, value }) => ({ suffix: "", labels, value }));
  }

  #row(labels: Labels): { labels: Labels; value: number } {
    let key = JSON.stringify(labels);
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= MAX_SERIES) {
        labels = Object.fromEntries(Object.keys(labels).map((name) => [name, "other"]));
        key = JSON.stringify(labels);
        row = this.#rows.get(key);
      }
      if (row === undefined) this.#rows.set(key, row = { labels, value: 0 });
    }
    return row;
  }
}

const escapeLabel = (value: string) =>
  value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");

/** Metrics as Prometheus reads them; families of one name (from several compartments) are joined. */
export function printMetrics(families: readonly MetricFamily[]): string {
  const byName = new Map<string, MetricFamily>();
  for (const family of families) {
    const seen = byName.get(family.name);
    if (seen === undefined) byName.set(family.name, { ...family, samples: [...family.samples] });
    else seen.samples.push(...family.samples);
  }
  let text = "";
  for (const { name, help, type, samples } of byName.values()) {
    text += `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${name} ${type}\n`;
    for (const { suffix, labels, value } of samples) {
      const list = Object.entries(labels).map(([k, v]) => `${k}="${escapeLabel(v)}"`).join(",");
      text += `${name}${suffix}${list === "" ? "" : `{${list}}`} ${value}\n`;
    }
  }
  return text;
}
