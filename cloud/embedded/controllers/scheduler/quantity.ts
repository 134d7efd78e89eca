const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * The number a quantity stands for; undefined when it is none.
 *
 *     quantity = [ "+" / "-" ] ( digits [ "." *digit ] / "." digits ) ( suffix / ( "e" / "E" ) [ "+" / "-" ] digits )
 *
 * Upstream: k8s.io/apimachinery pkg/api/resource/quantity.go
 */
export function parseQuantity(text: unknown): number | undefined {
  if (typeof text === "number") return Number.isFinite(text) ? text : undefined;
  if (typeof text !== "string" || text.length > 64) return undefined;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i|)|[eE]([+-]?\d{1,3}))$/.exec(text);
  if (match === null) return undefined;
  return match[3] !== undefined ? Number(`${match[1]}e${match[3]}`) : Number(match[1]) * SUFFIXES[match[2]!]!;
}
