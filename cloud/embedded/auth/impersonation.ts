import { StatusError } from "../../../common/errors/mod.ts";
import type { Authorizer } from "./rbac.ts";
import { forbidden } from "./forbidden.ts";
import type { ResourceAttributes } from "./rules.ts";
import type { User } from "./user.ts";

const MAX_VALUES = 100;
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/**
 * The user that a request is to be answered as: the one who sends it, or whom that user may act as.
 * Upstream: k8s.io/apiserver pkg/endpoints/filters/impersonation.go @ v0.33
 * @throws {StatusError} Forbidden when the sender may not; BadRequest for groups without a user
 */
export function impersonated(sender: User, headers: Headers, authorizer: Authorizer): User {
  const username = headers.get("impersonate-user") ?? "";
  const uid = headers.get("impersonate-uid") ?? "";
  const asked = valuesOf(headers.get("impersonate-group"));
  const extra = extraOf(headers);
  if (username === "") {
    if (asked.length === 0 && uid === "" && Object.keys(extra).length === 0) return sender;
    throw new StatusError(
      "BadRequest",
      "requested to impersonate groups, a uid or extra values without impersonating a user",
    );
  }
  const check = (attributes: Omit<ResourceAttributes, "kind" | "verb">) => {
    const full = { kind: "resource", verb: "impersonate", ...attributes } as const;
    if (!authorizer.authorize(sender, full).allowed) throw forbidden(sender, full);
  };
  const [, namespace, account] = SERVICE_ACCOUNT.exec(username) ?? [];
  if (namespace !== undefined && account !== undefined) {
    check({ group: "", resource: "serviceaccounts", namespace, name: account });
  } else check({ group: "", resource: "users", name: username });
  for (const name of asked) check({ group: "", resource: "groups", name });
  const authentication = "authentication.k8s.io";
  if (uid !== "") check({ group: authentication, resource: "uids", name: uid });
  for (const [key, values] of Object.entries(extra)) {
    for (const name of values) {
      check({ group: authentication, resource: "userextras", subresource: key, name });
    }
  }
  const own = namespace === undefined || asked.length > 0
    ? asked
    : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  const known = username === "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  return {
    username,
    groups: own.includes(known) ? own : [...own, known],
    ...(uid !== "" && { uid }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

/** Headers of one name come joined; none of the values that make sense has a comma. */
function valuesOf(header: string | null): string[] {
  const values = (header ?? "").split(",").map((value) => value.trim()).filter((value) => value !== "");
  if (values.length > MAX_VALUES) throw new StatusError("BadRequest", "too many values to impersonate");
  return values;
}

function extraOf(headers: Headers): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const [name, value] of headers) {
    const key = /^impersonate-extra-(.+)$/.exec(name)?.[1];
    if (key !== undefined) extra[key] = valuesOf(value);
  }
  return extra;
}
