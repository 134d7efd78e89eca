import { StatusError } from "../errors/mod.ts";

/**
 * The one envelope in which cloud and edge, and the modules of each, talk to each other.
 *
 * In code camelCase; on the wire upstream's keys (`msg_id`, `parent_msg_id`, `resourceversion`):
 * {@linkcode parseMessage} and {@linkcode printMessage} are the only places that know both.
 * Upstream: kubeedge staging/src/github.com/kubeedge/beehive/pkg/core/model/message.go @ 16cd854
 */
export interface Message {
  header: Header;
  route: Route;
  /** A JSON value. Objects, strings that hold JSON text, and base64 strings are told apart by the message's type. */
  content: unknown;
}

/** Who a message is and what it answers. */
export interface Header {
  /** UUID v4. */
  msgId: string;
  /** The message this one answers or acknowledges. */
  parentMsgId?: string;
  /** Creation time, Unix milliseconds. */
  timestamp: number;
  /** resourceVersion of the object in the content; what an acknowledgement confirms. */
  resourceVersion?: string;
  /** Never true on the wire: a peer would take the message for a reply. */
  sync?: boolean;
  /** Kind of in-process transport; never set on the wire. */
  type?: string;
}

/** Where a message comes from and what it is about. */
export interface Route {
  /** Producing module: "edgecontroller", "edged", "websocket", "twin", … */
  source: string;
  /** Not used by anyone; kept when received. */
  destination?: string;
  /** Dispatch key at the receiver: "resource", "meta", "twin", "user", … */
  group: string;
  /** Verb: one of {@linkcode Operation}, an HTTP method or a job action. */
  operation: string;
  /** Resource path, see `resource.ts`. */
  resource: string;
}

/** The operations with a meaning of their own. Upstream: message.go (…Operation constants) */
export const Operation = {
  insert: "insert",
  delete: "delete",
  query: "query",
  update: "update",
  patch: "patch",
  upload: "upload",
  response: "response",
  error: "error",
  keepalive: "keepalive",
  connect: "connect",
} as const;

/** Content of a reply that has nothing to say but success. */
export const OK_CONTENT = "OK";

/** What {@linkcode newMessage} takes besides the route; ids and time come from outside in pure code. */
export interface NewMessageOptions {
  parentMsgId?: string;
  resourceVersion?: string;
  /** @default crypto.randomUUID() */
  msgId?: string;
  /** Unix milliseconds. @default Date.now() */
  timestamp?: number;
}

/** A message with a new id. */
export function newMessage(route: Route, content: unknown, options: NewMessageOptions = {}): Message {
  const header: Header = {
    msgId: options.msgId ?? crypto.randomUUID(),
    timestamp: options.timestamp ?? Date.now(),
  };
  if (options.parentMsgId) header.parentMsgId = options.parentMsgId;
  if (options.resourceVersion) header.resourceVersion = options.resourceVersion;
  return { header, route, content };
}

/**
 * The reply to a message: its parent is the request, source, group and resource are copied, the operation is `response`.
 * Upstream: message.go (NewRespByMessage)
 */
export function newResponse(request: Message, content: unknown, options: NewMessageOptions = {}): Message {
  const { source, group, resource } = request.route;
  return newMessage({ source, group, operation: Operation.response, resource }, content, {
    ...options,
    parentMsgId: request.header.msgId,
  });
}

/** The refusal of a message: operation `error`, the content is text. It is not an acknowledgement. */
export function newErrorResponse(request: Message, text: string, source = request.route.source): Message {
  const { group, resource } = request.route;
  return newMessage({ source, group, operation: Operation.error, resource }, text, {
    parentMsgId: request.header.msgId,
  });
}

/** Bounds on what is parsed. */
export interface ParseLimits {
  /** Longest text, in UTF-16 units. @default 33554432 (32 MiB, upstream's limit on QUIC) */
  maxChars?: number;
  /** Deepest nesting of arrays and objects. @default 200 */
  maxDepth?: number;
  /** Most values, and members of objects, in it. @default 1000000: an object that etcd takes cannot have as many */
  maxValues?: number;
  /** Longest string in header or route, in UTF-16 units. @default 8192: a Kubernetes path is at most a few names of 253 */
  maxFieldChars?: number;
}

export const DEFAULT_MAX_CHARS = 32 * 1024 * 1024;
export const DEFAULT_MAX_DEPTH = 200;
const DEFAULT_MAX_VALUES = 1_000_000;
const DEFAULT_MAX_FIELD_CHARS = 8192;

/**
 * Reads one message.
 *
 * As lenient as upstream's decoder where it is harmless: unknown keys, a missing `header` or `route`, missing strings.
 * Bytes after the first JSON value are refused, a non-object is refused.
 * @throws {StatusError} BadRequest, or RequestEntityTooLarge over the limits
 */
export function parseMessage(text: string, limits: ParseLimits = {}): Message {
  return messageFromJson(parseJson(text, limits), limits);
}

/** Reads JSON text within bounds; integers beyond 2^53 survive as raw JSON and print back unchanged. */
export function parseJson(text: string, limits: ParseLimits = {}): unknown {
  const maxChars = limits.maxChars ?? DEFAULT_MAX_CHARS;
  if (text.length > maxChars) {
    throw new StatusError(
      "RequestEntityTooLarge",
      `Cannot read a message of ${text.length} characters: the limit is ${maxChars}`,
    );
  }
  const long = scan(text, limits.maxDepth ?? DEFAULT_MAX_DEPTH, limits.maxValues ?? DEFAULT_MAX_VALUES);
  try {
    return long.length === 0 ? JSON.parse(text) : unmark(JSON.parse(mark(text, long)));
  } catch (cause) {
    throw new StatusError("BadRequest", "Cannot read the message: it is not JSON", { cause });
  }
}

declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

/** Where a number stands in a text. */
interface Span {
  start: number;
  end: number;
}

const COMMA = 0x2c;
/** From so many digits on an integer may lose some of them. */
const LONG_DIGITS = 16;
const isDigit = (c: number) => c >= 0x30 && c <= 0x39;
/** `.`, `e` and `E`: what stands beside them is part of a number that is no integer. */
const isFraction = (c: number) => c === 0x2e || c === 0x65 || c === 0x45;

/** Whether an integer prints as it was read, as 100000000000000000000 does. */
const isExact = (digits: string) => String(Number(digits)) === digits;

/**
 * Checks how deep a text is nested and how many values it has, and finds its long integers. What is made of small values takes many
 * times the memory and the time of its text.
 * @throws {StatusError} BadRequest, RequestEntityTooLarge
 */
function scan(text: string, maxDepth: number, maxValues: number): Span[] {
  const long: Span[] = [];
  let depth = 0;
  // One at the beginning of each array and object, one behind each comma.
  let values = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === COMMA || c === 0x7b || c === 0x5b) {
      if (++values > maxValues) {
        throw new StatusError(
          "RequestEntityTooLarge",
          `Cannot read the message: it has more than ${maxValues} values`,
        );
      }
      if (c !== COMMA && ++depth > maxDepth) {
        throw new StatusError(
          "BadRequest",
          `Cannot read the message: it is nested more than ${maxDepth} deep`,
        );
      }
    } else if (c === 0x7d || c === 0x5d) depth--;
    else if (isDigit(c)) {
      let end = i + 1;
      while (isDigit(text.charCodeAt(end))) end++;
      const start = text.charCodeAt(i - 1) === 0x2d ? i - 1 : i;
      // A leading zero is left to the parser, which refuses it.
      const isInteger = !isFraction(text.charCodeAt(start - 1)) && !isFraction(text.charCodeAt(end)) &&
        c !== 0x30;
      if (end - i >= LONG_DIGITS && isInteger && !isExact(text.slice(start, end))) long.push({ start, end });
      i = end - 1;
    }
  }
  return long;
}

/** Stands before the digits of a long integer; nobody outside knows it. */
const MARK = `${crypto.randomUUID().slice(0, 8)} `;

/**
 * The text with its long integers as marked strings. A reviver that is given the source of numbers would do as well, but is called
 * for every value: with one long integer among many short ones a text of some megabytes took ten seconds.
 */
function mark(text: string, long: readonly Span[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end } of long) {
    parts.push(text.slice(at, start), `"${MARK}${text.slice(start, end)}"`);
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join("");
}

/** The value with its marked strings as numbers again. @throws {SyntaxError} for one that stood where a key belongs */
function unmark(value: unknown): unknown {
  if (typeof value === "string") {
    if (!value.startsWith(MARK)) return value;
    return JSON.rawJSON(value.slice(MARK.length));
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item === "string" || typeof item === "object") value[i] = unmark(item);
    }
    return value;
  }
  for (const key in value) {
    if (key.startsWith(MARK)) throw new SyntaxError("a key is a number");
    const item: unknown = (value as Record<string, unknown>)[key];
    if (typeof item !== "string" && typeof item !== "object") continue;
    const changed = unmark(item);
    // Assigning to a key such as __proto__ would do something else.
    if (changed !== item) {
      Object.defineProperty(value, key, {
        value: changed,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return value;
}

/** A message out of parsed JSON. @throws {StatusError} BadRequest */
export function messageFromJson(
  value: unknown,
  { maxFieldChars = DEFAULT_MAX_FIELD_CHARS }: Pick<ParseLimits, "maxFieldChars"> = {},
): Message {
  const asString = (field: unknown, what: string) => readString(field, what, maxFieldChars);
  const top = asObject(value, "message");
  const h = asObject(top.header ?? {}, "header");
  const r = asObject(top.route ?? {}, "route");
  const header: Header = {
    msgId: asString(h.msg_id, "header.msg_id"),
    timestamp: asInteger(h.timestamp, "header.timestamp"),
  };
  const parent = asString(h.parent_msg_id, "header.parent_msg_id");
  if (parent !== "") header.parentMsgId = parent;
  const version = asString(h.resourceversion, "header.resourceversion");
  if (version !== "") header.resourceVersion = version;
  if (h.sync === true) header.sync = true;
  const type = asString(h.type, "header.type");
  if (type !== "") header.type = type;
  const route: Route = {
    source: asString(r.source, "route.source"),
    group: asString(r.group, "route.group"),
    operation: asString(r.operation, "route.operation"),
    resource: asString(r.resource, "route.resource"),
  };
  const destination = asString(r.destination, "route.destination");
  if (destination !== "") route.destination = destination;
  return { header, route, content: top.content ?? null };
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new StatusError("BadRequest", `Cannot read the message: ${what} is not an object`);
}

function readString(value: unknown, what: string, maxChars: number): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") {
    throw new StatusError("BadRequest", `Cannot read the message: ${what} is not a string`);
  }
  if (value.length > maxChars) {
    throw new StatusError("BadRequest", `Cannot read the message: ${what} is longer than ${maxChars}`);
  }
  return value;
}

function asInteger(value: unknown, what: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new StatusError("BadRequest", `Cannot read the message: ${what} is not an integer`);
}

/** A message as JSON with upstream's keys in upstream's order; empty optional keys are left out. */
export function messageToJson(message: Message): Record<string, unknown> {
  const { header: h, route: r } = message;
  const header: Record<string, unknown> = { msg_id: h.msgId };
  if (h.parentMsgId) header.parent_msg_id = h.parentMsgId;
  header.timestamp = h.timestamp;
  if (h.resourceVersion) header.resourceversion = h.resourceVersion;
  if (h.sync) header.sync = true;
  if (h.type) header.type = h.type;
  const route: Record<string, unknown> = {};
  if (r.source) route.source = r.source;
  if (r.destination) route.destination = r.destination;
  if (r.group) route.group = r.group;
  if (r.operation) route.operation = r.operation;
  if (r.resource) route.resource = r.resource;
  return { header, route, content: message.content ?? null };
}

const GO_ESCAPES: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** The text of a message as Go's encoder writes it: `<`, `>` and `&` escaped, one newline at the end. */
export function printMessage(message: Message): string {
  return JSON.stringify(messageToJson(message)).replace(/[<>&\u2028\u2029]/g, (c) => GO_ESCAPES[c]!) + "\n";
}

const UNBOUNDED: ParseLimits = {
  maxChars: Infinity,
  maxDepth: Infinity,
  maxValues: Infinity,
  maxFieldChars: Infinity,
};

/**
 * How messages cross from one compartment to another: as text, in which no number loses a digit. What comes from outside was held
 * to its bounds where it came in; here there are none, since a message may have grown by a prefix or by how numbers are printed.
 */
export const MESSAGE_TEXT = {
  encode: (message: Message): string => JSON.stringify(messageToJson(message)),
  decode: (posted: unknown): Message => parseMessage(String(posted), UNBOUNDED),
} as const;
