import type { Authenticator } from "../auth/authenticator.ts";
import { serviceAccountUser, TOKEN_ISSUER } from "../auth/service_account_tokens.ts";
import { isAdmin, type User } from "../auth/user.ts";
import { type ApiObject, objectAt, textAt, timeText, valueAt } from "../object.ts";
import { readValue } from "./body.ts";
import { decodeObject, readFieldValidation } from "./write.ts";

/** What reviews ask. */
export interface ReviewComponents {
  authenticator: Authenticator;
  now: () => number;
}

/** Whether a user may do a thing, and why not. There are no roles here: administrators may do everything, others nothing. */
export function authorize(user: User): { allowed: boolean; reason: string } {
  return isAdmin(user) ? { allowed: true, reason: "" } : {
    allowed: false,
    reason: "the embedded control plane has no roles: only its administrator may do this",
  };
}

/** Answers a review: a question put as an object that is not stored. @throws {StatusError} */
export async function answerReview(
  { authenticator, now }: ReviewComponents,
  { request, query, user, group, kind }: {
    request: Request;
    query: URLSearchParams;
    user: User;
    group: string;
    kind: string;
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
      return answer(authorize(user));
    case "SelfSubjectRulesReview":
      return answer({
        resourceRules: isAdmin(user) ? [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }] : [],
        nonResourceRules: isAdmin(user) ? [{ verbs: ["*"], nonResourceURLs: ["*"] }] : [],
        incomplete: false,
      });
    case "SubjectAccessReview": {
      const groups = valueAt(review, "spec", "groups");
      const asked: User = {
        username: textAt(review, "spec", "user"),
        groups: Array.isArray(groups) ? groups.map(String) : [],
      };
      return answer(authorize(asked));
    }
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

function userInfo({ username, uid, groups, extra }: User): object {
  return {
    username,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}
