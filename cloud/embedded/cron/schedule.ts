/** A schedule of CronJobs, parsed. */
export type Schedule =
  | { kind: "fields"; fields: CronFields }
  /** At a fixed distance. */
  | { kind: "every"; ms: number };

/** The values at which a schedule fires, a bit for each. */
export interface CronFields {
  minute: bigint;
  hour: bigint;
  dayOfMonth: bigint;
  month: bigint;
  dayOfWeek: bigint;
  /** Whether any day of the month, or of the week, will do: then the other one decides alone. */
  anyDayOfMonth: boolean;
  anyDayOfWeek: boolean;
}

interface Range {
  min: number;
  max: number;
  names?: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const RANGES: readonly Range[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
];

const DESCRIPTORS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** Longest text that is read as a schedule. */
const MAX_CHARS = 1000;

/**
 * Reads a schedule:
 *
 *     schedule = minute hour day-of-month month day-of-week | "@hourly" … | "@every " duration
 *     field    = item *( "," item )
 *     item     = ( "*" | "?" | value [ "-" value ] ) [ "/" step ]
 *
 * Upstream: github.com/robfig/cron/v3 parser.go (ParseStandard), messages included
 * @throws {SyntaxError} whose message says what is wrong
 */
export function parseSchedule(text: string): Schedule {
  if (text === "") throw new SyntaxError("empty spec string");
  if (text.length > MAX_CHARS) throw new SyntaxError(`longer than ${MAX_CHARS} characters`);
  if (text.startsWith("@")) return parseDescriptor(text);
  const fields = text.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== 5) {
    throw new SyntaxError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`);
  }
  const parsed = fields.map((field, i) => parseField(field, RANGES[i]!));
  const [minute, hour, dayOfMonth, month, dayOfWeek] = parsed.map(({ bits }) => bits);
  return {
    kind: "fields",
    fields: {
      minute: minute!,
      hour: hour!,
      dayOfMonth: dayOfMonth!,
      month: month!,
      dayOfWeek: dayOfWeek!,
      anyDayOfMonth: parsed[2]!.any,
      anyDayOfWeek: parsed[4]!.any,
    },
  };
}

function parseDescriptor(text: string): Schedule {
  const fields = DESCRIPTORS[text];
  if (fields !== undefined) return parseSchedule(fields);
  const every = "@every ";
  if (!text.startsWith(every)) throw new SyntaxError(`unrecognized descriptor: ${text}`);
  try {
    const ms = parseDuration(text.slice(every.length));
    return { kind: "every", ms: Math.max(1000, Math.floor(ms / 1000) * 1000) };
  } catch (error) {
    throw new SyntaxError(
      `failed to parse duration ${text}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration as Go writes it, in milliseconds. @throws {SyntaxError} */
function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)/.test(text)) {
    throw new SyntaxError(`time: invalid duration ${quoted}`);
  }
  let rest = text.replace(/^[+-]/, "");
  let ms = 0;
  while (rest !== "") {
    const [whole = "", number = "", unit = ""] = /^(\d+(?:\.\d*)?|\.\d+)([^\d.]*)/.exec(rest) ?? [];
    if (whole === "") throw new SyntaxError(`time: invalid duration ${quoted}`);
    if (unit === "") throw new SyntaxError(`time: missing unit in duration ${quoted}`);
    const factor = UNIT_MS[unit];
    if (factor === undefined) {
      throw new SyntaxError(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    }
    ms += Number(number) * factor;
    rest = rest.slice(whole.length);
  }
  if (ms > 292 * 365 * 86_400_000) throw new SyntaxError(`time: invalid duration ${quoted}`);
  return text.startsWith("-") ? -ms : ms;
}

function parseField(field: string, range: Range): { bits: bigint; any: boolean } {
  let bits = 0n;
  let any = false;
  for (const item of field.split(",").filter((part) => part !== "")) {
    const parsed = parseItem(item, range);
    bits |= parsed.bits;
    any ||= parsed.any;
  }
  return { bits, any };
}

function parseItem(item: string, { min, max, names }: Range): { bits: bigint; any: boolean } {
  const [span = "", stepText, more] = item.split("/");
  const [low = "", high, tooMany] = span.split("-");
  let start: number, end: number;
  let any = false;
  if (low === "*" || low === "?") {
    [start, end, any] = [min, max, true];
  } else {
    start = parseValue(low, names);
    if (tooMany !== undefined) throw new SyntaxError(`too many hyphens: ${item}`);
    end = high === undefined ? start : parseValue(high, names);
  }
  let step = 1;
  if (more !== undefined) throw new SyntaxError(`too many slashes: ${item}`);
  if (stepText !== undefined) {
    step = parseNumber(stepText);
    // "N/step" means "N-max/step".
    if (high === undefined && !any) end = max;
    if (step > 1) any = false;
  }
  if (start < min) throw new SyntaxError(`beginning of range (${start}) below minimum (${min}): ${item}`);
  if (end > max) throw new SyntaxError(`end of range (${end}) above maximum (${max}): ${item}`);
  if (start > end) {
    throw new SyntaxError(`beginning of range (${start}) beyond end of range (${end}): ${item}`);
  }
  if (step === 0) throw new SyntaxError(`step of range should be a positive number: ${item}`);
  let bits = 0n;
  for (let value = start; value <= end; value += step) bits |= 1n << BigInt(value);
  return { bits, any };
}

function parseValue(text: string, names: readonly string[] | undefined): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return names === MONTHS ? named + 1 : named;
  return parseNumber(text);
}

function parseNumber(text: string): number {
  if (!/^[+-]?\d{1,18}$/.test(text)) {
    throw new SyntaxError(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  const number = Number(text);
  if (number < 0) throw new SyntaxError(`negative number (${number}) not allowed: ${text}`);
  return number;
}
