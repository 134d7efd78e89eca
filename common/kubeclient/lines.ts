/** Cuts a stream of bytes into lines without ever holding more than one line of the given size. */
export class LineSplitter {
  readonly #limitBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  /** @param limitBytes longest line, without its newline */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /**
   * Takes the next bytes and gives the lines they complete, empty lines left out.
   * @throws {RangeError} when a line is too long, TypeError when it is not UTF-8
   */
  *push(chunk: Uint8Array): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#hold(chunk.subarray(start, end));
      start = end + 1;
      const line = this.#take();
      if (line !== "") yield line;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > this.#limitBytes) {
      throw new RangeError(`A line is over ${this.#limitBytes} bytes`);
    }
    this.#held.push(bytes);
  }

  #take(): string {
    const bytes = this.#held.length === 1 ? this.#held[0]! : concat(this.#held, this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    return this.#decoder.decode(bytes).trim();
  }
}

/** Joins pieces into one array of the given total length. */
export function concat(pieces: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const all = new Uint8Array(totalBytes);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
