/**
 * What the programs `cloudcore` and `edgecore` have in common: flags to exit code, configuration, logger, signals.
 * Takes: the command line; SIGTERM, SIGINT, SIGHUP, SIGQUIT. Gives: an exit code: 0 done or told to stop, 1 failed, 2 refused.
 * Upstream: kubeedge cloud/cmd/cloudcore/app/server.go, edge/cmd/edgecore/app/server.go @ 16cd854
 * @module
 */
import {
  ConfigError,
  type ConfigReading,
  coreHelp,
  type CoreProgram,
  formatProblem,
  parseCoreFlags,
  type PrintWhich,
} from "../config/mod.ts";
import { createLogger, type Logger, type LoggerOptions } from "../module/mod.ts";
import { OutputError, writeErr, writeOut } from "../output/mod.ts";
import { type Packaging, versionText } from "../version/mod.ts";

/** How log lines are made, in every compartment alike. */
export type Logging = Pick<LoggerOptions, "level" | "format">;

/** What one of the cores is made of. */
export interface CoreSpec<C> {
  program: CoreProgram;
  /** Text of `--minconfig` and `--defaultconfig`. */
  print(which: PrintWhich): string;
  /** @throws {ConfigError} */
  load(path: string): Promise<ConfigReading<C>>;
  /** What the configuration says of the log; flags come before it. */
  logging(config: C): Logging;
  /** What of a failure is a mistake in what the user has written; undefined for everything else. @default nothing is */
  mistake?(error: unknown): Error | undefined;
  /** Works until the signal aborts. */
  run(config: C, context: { signal: AbortSignal; log: Logger; logging: Required<Logging> }): Promise<void>;
}

const STOP_SIGNALS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

/** Exit code of a program that a second signal ended at once. */
const ENDED_BY_SIGNAL = 130;

/** How this program was packed. */
export function packaging(): Packaging {
  if (Deno.build.standalone) return "compiled";
  return import.meta.url.endsWith(".ts") ? "source" : "self-extract";
}

/** Prints what was asked for; the exit code. */
function print(program: CoreProgram, text: string): number {
  try {
    writeOut(text);
    return 0;
  } catch (error) {
    if (!(error instanceof OutputError)) throw error;
    complain(`${program}: ${error.message}`);
    return 1;
  }
}

function complain(text: string): void {
  writeErr(text.endsWith("\n") ? text : `${text}\n`);
}

/** The whole of a core's `main`. Resolves to the exit code. */
export async function runCore<C>(spec: CoreSpec<C>, args: readonly string[]): Promise<number> {
  const command = parseCoreFlags(args, spec.program);
  switch (command.kind) {
    case "refuse":
      complain(command.message);
      return command.exitCode;
    case "help":
      return print(spec.program, coreHelp(spec.program));
    case "version":
      return print(spec.program, `${versionText(spec.program, packaging())}\n`);
    case "print-config":
      return print(spec.program, spec.print(command.which));
  }
  let reading: ConfigReading<C>;
  try {
    reading = await spec.load(command.configPath);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(`${spec.program}: ${error.message}`);
    return 2;
  }
  const own = spec.logging(reading.config);
  const logging = {
    level: command.logLevel ?? own.level ?? "info",
    format: command.logFormat ?? own.format ?? "text",
  };
  const log = createLogger(spec.program, logging);
  for (const note of reading.notes) log.info("The configuration was converted", { note });
  for (const warning of reading.warnings) {
    log.warning("The configuration has a key nobody knows", {
      warning: formatProblem(command.configPath, warning),
    });
  }
  return await runUntilSignal(spec, reading.config, log, logging);
}

async function runUntilSignal<C>(
  spec: CoreSpec<C>,
  config: C,
  log: Logger,
  logging: Required<Logging>,
): Promise<number> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) Deno.exit(ENDED_BY_SIGNAL);
    log.info("Stopping");
    controller.abort(new DOMException("The process is stopping", "AbortError"));
  };
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    log.info("Starting", { version: versionText(spec.program, packaging()) });
    await spec.run(config, { signal: controller.signal, log, logging });
    log.info("Stopped");
    return 0;
  } catch (error) {
    const mistake = spec.mistake?.(error);
    log.error("Cannot go on", mistake ?? error);
    return mistake === undefined ? 1 : 2;
  } finally {
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}
