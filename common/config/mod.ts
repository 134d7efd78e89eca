/**
 * Configuration files as data: a table of fields reads, checks and prints them, and reports everything that is wrong at once.
 * Also the command line of the two cores.
 * Takes: the text of a file; the arguments of a program.
 * Gives: a complete, typed configuration with warnings, or a ConfigError; commented YAML that loads unchanged.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig, pkg/util/flag/flags.go @ 16cd854
 * @module
 */
export {
  bool,
  choice,
  defaultOf,
  duration,
  float,
  int,
  interval,
  list,
  map,
  section,
  text,
  TIMER_MAX_SECONDS,
  whole,
} from "./schema.ts";
export type { Field, Fields, Format, Infer, InferFields, Of, SectionField } from "./schema.ts";
export {
  ABSOLUTE_PATH,
  DNS_LABEL_NAME,
  DNS_SUBDOMAIN,
  HOST_PORT,
  IP_ADDRESS,
  IP_PORT,
  QUANTITY,
  QUANTITY_OR_PERCENT,
  splitHostPort,
  UNIX_SOCKET,
  urlOf,
} from "./formats.ts";
export { formatGoDuration, parseGoDuration } from "./duration.ts";
export { pickLocalIP } from "./host.ts";
export type { InterfaceFacts } from "./host.ts";
export { nearest } from "./nearest.ts";
export { ConfigError, formatProblem } from "./problem.ts";
export type { ConfigProblem, Position } from "./problem.ts";
export { readConfig, readConfigText } from "./read.ts";
export type { ConfigKind, ConfigReading, ReportProblem } from "./read.ts";
export { parseTree, positionOf } from "./tree.ts";
export type { ListNode, MapNode, ParsedTree, ScalarNode, TreeEntry, TreeNode } from "./tree.ts";
export { minimalOf, printConfig } from "./print.ts";
export type { PrintWhich } from "./print.ts";
export { coreHelp, parseCoreFlags } from "./flags.ts";
export type { CoreCommand, CoreProgram } from "./flags.ts";
