/**
 * The configuration of cloudcore: its table of keys, reading, checking, deciding and printing.
 * Takes: the text of `cloudcore.yaml`; what the machine says of itself.
 * Gives: a complete `CloudCoreConfig` and which Kubernetes API to use, or a ConfigError with every problem; commented YAML.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/cloudcore @ 16cd854
 * @module
 */
import {
  type ConfigReading,
  readConfig,
  readConfigText,
  type ReportProblem,
} from "../../common/config/mod.ts";
import { checkCloudCore } from "./rules.ts";
import { CLOUD_CORE_SCHEMA, type CloudCoreConfig } from "./schema.ts";

export { decideCloudCore, defaultCloudCoreConfig, printCloudCoreConfig } from "./decide.ts";
export type { ControlPlane, DecidedCloudCore, HostFacts } from "./decide.ts";
export type { CloudCoreConfig } from "./schema.ts";

/** Finds more that cannot be, such as what the program at hand does not do; is given a complete configuration. */
export type CloudCoreRules = (config: CloudCoreConfig, report: ReportProblem) => void;

/**
 * Reads the text of a `cloudcore.yaml`; `source` names it in messages.
 * @throws {ConfigError} with everything that is wrong at once
 */
export function readCloudCoreConfig(
  text: string,
  source = "cloudcore.yaml",
  moreRules: CloudCoreRules = () => {},
): ConfigReading<CloudCoreConfig> {
  const rules: CloudCoreRules = (config, report) => {
    checkCloudCore(config, report);
    moreRules(config, report);
  };
  return readConfig<CloudCoreConfig>({ schema: CLOUD_CORE_SCHEMA, rules }, text, source);
}

/**
 * Reads a `cloudcore.yaml` file.
 * @throws {ConfigError} also when the file is missing or cannot be read
 */
export async function loadCloudCoreConfig(
  path: string,
  moreRules?: CloudCoreRules,
): Promise<ConfigReading<CloudCoreConfig>> {
  return readCloudCoreConfig(await readConfigText(path, "cloudcore"), path, moreRules);
}
