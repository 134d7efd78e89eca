/**
 * Sees to it that a container engine answers on this machine.
 *
 * `deno run --allow-read --allow-write --allow-env=PATH --allow-sys=uid --allow-run scripts/engine.ts up`: does nothing
 * when one answers; as root on Debian or Ubuntu installs and starts docker.io; otherwise says exactly what to install.
 * @module
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** What is known of the machine before deciding. */
export interface EngineFacts {
  /** The engine's own answer: its version, or why it does not answer. */
  answer: { version: string } | { error: string };
  root: boolean;
  /** `ID` and `ID_LIKE` of /etc/os-release. */
  osIds: readonly string[];
  /** dockerd is on PATH. */
  installed: boolean;
  /** systemd is process 1. */
  systemd: boolean;
}

/** What to do, in order. */
export type EngineStep =
  | { step: "install"; packages: readonly string[] }
  | { step: "start"; with: "systemctl" | "dockerd" }
  | { step: "give-up"; advice: string };

const PACKAGES = ["docker.io", "containerd", "iptables"] as const;

/** The steps from these facts to an engine that answers; none when one does. */
export function planEngine(facts: EngineFacts): EngineStep[] {
  if ("version" in facts.answer) return [];
  const debian = facts.osIds.some((id) => id === "debian" || id === "ubuntu");
  const { error } = facts.answer;
  if (/permission denied/i.test(error)) {
    return [{
      step: "give-up",
      advice:
        `The container engine refuses this user (${error}). Run as root, or: sudo usermod -aG docker $USER, ` +
        "then log in again",
    }];
  }
  const start = facts.systemd ? "systemctl" : "dockerd";
  if (facts.root && facts.installed) return [{ step: "start", with: start }];
  if (facts.root && debian) {
    return [{ step: "install", packages: PACKAGES }, { step: "start", with: start }];
  }
  const install = debian
    ? `sudo apt-get update && sudo apt-get install -y ${PACKAGES.join(" ")}`
    : "install Docker (https://docs.docker.com/engine/install/) or your system's package of it";
  return [{
    step: "give-up",
    advice: facts.installed
      ? `No container engine answers (${error}). Start it: sudo ${
        facts.systemd ? "systemctl start docker" : "dockerd"
      }`
      : `No container engine answers (${error}). To get one: ${install}`,
  }];
}

/** What {@linkcode ensureEngine} takes. */
export interface EngineOptions {
  /** The engine's program. @default "docker" */
  binary?: string;
  /** Where dockerd's log goes when it is started here. @default "/var/log/dockerd.log" */
  logFile?: string;
  /** How long the engine may take to answer once started. @default 60000 */
  startTimeoutMs?: number;
  /** Told what is being done. */
  say?: (line: string) => void;
}

/**
 * Makes an engine answer, installing and starting one where that is possible. Returns its version.
 * @throws {Error} whose message says exactly what to install or run
 */
export async function ensureEngine(options: EngineOptions = {}): Promise<string> {
  const {
    binary = "docker",
    logFile = "/var/log/dockerd.log",
    startTimeoutMs = 60_000,
    say = () => {},
  } = options;
  const facts: EngineFacts = {
    answer: await askEngine(binary),
    root: Deno.uid() === 0,
    osIds: await osIds(),
    installed: await isFile(["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"]),
    systemd: await isDirectory("/run/systemd/system"),
  };
  for (const step of planEngine(facts)) {
    switch (step.step) {
      case "give-up":
        throw new Error(step.advice);
      case "install":
        say(`Installing ${step.packages.join(", ")}`);
        await must("apt-get", ["update", "-q"], { DEBIAN_FRONTEND: "noninteractive" });
        await must("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...step.packages], {
          DEBIAN_FRONTEND: "noninteractive",
        });
        break;
      case "start":
        // Installing may have started it.
        if ("version" in await askEngine(binary)) break;
        say(`Starting the container engine with ${step.with}`);
        if (step.with === "systemctl") await must("systemctl", ["start", "docker"]);
        else await startDockerd(logFile);
    }
  }
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    const answer = await askEngine(binary);
    if ("version" in answer) return answer.version;
    if (Date.now() >= deadline) {
      throw new Error(
        `The container engine was started and does not answer: ${answer.error}. Its log: ${logFile}\n${await tailOf(
          logFile,
        )}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Asks the engine for its version. */
export async function askEngine(binary = "docker"): Promise<{ version: string } | { error: string }> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(binary, {
      args: ["version", "--format", "{{.Server.Version}}"],
      signal: AbortSignal.timeout(10_000),
    }).output();
    const text = new TextDecoder().decode(code === 0 ? stdout : stderr).trim();
    return code === 0 && text !== "" ? { version: text } : { error: text || `exit code ${code}` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { error: `there is no program "${binary}"` };
    throw error;
  }
}

/** Files in which an engine says that it runs, and by which name. */
const PID_FILES: ReadonlyArray<readonly [string, string]> = [
  ["/var/run/docker.pid", "dockerd"],
  ["/var/run/docker/containerd/containerd.pid", "containerd"],
];

/**
 * Removes a pid file that an engine left when it was killed: once its number belongs to another program, an engine that starts
 * takes that for itself and gives up. `processes` is where the kernel lists processes.
 */
export async function removeStalePidFile(path: string, name: string, processes = "/proc"): Promise<void> {
  const pid = (await readIfThere(path)).trim();
  if (pid === "") return;
  const stat = /^\d+$/.test(pid) ? await readIfThere(`${processes}/${pid}/stat`) : "";
  // One that was killed is listed, as state Z, until its parent has asked for its end.
  const [, program, state] = /^\d+ \((.*)\) (\S)/.exec(stat) ?? [];
  if (program !== name || state === "Z") await Deno.remove(path);
}

/** Starts dockerd so that it outlives this process; it writes its own /var/run/docker.pid. */
async function startDockerd(logFile: string): Promise<void> {
  for (const [path, name] of PID_FILES) await removeStalePidFile(path, name);
  const fd = openSync(logFile, "a");
  try {
    const child = spawn("dockerd", [], { detached: true, stdio: ["ignore", fd, fd] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", () => resolve());
      child.once("error", reject);
    });
    child.unref();
  } finally {
    closeSync(fd);
  }
}

async function must(binary: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(binary, { args, env }).output();
  if (code === 0) return;
  const text = new TextDecoder().decode(stderr).trim() || new TextDecoder().decode(stdout).trim();
  throw new Error(`${binary} ${args.join(" ")} failed with ${code}: ${text.slice(-2000)}`);
}

async function osIds(): Promise<string[]> {
  return parseOsIds(await readIfThere("/etc/os-release"));
}

/** The values of `ID` and `ID_LIKE` in the text of /etc/os-release. */
export function parseOsIds(text: string): string[] {
  return [...text.matchAll(/^(?:ID|ID_LIKE)=["']?([^"'\n]*)["']?$/gm)].flatMap((m) => m[1]!.split(/\s+/))
    .filter((id) => id !== "");
}

async function tailOf(path: string): Promise<string> {
  return (await readIfThere(path)).split("\n").slice(-15).join("\n");
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function isFile(paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    try {
      if ((await Deno.stat(path)).isFile) return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return false;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) {
  const say = (line: string) => Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
  if (Deno.args.length !== 1 || Deno.args[0] !== "up") {
    say("usage: engine.ts up");
    Deno.exit(2);
  }
  try {
    say(`Container engine answers, version ${await ensureEngine({ say })}`);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
