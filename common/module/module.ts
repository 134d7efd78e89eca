/**
 * A part of a core that works until it is told to stop.
 *
 * Constructing one does no work. `run` works until the signal aborts and resolves when everything it began has ended; it
 * rejects with the error that ended it early. `ready` resolves when the module can serve; it never rejects.
 */
export interface Module {
  readonly name: string;
  readonly ready: Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

/** What the body of a module is given. */
export interface ModuleContext {
  /** Aborts when the module must stop. */
  signal: AbortSignal;
  /** To be called once the module can serve. */
  ready: () => void;
}

/** A module out of its name and its body; the body returning normally before the signal aborts counts as done. */
export function defineModule(name: string, body: (context: ModuleContext) => Promise<void>): Module {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { name, ready: promise, run: (signal) => body({ signal, ready: resolve }) };
}

/** A module that is made when it is run, for what can only be known once the modules before it are ready. */
export function deferModule(name: string, make: () => Promise<Module>): Module {
  return defineModule(name, async ({ signal, ready }) => {
    const made = await make();
    made.ready.then(ready);
    await made.run(signal);
  });
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/**
 * Runs modules, each started once the one before it is ready. The first failure, or the signal, stops all; the last started
 * stops first.
 * @throws the first failure, once all have ended
 */
export async function runAll(modules: readonly Module[], signal: AbortSignal): Promise<void> {
  const running: Array<{ controller: AbortController; ended: Promise<void> }> = [];
  let failure: { error: unknown } | undefined;
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (const module of modules) {
      if (stop.signal.aborted) break;
      const controller = new AbortController();
      const ended = module.run(controller.signal).catch((error) => {
        // What a module throws because it was told to stop is not a failure.
        if (controller.signal.aborted && error === controller.signal.reason) return;
        failure ??= { error: new Error(`Module ${module.name} failed`, { cause: error }) };
        stop.abort(failure.error);
      });
      running.push({ controller, ended });
      await Promise.race([module.ready, ended, aborted(stop.signal)]);
    }
    if (running.length > 0) {
      await Promise.race([
        aborted(stop.signal),
        Promise.all(running.map((r) => r.ended)),
      ]);
    }
    for (const { controller, ended } of running.reverse()) {
      controller.abort(stop.signal.reason);
      await ended;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (failure !== undefined) throw failure.error;
}
