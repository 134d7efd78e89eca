import { Command, CommanderError, Option } from "commander";
import type { KubeReader } from "../common/kubeclient/mod.ts";
import { OutputError } from "../common/output/mod.ts";
import type { VersionInfo } from "../common/version/mod.ts";
import { chooseKubeConfig, DEFAULT_KUBE_CONFIG, getToken } from "./gettoken.ts";
import { CommandError, type Output } from "./output.ts";
import { printVersion, VERSION_FORMS, type VersionForm } from "./version.ts";

/** What the commands use. */
export interface KeadmComponents {
  output: Output;
  /** @throws {Error} whose message names the file and what is wrong with it */
  connect: (kubeConfig: string) => Promise<KubeReader & AsyncDisposable>;
  /** Whether there is a file that this user can get at. */
  exists: (path: string) => Promise<boolean>;
  /** Value of a variable of the environment. */
  env: (name: "KUBECONFIG" | "HOME") => string | undefined;
  versionInfo: () => VersionInfo;
  /** What `--version` prints. */
  versionText: string;
}

/** 0 done, 1 failed, 2 wrong command line. */
export type ExitCode = 0 | 1 | 2;

/** Runs the command that the arguments name; what it prints goes to the components' output. */
export async function runKeadm(args: readonly string[], components: KeadmComponents): Promise<ExitCode> {
  const { output } = components;
  try {
    // No command at all is a question for help.
    await program(components).parseAsync(args.length === 0 ? ["--help"] : [...args], { from: "user" });
    return 0;
  } catch (error) {
    // commander has printed its own message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof CommandError || error instanceof OutputError)) throw error;
    output.err(`Error: ${error.message}`);
    return 1;
  }
}

function program(components: KeadmComponents): Command {
  const { output } = components;
  const keadm = new Command("keadm")
    .description("Sets up KubeEdge and looks after it.")
    .version(components.versionText, "-V, --version", "print the version of this program")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text.trimEnd()),
      writeErr: (text) => output.err(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, "Error: ")),
    })
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong command line.");

  keadm.command("version")
    .description("print the version of KubeEdge this program is of")
    .addOption(new Option("-o, --output <form>", "form of the output").choices(VERSION_FORMS))
    .allowExcessArguments(false)
    .action(({ output: form }: { output?: VersionForm }) => {
      output.out(printVersion(components.versionInfo(), form));
    });

  keadm.command("gettoken")
    .description("print the token that edge nodes join with")
    .option(
      "--kube-config <file>",
      `kubeconfig of the cluster (default: ${DEFAULT_KUBE_CONFIG}, the one KUBECONFIG names, or ~/.kube/config)`,
    )
    .allowExcessArguments(false)
    .action(async ({ kubeConfig }: { kubeConfig?: string }) => {
      const path = await chooseKubeConfig({
        given: kubeConfig,
        env: components.env,
        exists: components.exists,
      });
      await using client = await components.connect(path);
      output.out(await getToken(client, path));
    });
  return keadm;
}
