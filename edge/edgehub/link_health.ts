/** How long a link may look dead. */
export interface LinkLimits {
  /** Without the socket taking any of the bytes that wait, milliseconds. */
  writeDeadlineMs: number;
  /** Without a word from the cloud although a reply is due, milliseconds. */
  silenceLimitMs: number;
}

/**
 * Tells a dead link from a quiet one. Neither side of a hub connection sends pings, and a peer that vanished without a word
 * is noticed by the kernel only after a quarter of an hour; what is left is that bytes stop moving, or replies stop coming.
 * It has no clock of its own.
 */
export class LinkHealth {
  readonly #limits: LinkLimits;
  #handedOver = 0;
  #written = 0;
  #writtenAt: number;
  /** Since when a reply is due; undefined when none is. */
  #dueSince: number | undefined;

  /** @param now any milliseconds that only grow */
  constructor(limits: LinkLimits, now: number) {
    this.#limits = limits;
    this.#writtenAt = now;
  }

  /** Bytes were handed to the socket. */
  sent(bytes: number, expectsReply: boolean, now: number): void {
    this.#handedOver += bytes;
    if (expectsReply) this.#dueSince ??= now;
  }

  /** Something came from the cloud. */
  received(): void {
    this.#dueSince = undefined;
  }

  /** Why the link is to be given up; undefined while it seems well. @param bufferedBytes what the socket has not taken */
  check(bufferedBytes: number, now: number): string | undefined {
    const written = this.#handedOver - bufferedBytes;
    if (bufferedBytes === 0 || written > this.#written) {
      this.#written = written;
      this.#writtenAt = now;
    } else if (now - this.#writtenAt >= this.#limits.writeDeadlineMs) {
      return `nothing could be written for ${(now - this.#writtenAt) / 1000} s`;
    }
    if (this.#dueSince !== undefined && now - this.#dueSince >= this.#limits.silenceLimitMs) {
      return `the cloud has been silent for ${(now - this.#dueSince) / 1000} s although a reply is due`;
    }
    return undefined;
  }
}
