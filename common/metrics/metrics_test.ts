import assert from "node:assert/strict";
import { MetricsRegistry, printMetrics } from "./mod.ts";

Deno.test("printMetrics() writes Prometheus text", () => {
  const registry = new MetricsRegistry();
  const frames = registry.counter("frames_total", "Frames seen.");
  frames.inc();
  frames.inc(2, { dir: 'in "quoted"\n' });
  registry.gauge("depth", "Depth.", () => 7);
  const h = registry.histogram("wait_seconds", "Wait.", [0.1, 1]);
  h.observe(0.05);
  h.observe(5);
  assert.equal(
    printMetrics(registry.collect()),
    [
      "# HELP frames_total Frames seen.",
      "# TYPE frames_total counter",
      "frames_total 1",
      'frames_total{dir="in \\"quoted\\"\\n"} 2',
      "# HELP depth Depth.",
      "# TYPE depth gauge",
      "depth 7",
      "# HELP wait_seconds Wait.",
      "# TYPE wait_seconds histogram",
      'wait_seconds_bucket{le="0.1"} 1',
      'wait_seconds_bucket{le="1"} 1',
      'wait_seconds_bucket{le="+Inf"} 2',
      "wait_seconds_sum 5.05",
      "wait_seconds_count 2",
      "",
    ].join("\n"),
  );
});

Deno.test("printMetrics() joins families of one name", () => {
  const family = (labels: Record<string, string>) => ({
    name: "x_total",
    help: "X.",
    type: "counter" as const,
    samples: [{ suffix: "", labels, value: 1 }],
  });
  const text = printMetrics([family({ from: "a" }), family({ from: "b" })]);
  assert.equal(text.match(/# TYPE/g)?.length, 1);
  assert.equal(text.match(/^x_total/gm)?.length, 2);
});

Deno.test("MetricsRegistry bounds the series of a metric and refuses a name twice", () => {
  const registry = new MetricsRegistry();
  const counter = registry.counter("c_total", "C.");
  for (let i = 0; i < 5000; i++) counter.inc(1, { node: `n${i}` });
  const samples = registry.collect()[0]!.samples;
  assert.ok(samples.length <= 2001);
  assert.equal(samples.reduce((sum, s) => sum + s.value, 0), 5000);
  assert.throws(() => registry.counter("c_total", "again"), TypeError);
  assert.throws(() => registry.counter("1c", "malformed"), TypeError);
});
