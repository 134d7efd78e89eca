import {
  findStatusError,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isNotFound,
} from "../../common/errors/mod.ts";
import type { KubeClient, KubeDiscovery } from "../../common/kubeclient/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import { compareDefinition, newDefinition, upgradedDefinition } from "./compare.ts";
import { type Definition, DEFINITIONS } from "./definition.ts";

/** How a definition was found and left. */
export type Outcome =
  /** Served, with all that this program's definition has. */
  | { state: "fits" }
  | { state: "created" }
  | { state: "updated"; missing: string[] }
  /** Served, and this user may not look at the definition. */
  | { state: "unseen" }
  /** Not there, and this user may not create it, or nothing serves definitions. */
  | { state: "missing"; why: "no right" | "no apiextensions.k8s.io" }
  /** It lacks something, and this user may not change it. */
  | { state: "outdated"; missing: string[] }
  /** It has what this program does not know, and is left as it is. */
  | { state: "foreign"; unknown: string[]; missing: string[] }
  /** Stored, and not served in time. */
  | { state: "not established"; message: string };

/** What bringing one definition up to date uses. */
export interface SurveyComponents {
  kube: Pick<KubeClient, "get" | "create" | "update"> & KubeDiscovery;
  clock: Clock;
  version: string;
}

/** Another cloudcore writes the same; after so many lost races something else is wrong. */
const WRITE_TRIES = 5;
const ESTABLISHED_POLL_MS = 100;
/** How long a stored definition may take to be served. */
const ESTABLISHED_MS = 15_000;

/** Looks at one definition, creates or updates it where that is due and permitted, and waits until it is served. */
export async function ensureDefinition(
  components: SurveyComponents,
  ours: Definition,
  signal: AbortSignal,
): Promise<Outcome> {
  const { kube, version } = components;
  const ref = { name: ours.metadata!.name! };
  for (let attempt = 1;; attempt++) {
    let theirs: Definition;
    try {
      theirs = await kube.get(DEFINITIONS, ref, { signal });
    } catch (error) {
      if (isForbidden(error)) return await lookFromOutside(components, ours, signal);
      if (!isNotFound(error)) throw error;
      if (findStatusError(error)?.details?.name !== ref.name) {
        return { state: "missing", why: "no apiextensions.k8s.io" };
      }
      try {
        const made = await kube.create(DEFINITIONS, newDefinition(ours, version), { signal });
        return await established(components, made, { state: "created" }, signal);
      } catch (error) {
        if (isForbidden(error)) return { state: "missing", why: "no right" };
        if (!isAlreadyExists(error) || attempt >= WRITE_TRIES) throw error;
        continue;
      }
    }
    const verdict = compareDefinition(theirs, ours, version);
    if (verdict.kind === "foreign") {
      return { state: "foreign", unknown: verdict.unknown, missing: verdict.missing };
    }
    if (verdict.kind === "fits") return await established(components, theirs, { state: "fits" }, signal);
    const missing = verdict.kind === "older"
      ? verdict.missing
      : [`what changed since cloudcore ${verdict.writer}`];
    try {
      const updated = await kube.update(DEFINITIONS, upgradedDefinition(theirs, ours, version), { signal });
      return await established(components, updated, { state: "updated", missing }, signal);
    } catch (error) {
      if (isForbidden(error)) {
        return verdict.kind === "older"
          ? { state: "outdated", missing }
          : await established(components, theirs, { state: "fits" }, signal);
      }
      // Somebody else was faster: what is there now is looked at.
      if (!(isConflict(error) || isNotFound(error)) || attempt >= WRITE_TRIES) throw error;
    }
  }
}

/** What can be told without a look at the definition: whether each version that this program knows is served. */
async function lookFromOutside(
  { kube }: SurveyComponents,
  { spec }: Definition,
  signal: AbortSignal,
): Promise<Outcome> {
  const wanted = spec.versions.filter(({ served }) => served);
  const missing: string[] = [];
  for (const { name, subresources } of wanted) {
    const served = await kube.servedResources(spec.group, name, { signal });
    if (!served.has(spec.names.plural)) missing.push(`version ${name}`);
    else if (subresources?.status !== undefined && !served.has(`${spec.names.plural}/status`)) {
      missing.push(`${name} subresource status`);
    }
  }
  if (missing.length === 0) return { state: "unseen" };
  if (missing.filter((what) => what.startsWith("version ")).length < wanted.length) {
    return { state: "outdated", missing };
  }
  return { state: "missing", why: "no right" };
}

/** Waits until the definition is served. */
async function established(
  { kube, clock }: SurveyComponents,
  definition: Definition,
  outcome: Outcome,
  signal: AbortSignal,
): Promise<Outcome> {
  const end = clock.now() + ESTABLISHED_MS;
  const ref = { name: definition.metadata!.name! };
  for (let seen = definition;; seen = await kube.get(DEFINITIONS, ref, { signal })) {
    const conditions = seen.status?.conditions ?? [];
    const holds = (type: string) => conditions.some((c) => c.type === type && c.status === "True");
    if (holds("Established") && !holds("Terminating")) return outcome;
    const refused = conditions.find((c) => c.type === "NamesAccepted" && c.status === "False");
    if (refused !== undefined || clock.now() >= end) {
      const message = refused?.message ??
        (holds("Terminating") ? "it is being deleted" : "the API server is slow");
      return { state: "not established", message };
    }
    await clock.sleep(ESTABLISHED_POLL_MS, { signal });
  }
}
