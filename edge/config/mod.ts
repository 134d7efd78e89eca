/**
 * The configuration of edgecore: its table of keys, reading, checking, deciding and printing.
 * Takes: the text of `edgecore.yaml` (v1alpha2, or v1alpha1 with notes on what was converted); what the machine says of itself.
 * Gives: a complete `EdgeCoreConfig`, or a ConfigError with every problem; commented YAML.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/edgecore @ 16cd854
 * @module
 */
import {
  type ConfigReading,
  readConfig,
  readConfigText,
  type ReportProblem,
} from "../../common/config/mod.ts";
import { convertOldConfig } from "./legacy.ts";
import { checkEdgeCore } from "./rules.ts";
import { EDGE_CORE_SCHEMA, type EdgeCoreConfig } from "./schema.ts";

export { decideEdgeCore, defaultEdgeCoreConfig, printEdgeCoreConfig } from "./decide.ts";
export type { DecidedEdgeCore, HostFacts } from "./decide.ts";
export type { EdgeCoreConfig } from "./schema.ts";

/** Finds more that cannot be, such as what the program at hand does not do; is given a complete configuration. */
export type EdgeCoreRules = (config: EdgeCoreConfig, report: ReportProblem) => void;

/**
 * Reads the text of an `edgecore.yaml`; `source` names it in messages.
 * @throws {ConfigError} with everything that is wrong at once
 */
export function readEdgeCoreConfig(
  text: string,
  source = "edgecore.yaml",
  moreRules: EdgeCoreRules = () => {},
): ConfigReading<EdgeCoreConfig> {
  const rules: EdgeCoreRules = (config, report) => {
    checkEdgeCore(config, report);
    moreRules(config, report);
  };
  return readConfig<EdgeCoreConfig>(
    { schema: EDGE_CORE_SCHEMA, convert: convertOldConfig, rules },
    text,
    source,
  );
}

/**
 * Reads an `edgecore.yaml` file.
 * @throws {ConfigError} also when the file is missing or cannot be read
 */
export async function loadEdgeCoreConfig(
  path: string,
  moreRules?: EdgeCoreRules,
): Promise<ConfigReading<EdgeCoreConfig>> {
  return readEdgeCoreConfig(await readConfigText(path, "edgecore"), path, moreRules);
}
