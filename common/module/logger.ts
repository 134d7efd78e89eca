import { errorText } from "../errors/mod.ts";
import { writeErr } from "../output/mod.ts";

/** What is written beside a message: names to values. Values under secret names are never printed. */
export type LogFields = Readonly<Record<string, unknown>>;

/** How much it matters. Lines below the logger's level are not made. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Where a module tells what happened: a constant message and key–value pairs. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  /** An error is logged once, where it is handled. */
  error(message: string, error: unknown, fields?: LogFields): void;
  /** A logger for a part, with fields of its own in every line. */
  child(name: string, fields?: LogFields): Logger;
}

/** One line before it is printed. */
export interface LogRecord {
  /** Unix milliseconds. */
  time: number;
  level: LogLevel;
  /** Dotted name of the logger: "cloudhub", "edged.docker". */
  name: string;
  message: string;
  fields: LogFields;
}

/** What a logger is made of. */
export interface LoggerOptions {
  /** @default "info" */
  level?: LogLevel;
  /** @default text like klog's */
  format?: "text" | "json";
  /** Takes a finished line with its newline; false where it was not taken. @default standard error */
  write?: (line: string) => unknown;
  /** @default Date.now */
  now?: () => number;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warning: 2, error: 3 };
const LETTER: Readonly<Record<LogLevel, string>> = { debug: "D", info: "I", warning: "W", error: "E" };

/** A logger. Lines that cannot be written are no reason to stop working: how many there were is told when they can be again. */
export function createLogger(name: string, options: LoggerOptions = {}): Logger {
  const { level = "info", format = "text", write = writeErr, now = Date.now } = options;
  const print = format === "json" ? printJson : printText;
  let lost = 0;
  const put = (record: LogRecord) => {
    if (lost > 0) {
      const { time, name } = record;
      const told = {
        time,
        level: "warning",
        name,
        message: "Could not write log lines",
        fields: { lost },
      } as const;
      if (write(print(told)) !== false) lost = 0;
    }
    if (write(print(record)) === false) lost++;
  };
  const make = (name: string, bound: LogFields): Logger => {
    const log = (at: LogLevel, message: string, fields: LogFields = {}) => {
      if (RANK[at] < RANK[level]) return;
      put({ time: now(), level: at, name, message, fields: { ...bound, ...fields } });
    };
    return {
      debug: (message, fields) => log("debug", message, fields),
      info: (message, fields) => log("info", message, fields),
      warning: (message, fields) => log("warning", message, fields),
      error: (message, error, fields) => log("error", message, { ...fields, err: errorText(error) }),
      child: (part, fields = {}) => make(part, { ...bound, ...fields }),
    };
  };
  return make(name, {});
}

/** A logger that keeps nothing: the default where a caller gives none. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
  child: () => silentLogger,
};

const SECRET_NAME = /token|secret|passw|credential|authorization|private.?key|cookie/i;
const SECRET_TEXT =
  /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|\bBearer\s+[\w.~+/-]+=*/g;

/** A value fit to be printed: secrets replaced, text cut to a bound. */
function redact(name: string, value: unknown): unknown {
  if (SECRET_NAME.test(name) && (typeof value === "string" || typeof value === "object")) return "REDACTED";
  if (value instanceof Error) return redactText(errorText(value));
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  return redactText(
    JSON.stringify(
      value,
      (key, v) => key !== "" && SECRET_NAME.test(key) && typeof v === "string" ? "REDACTED" : v,
    ),
  );
}

const MAX_TEXT_CHARS = 4096;

function redactText(text: string): string {
  // What would be cut anyway is not searched: the search may take the square of the length.
  const safe = text.slice(0, 2 * MAX_TEXT_CHARS).replace(SECRET_TEXT, "REDACTED");
  return safe.length > MAX_TEXT_CHARS ? `${safe.slice(0, MAX_TEXT_CHARS)}…` : safe;
}

/** What terminals obey or do not show, and JSON leaves as it is: C1 controls, separators of lines, directions of writing. */
const UNSEEN = /[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A value as JSON in which everything is seen. */
function printValue(value: unknown): string {
  return JSON.stringify(value).replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A record as klog writes it: `I1120 16:08:01.123456   12345 edgehub] "Connected" node="edge-1"`. */
export function printText({ time, level, name, message, fields }: LogRecord): string {
  const at = new Date(time);
  const two = (n: number) => String(n).padStart(2, "0");
  const stamp = `${two(at.getMonth() + 1)}${two(at.getDate())} ${two(at.getHours())}:${
    two(at.getMinutes())
  }:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}000`;
  let line = `${LETTER[level]}${stamp} ${String(Deno.pid).padStart(7)} ${name}] ${
    printValue(redactText(message))
  }`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const safe = redact(key, value);
    line += ` ${key}=${typeof safe === "string" ? printValue(safe) : String(safe)}`;
  }
  return line + "\n";
}

/** A record as one line of JSON. */
export function printJson({ time, level, name, message, fields }: LogRecord): string {
  const safe = Object.fromEntries(
    Object.entries(fields).filter(([, v]) => v !== undefined).map(([k, v]) => [k, redact(k, v)]),
  );
  return printValue({
    ts: new Date(time).toISOString(),
    level,
    logger: name,
    msg: redactText(message),
    ...safe,
  }) + "\n";
}
