import { planEnv } from "./docker_env.ts";
import { engineLabels, printContainerName, printSandboxName } from "./docker_names.ts";
import {
  type ContainerConfig,
  type ContainerSecurity,
  type LinuxResources,
  type Mount,
  type PodSandboxConfig,
  RuntimeError,
} from "./types.ts";

/** What containers take over from their sandbox. */
export interface SandboxFacts {
  cgroupParent: string;
  hostNetwork: boolean;
  hostPID: boolean;
  hostIPC: boolean;
}

/** Choices that hold for the whole engine. */
export interface EngineChoices {
  /** Node whose containers these are. */
  nodeName: string;
  /** Bounds on the json-file log of a container. */
  logMaxSizeBytes: number;
  logMaxFiles: number;
  /** The engine may lower the OOM score below its own. */
  mayLowerOomScore: boolean;
}

/** One run of the engine's client. */
export interface ClientCall {
  args: string[];
  stdin?: string;
  env?: Record<string, string>;
}

/** Upstream: k8s.io/kubernetes pkg/kubelet/qos/policy.go (sandboxes have had -998 since dockershim) */
const SANDBOX_OOM_SCORE_ADJ = -998;
/** A sandbox only sleeps. Upstream: cri-dockerd core/sandbox_run.go (defaultSandboxCPUshares) */
const SANDBOX_CPU_SHARES = 2;

const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}$/;

/** The reference itself when it can be one. @throws {RuntimeError} invalid */
export function checkImageReference(reference: string): string {
  if (IMAGE.test(reference)) return reference;
  throw new RuntimeError("invalid", `Invalid image reference ${JSON.stringify(reference.slice(0, 200))}`);
}

/** `docker run` of a pause container. @throws {RuntimeError} invalid, for a configuration it cannot express */
export function planRunSandbox(
  config: PodSandboxConfig,
  choices: EngineChoices,
): ClientCall & { name: string } {
  const name = printSandboxName(config.pod, config.attempt);
  const args = ["run", "--detach", "--pull=never", `--name=${name}`];
  for (const [key, value] of Object.entries(engineLabels(config, choices.nodeName))) {
    args.push(label(key, value));
  }
  if (config.hostNetwork) args.push("--network=host");
  else {
    if (config.hostname !== "") args.push(`--hostname=${plain("hostname", config.hostname)}`);
    for (const port of config.portMappings) {
      const host = port.hostIP === ""
        ? ""
        : `${port.hostIP.includes(":") ? `[${port.hostIP}]` : port.hostIP}:`;
      args.push(
        `--publish=${
          plain(
            "port mapping",
            `${host}${port.hostPort}:${port.containerPort}/${port.protocol.toLowerCase()}`,
          )
        }`,
      );
    }
  }
  args.push(`--ipc=${config.hostIPC ? "host" : "shareable"}`);
  if (config.hostPID) args.push("--pid=host");
  if (config.cgroupParent !== "") args.push(`--cgroup-parent=${plain("cgroup parent", config.cgroupParent)}`);
  for (const server of config.dns?.servers ?? []) args.push(`--dns=${plain("DNS server", server)}`);
  for (const search of config.dns?.searches ?? []) args.push(`--dns-search=${plain("DNS search", search)}`);
  for (const option of config.dns?.options ?? []) args.push(`--dns-option=${plain("DNS option", option)}`);
  for (const { ip, hostnames } of config.hostAliases ?? []) {
    for (const name of hostnames) args.push(`--add-host=${plain("host alias", `${name}:${ip}`)}`);
  }
  for (const [key, value] of Object.entries(config.sysctls)) {
    args.push(`--sysctl=${plain("sysctl", `${key}=${value}`)}`);
  }
  args.push("--log-driver=none", `--cpu-shares=${SANDBOX_CPU_SHARES}`, "--security-opt=no-new-privileges");
  args.push(...oomScore(SANDBOX_OOM_SCORE_ADJ, choices));
  args.push("--", checkImageReference(config.image));
  return { name, args };
}

/** `docker create` of a container of a sandbox. @throws {RuntimeError} invalid, for a configuration it cannot express */
export function planCreateContainer(
  sandboxId: string,
  sandbox: SandboxFacts,
  config: ContainerConfig,
  choices: EngineChoices,
): ClientCall & { name: string } {
  const name = printContainerName(config.pod, config.name, config.attempt);
  const args = ["create", "--pull=never", `--name=${name}`];
  for (const [key, value] of Object.entries(engineLabels(config, choices.nodeName, sandboxId))) {
    args.push(label(key, value));
  }
  args.push(`--network=container:${sandboxId}`, `--ipc=container:${sandboxId}`);
  if (sandbox.hostPID) args.push("--pid=host");
  if (sandbox.hostNetwork) args.push("--uts=host");
  if (sandbox.cgroupParent !== "") args.push(`--cgroup-parent=${sandbox.cgroupParent}`);
  args.push(
    "--log-driver=json-file",
    `--log-opt=max-size=${choices.logMaxSizeBytes}`,
    `--log-opt=max-file=${choices.logMaxFiles}`,
  );
  args.push(...resourceArgs(config.resources, choices), ...securityArgs(config.security));
  if (config.stdin) args.push("--interactive");
  if (config.tty) args.push("--tty");
  if (config.workingDir !== undefined && config.workingDir !== "") {
    args.push(`--workdir=${plain("working directory", config.workingDir)}`);
  }
  for (const mount of config.mounts) args.push(mountArg(mount));
  const env = planEnv(config.env);
  args.push(...env.args);
  // The client takes one word as entrypoint; the rest of the command goes before the arguments.
  const [program, ...rest] = config.command ?? [];
  const tail = [...rest, ...config.args ?? []];
  if (program !== undefined) {
    if (program === "") {
      throw new RuntimeError("invalid", `Container "${config.name}" has an empty command`);
    }
    args.push(`--entrypoint=${plain("command", program)}`);
  }
  for (const word of tail) plain("argument", word);
  args.push("--", checkImageReference(config.image), ...tail);
  return { name, args, env: env.env, ...(env.stdin === undefined ? {} : { stdin: env.stdin }) };
}

/** Longest single argument the kernel passes on. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

function plain(what: string, value: string): string {
  if (value.includes("\0")) throw new RuntimeError("invalid", `Cannot pass ${what}: it holds a zero byte`);
  if (
    value.length * 3 > MAX_ARGUMENT_BYTES && new TextEncoder().encode(value).length > MAX_ARGUMENT_BYTES - 64
  ) {
    throw new RuntimeError("invalid", `Cannot pass ${what}: longer than 128 KiB`);
  }
  return value;
}

function label(key: string, value: string): string {
  if (key === "" || key.includes("=")) {
    throw new RuntimeError("invalid", `Invalid label or annotation name ${JSON.stringify(key.slice(0, 80))}`);
  }
  return `--label=${plain(`label or annotation "${key.slice(0, 80)}"`, `${key}=${value}`)}`;
}

function oomScore(adj: number, { mayLowerOomScore }: EngineChoices): string[] {
  return adj < 0 && !mayLowerOomScore ? [] : [`--oom-score-adj=${adj}`];
}

function resourceArgs(resources: LinuxResources, choices: EngineChoices): string[] {
  const args: string[] = [];
  const { cpuShares = 0, cpuQuotaMicros = 0, cpuPeriodMicros = 0, memoryLimitBytes = 0, oomScoreAdj } =
    resources;
  if (cpuShares > 0) args.push(`--cpu-shares=${cpuShares}`);
  if (cpuPeriodMicros > 0) args.push(`--cpu-period=${cpuPeriodMicros}`);
  if (cpuQuotaMicros > 0) args.push(`--cpu-quota=${cpuQuotaMicros}`);
  // Memory and swap alike: no swap on top of the limit.
  if (memoryLimitBytes > 0) args.push(`--memory=${memoryLimitBytes}b`, `--memory-swap=${memoryLimitBytes}b`);
  if (oomScoreAdj !== undefined) args.push(...oomScore(oomScoreAdj, choices));
  return args;
}

function securityArgs(security: ContainerSecurity): string[] {
  const args: string[] = [];
  if (security.privileged) args.push("--privileged");
  if (security.readOnlyRootFilesystem) args.push("--read-only");
  if (security.noNewPrivileges) args.push("--security-opt=no-new-privileges");
  const { runAsUser, runAsGroup } = security;
  if (runAsUser !== undefined) {
    args.push(
      `--user=${id("runAsUser", runAsUser)}${
        runAsGroup === undefined ? "" : `:${id("runAsGroup", runAsGroup)}`
      }`,
    );
  } else if (runAsGroup !== undefined) {
    throw new RuntimeError("invalid", "runAsGroup is specified without a runAsUser");
  }
  for (const group of security.supplementalGroups) {
    args.push(`--group-add=${id("supplementalGroups", group)}`);
  }
  for (const capability of security.addCapabilities) {
    args.push(`--cap-add=${plain("capability", capability)}`);
  }
  for (const capability of security.dropCapabilities) {
    args.push(`--cap-drop=${plain("capability", capability)}`);
  }
  return args;
}

function id(what: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new RuntimeError("invalid", `Invalid ${what} ${value}: must be between 0 and 2147483647`);
}

const PROPAGATION = { private: "rprivate", hostToContainer: "rslave", bidirectional: "rshared" } as const;

function mountArg({ hostPath, containerPath, readOnly, propagation }: Mount): string {
  for (const path of [hostPath, containerPath]) {
    if (!path.startsWith("/") || path.includes("\0")) {
      throw new RuntimeError("invalid", `Cannot mount ${JSON.stringify(path)}: not an absolute path`);
    }
  }
  // `--volume` makes a missing directory of the node, as engines under a kubelet do; `--mount` can hold a colon.
  if (!hostPath.includes(":") && !containerPath.includes(":")) {
    return `--volume=${hostPath}:${containerPath}:${readOnly ? "ro" : "rw"},${PROPAGATION[propagation]}`;
  }
  const fields = [
    "type=bind",
    `source=${hostPath}`,
    `target=${containerPath}`,
    `bind-propagation=${PROPAGATION[propagation]}`,
    ...(readOnly ? ["readonly"] : []),
  ];
  return `--mount=${fields.map(csvField).join(",")}`;
}

/** A field of a CSV line as RFC 4180 has it. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
