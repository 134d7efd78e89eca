/**
 * Stands between an edge and its cloud and can stop taking bytes from the edge without closing anything, as a dead network
 * does. For tests only.
 */
export class StallingProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  #connections: Deno.Conn[] = [];
  #copies: Promise<void>[] = [];
  #stalled = false;
  readonly #accepting: Promise<void>;

  /** @param target port on 127.0.0.1 */
  constructor(target: number) {
    this.#target = target;
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** From now on nothing of the present connections is read any more. */
  stall(): void {
    this.#stalled = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#copies);
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
      this.#connections.push(near, far);
      this.#copies.push(this.#copy(near, far), this.#copy(far, near));
    }
  }

  async #copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const bytes = new Uint8Array(16 * 1024);
    try {
      while (!this.#stalled) {
        const length = await from.read(bytes);
        if (length === null) return await to.closeWrite();
        for (let done = 0; done < length;) done += await to.write(bytes.subarray(done, length));
      }
    } catch (error) {
      // Either end may be closed at any time; that is what this is for.
      if (
        !(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) &&
        !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset) &&
        !(error instanceof Deno.errors.NotConnected)
      ) throw error;
    }
  }
}
