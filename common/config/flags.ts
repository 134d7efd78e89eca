import { parseArgs } from "node:util";
import type { LogLevel } from "../module/mod.ts";
import { nearest } from "./nearest.ts";
import { show } from "./problem.ts";
import type { PrintWhich } from "./print.ts";

/** The programs that take these flags. */
export type CoreProgram = "cloudcore" | "edgecore";

/** What the command line asks for. */
export type CoreCommand =
  | RunCommand
  | { kind: "print-config"; which: PrintWhich }
  | { kind: "version" }
  | { kind: "help" }
  /** `message` for standard error, then this exit code. */
  | { kind: "refuse"; message: string; exitCode: 2 };

/** Start the core. */
export interface RunCommand {
  kind: "run";
  configPath: string;
  /** From `-v`; undefined leaves it to the configuration. */
  logLevel: LogLevel | undefined;
  /** From `--logging-format`; undefined leaves it to the configuration. */
  logFormat: "text" | "json" | undefined;
}

/** A flag: `bool` may stand alone or with `=true|false`; `text` takes the next argument or what follows `=`. */
interface Flag {
  type: "bool" | "text";
  /** Empty for flags that are taken and change nothing. */
  help: string;
}

/** klog's verbosity from which on debug lines are written, as Kubernetes uses the numbers. */
const DEBUG_VERBOSITY = 4;

const FLAGS: Readonly<Record<string, Flag>> = {
  "config": { type: "text", help: "path of the configuration file" },
  "minconfig": { type: "bool", help: "print a small configuration to begin with, and exit" },
  "defaultconfig": { type: "bool", help: "print the configuration with every key and its default, and exit" },
  "version": { type: "bool", help: "print the version, and exit" },
  "help": { type: "bool", help: "print this text, and exit" },
  "v": { type: "text", help: `verbosity; ${DEBUG_VERBOSITY} and more write debug lines` },
  "logging-format": { type: "text", help: 'form of the log lines: "text" (like klog\'s) or "json"' },
  "logtostderr": { type: "bool", help: "" },
  "alsologtostderr": { type: "bool", help: "" },
  "add-dir-header": { type: "bool", help: "" },
  "one-output": { type: "bool", help: "" },
  "skip-headers": { type: "bool", help: "" },
  "skip-log-headers": { type: "bool", help: "" },
  "log-backtrace-at": { type: "text", help: "" },
  "log-dir": { type: "text", help: "" },
  "log-file": { type: "text", help: "" },
  "log-file-max-size": { type: "text", help: "" },
  "log-flush-frequency": { type: "text", help: "" },
  "stderrthreshold": { type: "text", help: "" },
  "vmodule": { type: "text", help: "" },
};

const SHORT: Readonly<Record<string, string>> = { h: "help", v: "v" };

/** Where a core looks for its configuration. */
const DEFAULT_PATH: Readonly<Record<CoreProgram, string>> = {
  cloudcore: "/etc/kubeedge/config/cloudcore.yaml",
  edgecore: "/etc/kubeedge/config/edgecore.yaml",
};

/**
 * What the arguments of a core ask for. Long flags may be spelled with `_` for `-`, as upstream's may.
 * Upstream: kubeedge pkg/util/flag/flags.go, cloud/cmd/cloudcore/app, edge/cmd/edgecore/app @ 16cd854
 */
export function parseCoreFlags(args: readonly string[], program: CoreProgram): CoreCommand {
  const refuse = (message: string): CoreCommand => ({
    kind: "refuse",
    message: `${program}: ${message}\nRun "${program} --help" for the flags there are.`,
    exitCode: 2,
  });
  const options: Record<string, { type: "boolean" | "string"; short?: string }> = {};
  for (const [name, flag] of Object.entries(FLAGS)) {
    options[name] = { type: flag.type === "bool" ? "boolean" : "string" };
    const short = Object.entries(SHORT).find(([, long]) => long === name)?.[0];
    if (short !== undefined) options[name].short = short;
  }
  const { tokens } = parseArgs({
    args: args.map(normalize),
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const bools = new Map<string, boolean>();
  const texts = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "positional") {
      return refuse(`Cannot use the argument ${show(token.value)}: only flags are taken`);
    }
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(FLAGS, token.name) ? FLAGS[token.name] : undefined;
    if (flag === undefined) return refuse(unknownFlag(args[token.index] ?? token.rawName));
    if (flag.type === "bool") {
      const value = parseBool(token.value);
      if (value === undefined) {
        return refuse(`Cannot use --${token.name}=${token.value}: it is true or false`);
      }
      bools.set(token.name, value);
    } else {
      if (token.value === undefined || token.value === "") {
        return refuse(`Cannot use --${token.name} without a value`);
      }
      // parseArgs leaves the "=" of `-v=4` in the value.
      texts.set(token.name, token.rawName === "-v" ? token.value.replace(/^=/, "") : token.value);
    }
  }
  if (bools.get("help")) return { kind: "help" };
  if (bools.get("version")) return { kind: "version" };
  if (bools.get("minconfig")) return { kind: "print-config", which: "min" };
  if (bools.get("defaultconfig")) return { kind: "print-config", which: "default" };
  const verbosity = texts.get("v") ?? "0";
  if (!/^\d{1,3}$/.test(verbosity)) {
    return refuse(`Cannot use -v ${show(verbosity)}: it is a number such as 4`);
  }
  const logFormat = texts.get("logging-format");
  if (logFormat !== undefined && logFormat !== "text" && logFormat !== "json") {
    return refuse(`Cannot use --logging-format ${show(logFormat)}: it is text or json`);
  }
  return {
    kind: "run",
    configPath: texts.get("config") ?? DEFAULT_PATH[program],
    logLevel: Number(verbosity) >= DEBUG_VERBOSITY ? "debug" : undefined,
    logFormat,
  };
}

/** `--log_dir=x` is `--log-dir=x`. */
function normalize(arg: string): string {
  if (!arg.startsWith("--")) return arg;
  const [name = "", ...value] = arg.split("=");
  return [name.replaceAll("_", "-"), ...value].join("=");
}

/** As Go's strconv.ParseBool reads it; a flag alone is true. */
function parseBool(text: string | undefined): boolean | undefined {
  if (text === undefined || /^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

function unknownFlag(arg: string): string {
  const given = arg.split("=")[0] ?? arg;
  const near = nearest(given.replace(/^-+/, ""), Object.keys(FLAGS).filter((name) => name.length > 1));
  return `Unknown flag ${show(given)}${near === undefined ? "" : ` (did you mean "--${near}"?)`}`;
}

const ABOUT: Readonly<Record<CoreProgram, string>> = {
  cloudcore:
    "The cloud side of KubeEdge: connects edge nodes to a Kubernetes API, or to the one it can carry itself.",
  edgecore: "The edge side of KubeEdge: joins a node to the cloud and keeps its pods running without it.",
};

/** The text of `--help`. */
export function coreHelp(program: CoreProgram): string {
  const rows = Object.entries(FLAGS).filter(([, flag]) => flag.help !== "").map(([name, flag]) => {
    const short = Object.keys(SHORT).find((letter) => SHORT[letter] === name);
    const spelled = `${short === undefined ? "    " : `-${short}, `}--${name}${
      flag.type === "text" ? " VALUE" : ""
    }`;
    const standard = name === "config" ? ` (default ${DEFAULT_PATH[program]})` : "";
    return `  ${spelled.padEnd(32)}${flag.help}${standard}`;
  });
  const ignored = Object.entries(FLAGS).filter(([, flag]) => flag.help === "").map(([name]) => `--${name}`);
  return [
    ABOUT[program],
    "",
    `Usage: ${program} [flags]`,
    "",
    "Flags:",
    ...rows,
    "",
    "Taken for compatibility, without effect (all lines go to standard error):",
    `  ${ignored.join(" ")}`,
    "",
    "To begin:",
    `  ${program} --minconfig > ${program}.yaml`,
    `  ${program} --config ${program}.yaml`,
    "",
    "Exit codes: 0 done, 1 failed while running, 2 wrong flags or configuration.",
    "",
  ].join("\n");
}
