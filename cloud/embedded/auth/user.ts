/** Who asks. */
export interface User {
  username: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** The administrator, who may do everything. */
export const ADMIN: User = {
  username: "kubernetes-admin",
  groups: ["system:masters", "system:authenticated"],
};

/** Nobody in particular. */
export const ANONYMOUS: User = { username: "system:anonymous", groups: ["system:unauthenticated"] };

/** Whether a user may do everything. */
export function isAdmin(user: User): boolean {
  return user.groups.includes("system:masters");
}
