import { stringify } from "yaml";
import type { VersionInfo } from "../common/version/mod.ts";

/** Forms of `keadm version` that can be asked for. */
export const VERSION_FORMS = ["short", "yaml", "json"] as const;

/** A form of `keadm version`. */
export type VersionForm = typeof VERSION_FORMS[number];

/** What `keadm version` prints; without a form it is upstream's print of its Go struct. Upstream: kubeedge keadm/cmd/keadm/app/cmd/version.go @ 16cd854 */
export function printVersion(info: VersionInfo, form: VersionForm | undefined): string {
  switch (form) {
    case "short":
      return info.gitVersion;
    case "json":
      return JSON.stringify(info, null, 2);
    case "yaml":
      return stringify(info, { defaultStringType: "PLAIN", compat: "yaml-1.1" }).trimEnd();
    case undefined: {
      const fields = Object.entries(info).map(([name, value]) =>
        `${name[0]!.toUpperCase()}${name.slice(1)}:${JSON.stringify(value)}`
      );
      return `version: version.Info{${fields.join(", ")}}`;
    }
  }
}
