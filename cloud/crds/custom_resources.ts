import type { Event } from "../../common/api/core_v1.ts";
import { errorText, hasReason, isAlreadyExists } from "../../common/errors/mod.ts";
import { EVENTS, type KubeClient, type KubeDiscovery } from "../../common/kubeclient/mod.ts";
import {
  aborted,
  backoffMs,
  type Clock,
  defineModule,
  type Logger,
  type Module,
} from "../../common/module/mod.ts";
import { carriedDefinitions, type Definition, FEATURES } from "./definition.ts";
import { ensureDefinition, type Outcome } from "./survey.ts";

/** What keeping the custom resources uses. */
export interface CustomResourcesComponents {
  kube: Pick<KubeClient, "get" | "create" | "update" | "patch"> & KubeDiscovery;
  clock: Clock;
  log: Logger;
  /** This program's version. */
  version: string;
  /** @default what the program carries */
  definitions?: () => Iterable<Definition>;
}

/** The command that installs what is missing, from where this program comes from. */
export const INSTALL_COMMAND = "kubectl apply -f crds/";

const RETRY = { baseMs: 2_000, maxMs: 60_000 };
const ACCESS = ["ServiceUnavailable", "Unauthorized"] as const;
const NAMESPACE_OF_EVENTS = "default";

/**
 * Installs and upgrades the custom resources as far as this user may, says what is missing, and tries again until nothing is.
 * Ready at once: nobody waits for it.
 */
export function customResources(components: CustomResourcesComponents): Module {
  const { clock } = components;
  return defineModule("customresources", async ({ signal, ready }) => {
    ready();
    let told = new Map<string, string>();
    for (let attempt = 0;; attempt++) {
      const { lacking, reports } = await look(components, told, signal);
      told = reports;
      if (!lacking) break;
      await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
    }
    await aborted(signal);
  });
}

/** One round over all definitions. Each thing is told when it is new. */
async function look(
  components: CustomResourcesComponents,
  before: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<{ lacking: boolean; reports: Map<string, string> }> {
  const { log } = components;
  const definitions = (components.definitions ?? carriedDefinitions)();
  const reports = new Map<string, string>();
  const found = new Map<string, Outcome[]>();
  let lacking = false;
  const news: Array<{ name: string; reason: string; message: string }> = [];
  // One after another: the definitions are many times larger than what is kept of them.
  for (const ours of definitions) {
    const name = ours.metadata!.name!;
    let outcome: Outcome;
    try {
      outcome = await ensureDefinition(components, ours, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      lacking = true;
      const text = errorText(error);
      reports.set(name, text);
      // What keeps every request from the server, the client tells once for all.
      const isAccess = ACCESS.some((reason) => hasReason(error, reason));
      if (before.get(name) !== text && !isAccess) {
        log.error("Cannot look after a custom resource, trying again", error, { name });
      }
      continue;
    }
    const { state } = outcome;
    found.set(state, [...found.get(state) ?? [], outcome]);
    if (state === "missing" || state === "outdated" || state === "not established") lacking = true;
    const message = describe(name, outcome);
    if (message === undefined) continue;
    reports.set(name, message);
    if (before.get(name) !== message) news.push({ name, reason: REASONS[state] ?? state, message });
  }
  tellCounts(log, found);
  tellNews(log, news);
  for (const one of news) await recordEvent(components, one, signal);
  if (before.size > 0 && reports.size === 0) log.info("All custom resources are there");
  return { lacking, reports };
}

const REASONS: Readonly<Partial<Record<Outcome["state"], string>>> = {
  missing: "CustomResourceMissing",
  outdated: "CustomResourceOutdated",
  foreign: "CustomResourceUnknown",
  "not established": "CustomResourceNotServed",
};

/** What people should know of an outcome; undefined when all is well. */
export function describe(name: string, outcome: Outcome): string | undefined {
  const feature = FEATURES[name] ?? "KubeEdge";
  switch (outcome.state) {
    case "missing":
      return outcome.why === "no right"
        ? `${name} is missing: ${feature}`
        : `${name} is missing, and nothing serves apiextensions.k8s.io here: ${feature}`;
    case "outdated":
      return `${name} is of an older version, it lacks ${some(outcome.missing)}: ${feature}`;
    case "not established":
      return `${name} is stored and not served, ${outcome.message}: ${feature}`;
    case "foreign": {
      const lacks = outcome.missing.length === 0 ? "" : `, and lacks ${some(outcome.missing)}`;
      return `${name} is left as it is: it has ${some(outcome.unknown)}, unknown to this version${lacks}`;
    }
    default:
      return undefined;
  }
}

function some(what: readonly string[]): string {
  return what.length <= 5 ? what.join(", ") : `${what.slice(0, 5).join(", ")} and ${what.length - 5} more`;
}

function tellCounts(log: Logger, found: ReadonlyMap<string, Outcome[]>): void {
  const [created, updated] = [found.get("created")?.length ?? 0, found.get("updated")?.length ?? 0];
  if (created > 0 || updated > 0) log.info("Installed custom resources", { created, updated });
}

function tellNews(log: Logger, news: ReadonlyArray<{ reason: string; message: string }>): void {
  const kept = news.filter(({ reason }) => reason === REASONS.foreign);
  for (const { message } of kept) log.warning("A custom resource is not changed", { what: message });
  const wrong = news.filter(({ reason }) => reason !== REASONS.foreign);
  if (wrong.length === 0) return;
  log.warning(
    "Custom resources are not as they should be and cloudcore may not change that; all else goes on",
    {
      what: wrong.map(({ message }) => message).join("; "),
      fix: `${INSTALL_COMMAND}, or give cloudcore the rights of ClusterRole cloudcore-crds`,
    },
  );
}

/** One event for each definition and reason; one that is there is counted up. */
async function recordEvent(
  { kube, clock, log }: CustomResourcesComponents,
  { name, reason, message }: { name: string; reason: string; message: string },
  signal: AbortSignal,
): Promise<void> {
  const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const ref = { namespace: NAMESPACE_OF_EVENTS, name: `${name}.${reason.toLowerCase()}` };
  const event: Event = {
    apiVersion: "v1",
    kind: "Event",
    metadata: ref,
    involvedObject: { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name },
    reason,
    message: `${message}; ${INSTALL_COMMAND}`.slice(0, 1024),
    type: "Warning",
    source: { component: "cloudcore" },
    reportingComponent: "cloudcore",
    reportingInstance: "cloudcore",
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
  };
  try {
    await kube.create(EVENTS, event, { signal }).catch(async (error) => {
      if (!isAlreadyExists(error)) throw error;
      const body = { message: event.message, lastTimestamp: now };
      await kube.patch(EVENTS, ref, { type: "merge", body }, { signal });
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    log.debug("Cannot record an event", { name, err: errorText(error) });
  }
}
