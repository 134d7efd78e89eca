const encoder = new TextEncoder();

/** What is made of a body before it is taken. */
const CHUNK_CHARS = 256 * 1024;

/** Takes pieces until they are long enough to be sent; empty when there are none. @param next undefined after the last */
export function takeChunk(next: () => string | undefined): string {
  let chunk = "";
  while (chunk.length < CHUNK_CHARS) {
    const piece = next();
    if (piece === undefined) break;
    chunk += piece;
  }
  return chunk;
}

/**
 * The body of an answer in pieces. What is short is one text; of what is long no more is made than the client takes, so that those
 * who ask for much and read nothing do not fill the memory.
 */
export function bodyOf(pieces: Iterable<string>): string | ReadableStream<Uint8Array> {
  const rest = pieces[Symbol.iterator]();
  const next = () => {
    const { done, value } = rest.next();
    return done ? undefined : value;
  };
  const first = takeChunk(next);
  if (first.length < CHUNK_CHARS) return first;
  let chunk = first;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (chunk === "") return controller.close();
      controller.enqueue(encoder.encode(chunk));
      chunk = takeChunk(next);
    },
    cancel: () => void rest.return?.(),
  }, { highWaterMark: 0 });
}
