import { StatusError } from "../errors/mod.ts";

/** Bytes of one ASN.1 value in DER. */
export type Der = Uint8Array<ArrayBuffer>;

/** Longest certificate, request or key that is looked at. */
export const MAX_DER_BYTES = 1024 * 1024;

/** One DER element: its tag, its content, and the whole of it. */
export interface Tlv {
  tag: number;
  content: Der;
  whole: Der;
}

function malformed(detail: string): StatusError {
  return new StatusError("BadRequest", `Cannot read DER: ${detail}`);
}

/**
 * Reads the elements that stand one after the other in `bytes`. Short and long lengths up to 4 bytes.
 * @throws {StatusError} BadRequest when an element is cut off or its length is not DER
 */
export function readElements(bytes: Der): Tlv[] {
  const elements: Tlv[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    if ((tag & 0x1f) === 0x1f) throw malformed("tags of several bytes are not supported");
    let length = bytes[at + 1] ?? -1;
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || start + count > bytes.length) throw malformed("a length is malformed");
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + bytes[start++]!;
    }
    if (length < 0 || start + length > bytes.length) throw malformed("an element is cut off");
    elements.push({
      tag,
      content: bytes.subarray(start, start + length),
      whole: bytes.subarray(at, start + length),
    });
    at = start + length;
  }
  return elements;
}

/** The children of the one SEQUENCE that `bytes` is. @throws {StatusError} BadRequest */
export function readSequence(bytes: Der): Tlv[] {
  if (bytes.length > MAX_DER_BYTES) throw malformed(`more than ${MAX_DER_BYTES} bytes`);
  const [element, ...rest] = readElements(bytes);
  if (element?.tag !== 0x30 || rest.length > 0) throw malformed("one SEQUENCE is expected");
  return readElements(element.content);
}

/** One element out of its tag and the parts of its content. */
export function writeElement(tag: number, ...parts: Uint8Array[]): Der {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  if (length < 0x80) head.push(length);
  else {
    const bytes: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
    head.push(0x80 | bytes.length, ...bytes);
  }
  const out = new Uint8Array(head.length + length);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Whether two byte strings are the same. Not for secrets: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
