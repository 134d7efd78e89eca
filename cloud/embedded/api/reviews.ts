import type { Authenticator } from "../auth/authenticator.ts";
import { serviceAccountUser, TOKEN_ISSUER } from "../auth/service_account_tokens.ts";
import type { Authorizer } from "../auth/rbac.ts";
import { type Attributes, type PolicyRule, printRule } from "../auth/rules.ts";
import type { User } from "../auth/user.ts";
import { type ApiObject, isObject, objectAt, textAt, timeText, valueAt } from "../object.ts";
import { type FieldError, forbidden, invalid, invalidObject } from "../resources/field_error.ts";
import { readValue } from "./body.ts";
import { decodeObject, readFieldValidation } from "./write.ts";

/** What reviews ask. */
export interface ReviewComponents {
  authenticator: Authenticator;
  authorizer: Authorizer;
  now: () => number;
}

/** Answers a review: a question put as an object that is not stored. @throws {StatusError} */
export async function answerReview(
  { authenticator, authorizer, now }: ReviewComponents,
  { request, query, user, group, kind, namespace }: {
    request: Request;
    query: URLSearchParams;
    user: User;
    group: string;
    kind: string;
    /** Of the path. */
    namespace?: string;
  },
): Promise<ApiObject> {
  const schema = `${group.split(".")[0]}.v1.${kind}`;
  const body = await readValue(request, { [kind]: schema });
  const review = decodeObject(
    body,
    { apiVersion: `${group}/v1`, kind, schema },
    readFieldValidation(query),
    [],
  );
  const metadata = { creationTimestamp: timeText(now()) };
  const answer = (status: object): ApiObject => ({ ...review, metadata, status });
  switch (kind) {
    case "SelfSubjectReview":
      return answer({ userInfo: userInfo(user) });
    case "SelfSubjectAccessReview":
      return answer(accessStatus(authorizer, user, review, []));
    case "SelfSubjectRulesReview":
      return answer(rulesStatus(authorizer.rulesFor(user, textAt(review, "spec", "namespace"))));
    case "SubjectAccessReview":
      return answer(accessStatus(authorizer, subjectOf(review), review, subjectErrors(review)));
    case "LocalSubjectAccessReview":
      return answer(
        accessStatus(authorizer, subjectOf(review), review, [
          ...subjectErrors(review),
          ...localErrors(review, namespace ?? ""),
        ]),
      );
    default: {
      const spec = objectAt(review, "spec");
      const audiences = Array.isArray(spec.audiences) && spec.audiences.length > 0
        ? spec.audiences.map(String)
        : [TOKEN_ISSUER];
      const verified = await authenticator.verifyServiceAccount(textAt(spec, "token"), audiences);
      if (verified === undefined) return answer({ user: {}, error: "the token is not valid" });
      const shared = audiences.filter((audience) => verified.audiences.includes(audience));
      return answer({ authenticated: true, user: userInfo(serviceAccountUser(verified)), audiences: shared });
    }
  }
}

/** Whom a review asks about. */
function subjectOf(review: ApiObject): User {
  const groups = valueAt(review, "spec", "groups");
  return {
    username: textAt(review, "spec", "user"),
    groups: Array.isArray(groups) ? groups.map(String) : [],
  };
}

/** Upstream: k8s.io/kubernetes pkg/apis/authorization/validation/validation.go @ v1.33 */
function subjectErrors(review: ApiObject): FieldError[] {
  const { username, groups } = subjectOf(review);
  return username === "" && groups.length === 0
    ? [invalid("spec.user", username, "at least one of user or group must be specified")]
    : [];
}

function localErrors(review: ApiObject, namespace: string): FieldError[] {
  const errors: FieldError[] = [];
  const asked = textAt(review, "spec", "resourceAttributes", "namespace");
  if (asked !== namespace) {
    errors.push(
      invalid("spec.resourceAttributes.namespace", asked, "must match metadata.namespace"),
    );
  }
  if (isObject(valueAt(review, "spec", "nonResourceAttributes"))) {
    errors.push(
      forbidden("spec.nonResourceAttributes", "disallowed on this kind of request"),
    );
  }
  return errors;
}

function accessStatus(
  authorizer: Authorizer,
  user: User,
  review: ApiObject,
  errors: readonly FieldError[],
): object {
  const resource = valueAt(review, "spec", "resourceAttributes");
  const path = valueAt(review, "spec", "nonResourceAttributes");
  const all = [...errors];
  if (isObject(resource) === isObject(path)) {
    const why = isObject(resource)
      ? "cannot be specified in combination with resourceAttributes"
      : "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    all.unshift(
      invalid(`spec.${isObject(resource) ? "nonResourceAttributes" : "resourceAttributes"}`, null, why),
    );
  }
  if (all.length > 0) throw invalidObject({ group: "authorization.k8s.io", kind: review.kind }, "", all);
  const { allowed, reason } = authorizer.authorize(user, attributesIn(resource, path));
  return { allowed, ...(reason !== "" && { reason }) };
}

function attributesIn(resource: unknown, path: unknown): Attributes {
  if (!isObject(resource)) {
    return { kind: "path", verb: textAt(path, "verb"), path: textAt(path, "path") };
  }
  const [subresource, namespace, name] = ["subresource", "namespace", "name"].map((field) =>
    textAt(resource, field)
  );
  return {
    kind: "resource",
    verb: textAt(resource, "verb"),
    group: textAt(resource, "group"),
    resource: textAt(resource, "resource"),
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  };
}

function rulesStatus(rules: readonly PolicyRule[]): object {
  const printed = rules.map(printRule);
  return {
    resourceRules: printed.filter((rule) => rule.nonResourceURLs === undefined),
    nonResourceRules: printed.filter((rule) => rule.nonResourceURLs !== undefined),
    incomplete: false,
  };
}

function userInfo({ username, uid, groups, extra }: User): object {
  return {
    username,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}
