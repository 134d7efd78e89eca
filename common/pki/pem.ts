import { StatusError } from "../errors/mod.ts";
import { type Der, MAX_DER_BYTES } from "./der.ts";

/** One block of a PEM file. */
export interface PemBlock {
  /** What stands after BEGIN: "CERTIFICATE", "EC PRIVATE KEY", … */
  label: string;
  der: Der;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----/g;

/** A PEM block with lines of 64 characters, as Go and OpenSSL write it. */
export function printPem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/**
 * All blocks of a PEM text, in order; text around them is skipped.
 * @throws {StatusError} BadRequest when a block's body is not base64, or the text is too long
 */
export function parsePem(text: string): PemBlock[] {
  if (text.length > 4 * MAX_DER_BYTES) throw new StatusError("BadRequest", "Cannot read PEM: it is too long");
  const blocks: PemBlock[] = [];
  for (const [, label = "", body = ""] of text.matchAll(BLOCK)) {
    // Header lines ("Proc-Type: …") end with an empty line.
    const base64 = /^\s*[\w-]+:/.test(body) ? body.slice(body.search(/\r?\n\r?\n/)) : body;
    try {
      blocks.push({ label, der: Uint8Array.fromBase64(base64) });
    } catch (cause) {
      throw new StatusError("BadRequest", `Cannot read PEM: the body of ${label} is not base64`, { cause });
    }
  }
  return blocks;
}

/**
 * The first block of a PEM text, which is the only one upstream looks at.
 * @throws {StatusError} BadRequest when there is none
 */
export function parseFirstPem(text: string): PemBlock {
  const [block] = parsePem(text);
  if (block === undefined) {
    throw new StatusError("BadRequest", "Cannot read PEM: there is no -----BEGIN …----- block");
  }
  return block;
}
