/** Processes that outlive the one that starts them, and are found again by their number and start time. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { until, WaitTimeoutError } from "../trial/program.ts";

/** A process as it is remembered in a file. */
export interface ProcessRecord {
  pid: number;
  /** Clock ticks between boot and its start: numbers are used again, the two together are not. */
  startTicks: number;
}

/** Starts a program detached, its output appended to a file. */
export async function startDetached(path: string, args: string[], logFile: string): Promise<ProcessRecord> {
  const log = openSync(logFile, "a", 0o600);
  try {
    const child = spawn(path, args, { detached: true, stdio: ["ignore", log, log] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", () => resolve());
      child.once("error", reject);
    });
    child.unref();
    const pid = child.pid!;
    const stat = await readStat(pid);
    if (stat === undefined) throw new Error(`${path} ended at once; see ${logFile}`);
    return { pid, startTicks: stat.startTicks };
  } finally {
    closeSync(log);
  }
}

/** Whether the process still runs; one that ended and was not waited for does not. */
export async function isRunning({ pid, startTicks }: ProcessRecord): Promise<boolean> {
  const stat = await readStat(pid);
  return stat !== undefined && stat.startTicks === startTicks && stat.state !== "Z";
}

/** Asks a process to end, after `patienceMs` kills it; resolves once it is gone. */
export async function stopProcess(record: ProcessRecord, patienceMs: number): Promise<void> {
  const gone = async () => !await isRunning(record);
  for (const [signal, timeoutMs] of [["SIGTERM", patienceMs], ["SIGKILL", 5_000]] as const) {
    if (await gone()) return;
    try {
      Deno.kill(record.pid, signal);
    } catch (error) {
      // It ended in between.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return;
    }
    try {
      await until(`process ${record.pid} ends`, gone, { timeoutMs, everyMs: 20 });
      return;
    } catch (error) {
      if (!(error instanceof WaitTimeoutError) || signal === "SIGKILL") throw error;
    }
  }
}

async function readStat(pid: number): Promise<{ state: string; startTicks: number } | undefined> {
  try {
    return parseStat(await Deno.readTextFile(`/proc/${pid}/stat`));
  } catch (error) {
    // A process may end while its file is read.
    if (
      error instanceof Deno.errors.NotFound || (error instanceof Error && /os error 3\b/.test(error.message))
    ) {
      return undefined;
    }
    throw error;
  }
}

/** State and start time in the text of /proc/PID/stat. @throws {SyntaxError} */
export function parseStat(text: string): { state: string; startTicks: number } {
  // The second field is the program's name in parentheses and may hold anything, parentheses too.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = ""] = fields;
  const startTicks = Number(fields[19]);
  if (!/^[A-Za-z]$/.test(state) || !Number.isSafeInteger(startTicks)) {
    throw new SyntaxError("Cannot read /proc/PID/stat: state or start time is missing");
  }
  return { state, startTicks };
}
