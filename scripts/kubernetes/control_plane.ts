/** A control plane of Kubernetes on this machine in one directory: started, looked at, stopped, by any process in turn. */
import { freePort, runToEnd, until } from "../trial/program.ts";
import {
  argumentsOf,
  AUDIT_POLICY,
  type Component,
  COMPONENTS,
  PORT_NAMES,
  type Ports,
} from "./arguments.ts";
import type { Binaries } from "./binaries.ts";
import { type ClientName, ensureCertificates, printClientKubeconfig } from "./certificates.ts";
import { isRunning, type ProcessRecord, startDetached, stopProcess } from "./processes.ts";

/** What is remembered of a control plane between runs. */
export interface State {
  ports: Ports;
  /** Only those that were started and not stopped. */
  processes: Partial<Record<Component, ProcessRecord>>;
}

/** How one program is. */
export interface ComponentStatus {
  component: Component;
  running: boolean;
  /** It answers that it is well. */
  healthy: boolean;
  pid?: number;
}

const KUBECONFIGS: Partial<Record<ClientName, string>> = {
  admin: "admin.kubeconfig",
  "controller-manager": "controller-manager.kubeconfig",
  scheduler: "scheduler.kubeconfig",
};

const STOP_PATIENCE_MS = 10_000;

/** Path of the administrator's kubeconfig. */
export function adminKubeconfig(directory: string): string {
  return `${directory}/admin.kubeconfig`;
}

/**
 * Starts what does not run and waits until all of it serves and pods can be made. Returns the administrator's kubeconfig.
 * What an earlier control plane in the same directory kept is there again.
 * @throws {Error} with the end of the log of the program that does not serve
 */
export async function startControlPlane(directory: string, binaries: Binaries): Promise<string> {
  for (const path of [directory, `${directory}/pki`, `${directory}/etcd`, `${directory}/logs`]) {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  }
  const state = await readState(directory) ?? { ports: chosenPorts(), processes: {} };
  await writeState(directory, state);
  await ensureCertificates(`${directory}/pki`, Date.now());
  const server = `https://127.0.0.1:${state.ports.api}`;
  for (const [client, file] of Object.entries(KUBECONFIGS)) {
    const text = await printClientKubeconfig(`${directory}/pki`, server, client as ClientName);
    await Deno.writeTextFile(`${directory}/${file}`, text, { mode: 0o600 });
  }
  await Deno.writeTextFile(`${directory}/audit-policy.json`, JSON.stringify(AUDIT_POLICY));
  for (const component of COMPONENTS) await startComponent(directory, component, binaries);
  await podsCanBeMade(directory, binaries.kubectl);
  return adminKubeconfig(directory);
}

/** Starts one program unless it runs and waits until it serves. @param more arguments besides the usual ones */
export async function startComponent(
  directory: string,
  component: Component,
  binaries: Binaries,
  more: readonly string[] = [],
): Promise<void> {
  const state = await mustReadState(directory);
  const known = state.processes[component];
  const logFile = `${directory}/logs/${component}.log`;
  let process = known;
  if (process === undefined || !await isRunning(process)) {
    process = await startDetached(
      binaries[component],
      [...argumentsOf(component, directory, state.ports), ...more],
      logFile,
    );
    state.processes[component] = process;
    await writeState(directory, state);
  }
  const started = process;
  using client = await httpClient(directory);
  let ended = false;
  try {
    await until(`${component} serves`, async () => {
      ended = !await isRunning(started);
      return ended || await isHealthy(component, state.ports, client);
    }, { timeoutMs: 60_000, everyMs: 50 });
  } catch (cause) {
    throw new Error(`${component} does not serve:\n${await tailOf(logFile)}`, { cause });
  }
  if (ended) throw new Error(`${component} ended instead of serving:\n${await tailOf(logFile)}`);
}

/** Stops one program. */
export async function stopComponent(
  directory: string,
  component: Component,
  patienceMs = STOP_PATIENCE_MS,
): Promise<void> {
  const state = await mustReadState(directory);
  const process = state.processes[component];
  if (process === undefined) return;
  await stopProcess(process, patienceMs);
  delete state.processes[component];
  await writeState(directory, state);
}

/** Stops what runs; what it stored stays. */
export async function stopControlPlane(directory: string): Promise<void> {
  if (await readState(directory) === undefined) return;
  for (const component of COMPONENTS.toReversed()) await stopComponent(directory, component);
}

/** How each program is; nothing when there never was a control plane. */
export async function statusOf(directory: string): Promise<ComponentStatus[]> {
  const state = await readState(directory);
  if (state === undefined) return [];
  using client = await httpClient(directory);
  return await Promise.all(COMPONENTS.map(async (component) => {
    const process = state.processes[component];
    const running = process !== undefined && await isRunning(process);
    const healthy = running && await isHealthy(component, state.ports, client);
    return { component, running, healthy, ...(running ? { pid: process.pid } : {}) };
  }));
}

function chosenPorts(): Ports {
  return {
    etcd: freePort(),
    etcdPeer: freePort(),
    api: freePort(),
    controllerManager: freePort(),
    scheduler: freePort(),
  };
}

async function httpClient(directory: string): Promise<Deno.HttpClient> {
  const read = (name: string) => Deno.readTextFile(`${directory}/pki/${name}`);
  return Deno.createHttpClient({
    caCerts: [await read("ca.crt")],
    cert: await read("admin.crt"),
    key: await read("admin.key"),
  });
}

async function isHealthy(component: Component, ports: Ports, client: Deno.HttpClient): Promise<boolean> {
  const address = {
    etcd: `${ports.etcd}/health`,
    "kube-apiserver": `${ports.api}/readyz`,
    "kube-controller-manager": `${ports.controllerManager}/healthz`,
    "kube-scheduler": `${ports.scheduler}/readyz`,
  }[component];
  try {
    const response = await fetch(`https://127.0.0.1:${address}`, {
      client,
      signal: AbortSignal.timeout(5_000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    // Nothing listens yet, or it is on its way up or down.
    if (error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError")) {
      return false;
    }
    throw error;
  }
}

/** A pod is refused until its namespace has a service account, and starts once the CA's ConfigMap is there. */
async function podsCanBeMade(directory: string, kubectl: string): Promise<void> {
  await until("namespace default has its service account and CA", async () => {
    const { code } = await runToEnd(kubectl, [
      "--kubeconfig",
      adminKubeconfig(directory),
      "--namespace",
      "default",
      "get",
      "serviceaccount/default",
      "configmap/kube-root-ca.crt",
    ]);
    return code === 0;
  }, { timeoutMs: 60_000 });
}

async function tailOf(logFile: string): Promise<string> {
  return (await Deno.readTextFile(logFile)).split("\n").slice(-15).join("\n");
}

async function readState(directory: string): Promise<State | undefined> {
  try {
    return parseState(await Deno.readTextFile(`${directory}/state.json`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function mustReadState(directory: string): Promise<State> {
  const state = await readState(directory);
  if (state === undefined) throw new Error(`There is no control plane in ${directory}: start it with "up"`);
  return state;
}

async function writeState(directory: string, state: State): Promise<void> {
  const path = `${directory}/state.json`;
  await Deno.writeTextFile(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
}

/** Reads what {@linkcode State} was written as. @throws {SyntaxError} when it is something else */
export function parseState(text: string): State {
  const broken = () =>
    new SyntaxError("Cannot read state.json: it is no state of a control plane; remove its directory");
  const record = (value: unknown): Record<string, unknown> => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw broken();
    return value as Record<string, unknown>;
  };
  const count = (value: unknown): number => {
    if (!Number.isSafeInteger(value) || (value as number) < 1) throw broken();
    return value as number;
  };
  const root = record(JSON.parse(text));
  const ports = record(root.ports);
  const processes = record(root.processes);
  const state: State = {
    ports: Object.fromEntries(PORT_NAMES.map((name) => [name, count(ports[name])])) as unknown as Ports,
    processes: {},
  };
  for (const component of COMPONENTS) {
    if (processes[component] === undefined) continue;
    const { pid, startTicks } = record(processes[component]);
    state.processes[component] = { pid: count(pid), startTicks: count(startTicks) };
  }
  return state;
}
