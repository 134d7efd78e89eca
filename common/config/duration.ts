const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** The longest duration Go can hold, an int64 of nanoseconds, in milliseconds. */
const MAX_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of a duration as Go writes it; undefined for anything else.
 *
 * Grammar: `[+-] (number unit)+ | [+-] "0"`, number = digits with an optional fraction, unit = ns us µs ms s m h.
 * Upstream: Go's time.ParseDuration
 */
export function parseGoDuration(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return 0;
  if (rest === "" || text.length > 64) return undefined;
  let total = 0;
  while (rest !== "") {
    const part = /^(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/.exec(rest);
    if (part === null) return undefined;
    const [all, digits = "", unit = ""] = part;
    total += Number(digits) * UNIT_MS[unit]!;
    rest = rest.slice(all.length);
  }
  return total <= MAX_MS ? sign * total : undefined;
}

/** A duration as Go prints it: `4h0m0s`, `1m0s`, `1.5s`, `100ms`, `0s`. Exact to a nanosecond up to 104 days. */
export function formatGoDuration(milliseconds: number): string {
  if (milliseconds < 0) return `-${formatGoDuration(-milliseconds)}`;
  const ns = Math.round(milliseconds * 1e6);
  if (ns === 0) return "0s";
  if (ns < 1000) return `${ns}ns`;
  if (ns < 1e6) return `${fraction(ns, 1e3)}µs`;
  if (ns < 1e9) return `${fraction(ns, 1e6)}ms`;
  const hours = Math.floor(ns / 3.6e12);
  const minutes = Math.floor(ns % 3.6e12 / 6e10);
  const seconds = fraction(ns % 6e10, 1e9);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** `ns / unit` in decimal, without trailing zeros. */
function fraction(ns: number, unit: number): string {
  const places = Math.round(Math.log10(unit));
  const rest = String(ns % unit).padStart(places, "0").replace(/0+$/, "");
  return `${Math.floor(ns / unit)}${rest === "" ? "" : `.${rest}`}`;
}
