import type { Buffer } from "node:buffer";
import { WebSocket } from "./_ws.ts";
import { errorText } from "../../common/errors/mod.ts";
import { type Message, parseMessage, printMessage } from "../../common/model/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { HubMetrics } from "./metrics.ts";
import type { NodePool } from "./node_pool.ts";

/** What a session uses. */
export interface SessionComponents {
  pool: NodePool;
  clock: Clock;
  log: Logger;
  metrics: HubMetrics;
  /** Handles a message of the node. @param bytes how large it came */
  onMessage: (session: NodeSession, message: Message, bytes: number) => void;
  /** Aborts when cloudhub stops. */
  signal: AbortSignal;
  /** The socket is closed; the code is 1006 where the peer took no part in that. */
  onEnd: (session: NodeSession, code: number) => void;
}

/** Text that may wait in a socket before no more is written to it. */
const HIGH_WATER_BYTES = 256 * 1024;
/** A socket that takes nothing for this long is dead. Upstream's `writeTimeout`, which upstream does not apply. */
const WRITE_TIMEOUT_MS = 30_000;
/** Messages of a node that may wait for a module before the node is no longer read from. */
const PAUSE_COUNT = 64;
const PAUSE_CHARS = 4 * 1024 * 1024;
/** A node may keep cloudhub busy for this share of the time: one that sends more would be all that is heard. */
const TIME_SHARE = 1 / 4;
/** How far ahead of its share a node may be before it is not read from, milliseconds: a large message now and then. */
const TIME_AHEAD_MS = 250;
/** What one message counts at most: one that takes longer came when the machine had too much to do, which is not its sender's doing. */
const MAX_MESSAGE_MS = 1_500;
const LOG_INTERVAL_MS = 10_000;

/** One connection of one node. It has no timers: the hub sweeps all sessions. */
export class NodeSession {
  readonly node: string;
  /** Address of the peer. */
  readonly address: string;
  /** The newer connection of the node that took over. */
  successor: NodeSession | undefined;
  /** Whether the node carries the annotation of this cloudcore, or is about to. */
  annotated = false;
  readonly #ws: WebSocket;
  readonly #c: SessionComponents;
  #lastKeepalive: number;
  #stalledSince: number | undefined;
  #ended = false;
  /** Work for other modules, in order. */
  #work: Array<{ run: () => Promise<void>; chars: number }> = [];
  #workChars = 0;
  #working: Promise<void> | undefined;
  /** Characters of replies beside the pool that the socket has not taken. */
  #unsentChars = 0;
  /** Time the node's messages took that its share has not paid for yet. */
  #owedMs = 0;
  #sweptAt: number;
  #paused = false;
  #loggedAt = -Infinity;
  #suppressed = 0;

  constructor(node: string, address: string, ws: WebSocket, components: SessionComponents) {
    this.node = node;
    this.address = address;
    this.#ws = ws;
    this.#c = components;
    this.#lastKeepalive = this.#sweptAt = components.clock.elapsed();
    ws.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    ws.on("ping", (data: Buffer) => {
      // A peer that sends pings and reads nothing must not fill the memory.
      if (ws.bufferedAmount < HIGH_WATER_BYTES) ws.pong(data);
    });
    ws.on("error", (error: Error & { code?: string }) => {
      const tooLarge = error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
      components.metrics.rejectedFrames.inc(1, { reason: tooLarge ? "too_large" : "protocol" });
      components.log.warning("Connection failed", { node, reason: error.message });
    });
    ws.on("close", (code: number) => {
      this.#ended = true;
      components.onEnd(this, code);
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#ended) return;
    const { metrics, clock } = this.#c;
    metrics.frames.inc(1, { direction: "in" });
    metrics.bytes.inc(data.length, { direction: "in" });
    const began = clock.elapsed();
    this.#handle(data, isBinary);
    this.#owedMs += Math.min(clock.elapsed() - began, MAX_MESSAGE_MS);
    this.#adjustReading();
  }

  #handle(data: Buffer, isBinary: boolean): void {
    const { metrics, onMessage } = this.#c;
    let message: Message;
    try {
      // ws has checked the encoding of text already.
      message = parseMessage(
        isBinary ? new TextDecoder("utf-8", { fatal: true }).decode(data) : data.toString(),
      );
    } catch (error) {
      metrics.rejectedFrames.inc(1, { reason: "malformed" });
      this.warn("Ignored a frame that is not a message", { reason: errorText(error), bytes: data.length });
      return;
    }
    onMessage(this, message, data.length);
  }

  /** Logs about this node's input, a line in ten seconds at most. */
  warn(message: string, fields: Record<string, unknown>): void {
    const now = this.#c.clock.elapsed();
    if (now - this.#loggedAt < LOG_INTERVAL_MS) {
      this.#suppressed++;
      return;
    }
    const more = this.#suppressed > 0 ? { suppressed: this.#suppressed } : {};
    this.#loggedAt = now;
    this.#suppressed = 0;
    this.#c.log.warning(message, { node: this.node, ...fields, ...more });
  }

  /** The node is alive. */
  keepalive(): void {
    this.#lastKeepalive = this.#c.clock.elapsed();
  }

  /**
   * Does work for other modules after what was begun before. While much of it waits, the node is not read from.
   * @param chars size of what the work holds on to
   */
  enqueue(run: () => Promise<void>, chars = 0): void {
    this.#work.push({ run, chars });
    this.#workChars += chars;
    this.#adjustReading();
    this.#working ??= this.#drain().finally(() => this.#working = undefined);
  }

  async #drain(): Promise<void> {
    for (let work = this.#work.shift(); work !== undefined; work = this.#work.shift()) {
      try {
        await work.run();
      } catch (error) {
        if (this.#c.signal.aborted) return;
        this.warn("Cannot hand over a message of a node", { reason: errorText(error) });
      }
      this.#workChars -= work.chars;
      this.#adjustReading();
    }
  }

  /** Reads from the node, unless it is ahead: of the modules, of its own reading, or of its share of the time. */
  #adjustReading(): void {
    if (this.#ended) return;
    const isAhead = this.#work.length >= (this.#paused ? PAUSE_COUNT / 4 : PAUSE_COUNT) ||
      this.#workChars >= PAUSE_CHARS || this.#unsentChars >= HIGH_WATER_BYTES || this.#owedMs > TIME_AHEAD_MS;
    if (isAhead === this.#paused) return;
    this.#paused = isAhead;
    if (isAhead) return this.#ws.pause();
    // Keepalives could not be read meanwhile.
    this.keepalive();
    this.#ws.resume();
  }

  /** Resolves when all work for other modules is done. */
  get idle(): Promise<void> {
    return this.#working ?? Promise.resolve();
  }

  /** Sends what the pool has, as far as the socket takes it. */
  pump(): void {
    const { pool, clock } = this.#c;
    while (
      !this.#ended && this.#ws.readyState === WebSocket.OPEN && this.#ws.bufferedAmount < HIGH_WATER_BYTES
    ) {
      const item = pool.take(clock.elapsed());
      if (item === undefined) return;
      this.#write(item.text, () => this.pump());
    }
  }

  /** Sends a message outside of the pool. A node that asks for more than it reads is not read from. */
  send(message: Message): void {
    if (this.#ended || this.#ws.readyState !== WebSocket.OPEN) return;
    const text = printMessage(message);
    this.#unsentChars += text.length;
    this.#write(text, () => {
      this.#unsentChars -= text.length;
      this.#adjustReading();
    });
    this.#adjustReading();
  }

  #write(text: string, then?: () => void): void {
    const { metrics } = this.#c;
    metrics.frames.inc(1, { direction: "out" });
    metrics.bytes.inc(text.length, { direction: "out" });
    this.#ws.send(text, { binary: false }, (error) => {
      // A failed write ends the socket, which is told by its close.
      if (!error) then?.();
    });
  }

  /** Nothing is known about how long the node said and took nothing: it has all of its time from now on. */
  startOver(): void {
    this.keepalive();
    this.#stalledSince = undefined;
  }

  /** Ends the session when its time is up, sends again what was not acknowledged. */
  sweep(now: number, keepaliveIntervalMs: number): void {
    if (this.#ended) return;
    this.#owedMs = Math.max(0, this.#owedMs - (now - this.#sweptAt) * TIME_SHARE);
    this.#sweptAt = now;
    this.#adjustReading();
    if (this.#paused) this.#lastKeepalive = now;
    if (now - this.#lastKeepalive >= keepaliveIntervalMs) {
      this.#c.log.warning("Ending a session: no keepalive", {
        node: this.node,
        afterMs: now - this.#lastKeepalive,
      });
      this.end(`no keepalive for ${Math.round((now - this.#lastKeepalive) / 1000)} s`);
      return;
    }
    if (this.#ws.bufferedAmount < HIGH_WATER_BYTES) this.#stalledSince = undefined;
    else if (this.#stalledSince === undefined) this.#stalledSince = now;
    else if (now - this.#stalledSince >= WRITE_TIMEOUT_MS) {
      this.#c.log.warning("Ending a session: the node does not read", { node: this.node });
      this.terminate();
      return;
    }
    if (this.#ws.bufferedAmount > 0) return;
    for (const item of this.#c.pool.overdue(now, Math.random())) {
      this.#c.metrics.resends.inc();
      this.#write(item.text);
    }
    this.pump();
  }

  /** Closes the connection with a reason; nothing of it is taken any more. */
  end(reason: string, code = 1008): void {
    this.#ended = true;
    this.#ws.close(code, reason.slice(0, 120));
    this.#resumeForClose();
  }

  /** Drops the connection at once. */
  terminate(): void {
    this.#ended = true;
    this.#ws.terminate();
  }

  /** A paused socket would not see the peer's close. */
  #resumeForClose(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#ws.resume();
  }
}
