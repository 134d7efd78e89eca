/** The program `cloudcore`. */
import { pickLocalIP } from "../common/config/mod.ts";
import { runCore } from "../common/core/mod.ts";
import { findKubeConfigError } from "../common/kubeclient/mod.ts";
import { cloudCore } from "./cloudcore.ts";
import {
  type CloudCoreConfig,
  decideCloudCore,
  loadCloudCoreConfig,
  printCloudCoreConfig,
} from "./config/mod.ts";
import { checkSupported } from "./supported.ts";

const host = () => ({ localIP: pickLocalIP(Deno.networkInterfaces()) });

if (import.meta.main) {
  Deno.exit(
    await runCore<CloudCoreConfig>({
      program: "cloudcore",
      print: (which) => printCloudCoreConfig(which, host()),
      load: (path) => loadCloudCoreConfig(path, checkSupported),
      logging: ({ logging }) => logging,
      mistake: findKubeConfigError,
      run: (config, { signal, log, logging }) =>
        cloudCore(decideCloudCore(config, host()), { log, logging }).run(signal),
    }, Deno.args),
  );
}
