import { jsonEqual } from "../object.ts";
import type { Crd, CrdCondition, CrdNames } from "./definition.ts";

/** Names that the resources of a group have. */
export interface TakenNames {
  /** Plurals, singulars and short names. */
  resources: ReadonlySet<string>;
  /** Kinds and those of their lists. */
  kinds: ReadonlySet<string>;
}

/** What came of the names a definition asks for. */
export interface NamesPlan {
  acceptedNames: CrdNames;
  conditions: CrdCondition[];
}

/**
 * Decides which of its names a definition gets: those it has already and those that are free.
 * Upstream: k8s.io/apiextensions-apiserver pkg/controller/status/naming_controller.go @ v1.33
 * @param now time of a change of condition, as an object has it
 * @returns undefined when nothing changes
 */
export function planNames(crd: Crd, taken: TakenNames, now: string): NamesPlan | undefined {
  const { spec: { names }, status } = crd;
  const accepted: CrdNames = { ...status.acceptedNames };
  let conflict: { reason: string; message: string } | undefined;
  const take = (reason: string, wanted: string, present: string, used: ReadonlySet<string>): boolean => {
    if (wanted === present || !used.has(wanted)) return true;
    conflict = { reason, message: `${JSON.stringify(wanted)} is already in use` };
    return false;
  };
  if (take("PluralConflict", names.plural, accepted.plural, taken.resources)) accepted.plural = names.plural;
  if (take("SingularConflict", names.singular, accepted.singular, taken.resources)) {
    accepted.singular = names.singular;
  }
  const shortNames = names.shortNames ?? [];
  const used = shortNames.filter((name) =>
    !(accepted.shortNames ?? []).includes(name) && taken.resources.has(name)
  );
  if (used.length === 0) setList(accepted, "shortNames", names.shortNames);
  else {
    const texts = used.map((name) => `${JSON.stringify(name)} is already in use`);
    const message = texts.length === 1 ? texts[0]! : `[${texts.join(", ")}]`;
    conflict = { reason: "ShortNamesConflict", message };
  }
  if (take("KindConflict", names.kind, accepted.kind, taken.kinds)) accepted.kind = names.kind;
  if (take("ListKindConflict", names.listKind, accepted.listKind, taken.kinds)) {
    accepted.listKind = names.listKind;
  }
  setList(accepted, "categories", names.categories);
  const namesAccepted = conflict === undefined
    ? { status: "True" as const, reason: "NoConflicts", message: "no conflicts found" }
    : { status: "False" as const, ...conflict };
  let conditions = setCondition(status.conditions, { type: "NamesAccepted", ...namesAccepted }, now);
  if (conditions.find(({ type }) => type === "Established")?.status !== "True") {
    conditions = setCondition(
      conditions,
      conflict === undefined
        ? {
          type: "Established",
          status: "True",
          reason: "InitialNamesAccepted",
          message: "the initial names have been accepted",
        }
        : {
          type: "Established",
          status: "False",
          reason: "NotAccepted",
          message: "not all names are accepted",
        },
      now,
    );
  }
  if (jsonEqual(accepted, status.acceptedNames) && jsonEqual(conditions, status.conditions)) return undefined;
  return { acceptedNames: accepted, conditions };
}

function setList(names: CrdNames, key: "shortNames" | "categories", value: string[] | undefined): void {
  if (value === undefined) delete names[key];
  else names[key] = value;
}

/** Conditions with one of them set; its time changes with its status only. */
export function setCondition(
  conditions: readonly CrdCondition[],
  condition: Omit<CrdCondition, "lastTransitionTime">,
  now: string,
): CrdCondition[] {
  const old = conditions.find(({ type }) => type === condition.type);
  const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : now;
  const changed = { lastTransitionTime, ...condition };
  return old === undefined ? [...conditions, changed] : conditions.map((one) => one === old ? changed : one);
}
