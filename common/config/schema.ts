/**
 * A configuration file as data. One table of fields carries type, default, limits, description and whether `--minconfig` shows
 * it; reading, checking and printing all work from that table, so that they cannot disagree.
 */

/** What a text has to look like. */
export interface Format {
  /** Completes "expected …": "an absolute path". */
  readonly expected: string;
  readonly test: (value: string) => boolean;
}

/** What every field has. */
interface FieldBase {
  /** One line for whoever reads the printed file. */
  readonly comment: string;
  /** Shown by `--minconfig`. */
  readonly min: boolean;
}

/** `true` or `false`. */
export interface BoolField extends FieldBase {
  readonly kind: "bool";
  readonly initial: boolean | undefined;
  readonly minInitial: boolean | undefined;
}

/** A number within limits. */
export interface NumberField extends FieldBase {
  readonly kind: "int" | "float";
  readonly initial: number | undefined;
  readonly minInitial: number | undefined;
  readonly minimum: number;
  readonly maximum: number;
}

/** A text, possibly one of a few or of a certain form. The empty text always passes: it means "not set". */
export interface TextField extends FieldBase {
  readonly kind: "text";
  readonly initial: string | undefined;
  readonly allowed: readonly string[] | undefined;
  readonly format: Format | undefined;
  /** The value is never printed in a message. */
  readonly secret: boolean;
}

/** A Go duration in the file, milliseconds in the program. */
export interface DurationField extends FieldBase {
  readonly kind: "duration";
  /** Milliseconds. */
  readonly initial: number | undefined;
  /** Milliseconds. */
  readonly minimum: number;
  /** Milliseconds. */
  readonly maximum: number;
}

/** A list whose items are all alike. */
export interface ListField extends FieldBase {
  readonly kind: "list";
  readonly item: Field;
  readonly initial: readonly unknown[] | undefined;
}

/** Names chosen by the user, to values that are all alike. */
export interface MapField extends FieldBase {
  readonly kind: "map";
  readonly value: Field;
  readonly initial: Readonly<Record<string, unknown>> | undefined;
  /** The only names there are, where they are not free. */
  readonly names: readonly string[] | undefined;
}

/** Named fields. */
export interface SectionField extends FieldBase {
  readonly kind: "section";
  readonly fields: Fields;
}

/** One row of the table. */
export type Field = BoolField | NumberField | TextField | DurationField | ListField | MapField | SectionField;

/** The rows of a section, in the order they are printed. */
export type Fields = Readonly<Record<string, Field>>;

/** A row that yields a `T`. */
export type Of<T, F extends Field = Field> = F & { readonly _value?: T };

/** The type of what a row yields. */
export type Infer<F> = F extends { readonly _value?: infer T } ? T : never;

/** The type of what the rows of a section yield. */
export type InferFields<S extends Fields> = { -readonly [K in keyof S]: Infer<S[K]> };

/** What a row may say besides its default and description. */
export interface FieldOptions {
  /** Shown by `--minconfig`. @default false */
  min?: boolean;
}

/** Options of numbers. */
export interface NumberOptions extends FieldOptions {
  /** @default 0 */
  minimum?: number;
  /** @default 2147483647, an int32's */
  maximum?: number;
  /** The value in `--minconfig` where it differs from the default. */
  minInitial?: number;
}

/** Options of texts. */
export interface TextOptions extends FieldOptions {
  allowed?: readonly string[];
  format?: Format;
  /** @default false */
  secret?: boolean;
}

/** A default of `undefined` means: absent unless the file says otherwise. */
type OrAbsent<D, T> = D extends undefined ? T | undefined : T;

const INT32_MAX = 2_147_483_647;

/** A row of `true` or `false`. */
export function bool<D extends boolean | undefined>(
  initial: D,
  comment: string,
  options: FieldOptions & { minInitial?: boolean } = {},
): Of<OrAbsent<D, boolean>, BoolField> {
  return { kind: "bool", initial, comment, min: options.min ?? false, minInitial: options.minInitial };
}

/** A row of a whole number, by default from 0 to an int32's greatest. */
export function int<D extends number | undefined>(
  initial: D,
  comment: string,
  options: NumberOptions = {},
): Of<OrAbsent<D, number>, NumberField> {
  return number("int", initial, comment, options);
}

/** A row of a number. */
export function float<D extends number | undefined>(
  initial: D,
  comment: string,
  options: NumberOptions = {},
): Of<OrAbsent<D, number>, NumberField> {
  return number("float", initial, comment, options);
}

function number(
  kind: "int" | "float",
  initial: number | undefined,
  comment: string,
  { min = false, minimum = 0, maximum = INT32_MAX, minInitial }: NumberOptions,
): NumberField {
  return { kind, initial, comment, min, minimum, maximum, minInitial };
}

/** A row of a text. */
export function text<D extends string | undefined>(
  initial: D,
  comment: string,
  options: TextOptions = {},
): Of<OrAbsent<D, string>, TextField> {
  const { min = false, allowed, format, secret = false } = options;
  return { kind: "text", initial, comment, min, allowed, format, secret };
}

/** A row of a text out of a few. */
export function choice<const V extends string, D extends V | undefined>(
  allowed: readonly V[],
  initial: D,
  comment: string,
  options: FieldOptions = {},
): Of<OrAbsent<D, V>, TextField> {
  return {
    kind: "text",
    initial,
    comment,
    min: options.min ?? false,
    allowed,
    format: undefined,
    secret: false,
  };
}

/** Longest wait a timer of the runtime can hold, rounded down: 24 days in milliseconds. Beyond it timers fire at once. */
const TIMER_MAX_MS = 24 * 86_400_000;

/** The same in seconds. */
export const TIMER_MAX_SECONDS = TIMER_MAX_MS / 1000;

/** Shortest time between two rounds of work, in milliseconds. */
const ROUND_MIN_MS = 100;

/** A row of a duration of any length; `initialMs` in milliseconds. */
export function duration<D extends number | undefined>(
  initialMs: D,
  comment: string,
  options: FieldOptions = {},
): Of<OrAbsent<D, number>, DurationField> {
  const { min = false } = options;
  return { kind: "duration", initial: initialMs, comment, min, minimum: 0, maximum: Infinity };
}

/** A row of a duration that is waited for again and again, so that it must be neither nothing nor more than a timer holds. */
export function interval(
  initialMs: number,
  comment: string,
  options: FieldOptions = {},
): Of<number, DurationField> {
  return { ...duration(initialMs, comment, options), minimum: ROUND_MIN_MS, maximum: TIMER_MAX_MS };
}

/** A row of a list. */
export function list<F extends Field, D extends ReadonlyArray<Infer<F>> | undefined>(
  item: F,
  initial: D,
  comment: string,
  options: FieldOptions = {},
): Of<OrAbsent<D, Array<Infer<F>>>, ListField> {
  return { kind: "list", item, initial, comment, min: options.min ?? false };
}

/** A row of names to values. */
export function map<F extends Field, D extends Readonly<Record<string, Infer<F>>> | undefined>(
  value: F,
  initial: D,
  comment: string,
  options: FieldOptions & { names?: readonly string[] } = {},
): Of<OrAbsent<D, Record<string, Infer<F>>>, MapField> {
  return { kind: "map", value, initial, comment, min: options.min ?? false, names: options.names };
}

/** A row of named rows. It is in `--minconfig` when one of them is. */
export function section<const S extends Fields>(
  comment: string,
  fields: S,
): Of<InferFields<S>, SectionField> {
  return { kind: "section", comment, fields, min: Object.values(fields).some((field) => field.min) };
}

/** The same section with every row shown by `--minconfig`. */
export function whole<T>(field: Of<T, SectionField>): Of<T, SectionField> {
  const fields = Object.entries(field.fields).map(([name, row]): [string, Field] => [
    name,
    row.kind === "section" ? whole(row) : { ...row, min: true },
  ]);
  return { ...field, fields: Object.fromEntries(fields), min: true };
}

/** The value a row has when the file does not mention it; always a fresh copy. */
export function defaultOf<T>(field: Of<T>): T;
export function defaultOf(field: Field): unknown {
  if (field.kind === "section") {
    const entries: Array<[string, unknown]> = [];
    for (const [name, row] of Object.entries(field.fields)) {
      const value = defaultOf(row);
      if (value !== undefined) entries.push([name, value]);
    }
    return Object.fromEntries(entries);
  }
  return structuredClone(field.initial);
}
