/** The program `edgecore`. */
import { pickLocalIP } from "../common/config/mod.ts";
import { runCore } from "../common/core/mod.ts";
import {
  decideEdgeCore,
  type EdgeCoreConfig,
  loadEdgeCoreConfig,
  printEdgeCoreConfig,
} from "./config/mod.ts";
import { edgeCore } from "./edgecore.ts";
import { checkSupported } from "./supported.ts";

const host = (customInterface?: string) => ({
  hostname: Deno.hostname(),
  localIP: pickLocalIP(Deno.networkInterfaces(), customInterface),
});

if (import.meta.main) {
  let configFile = "";
  Deno.exit(
    await runCore<EdgeCoreConfig>({
      program: "edgecore",
      print: (which) => printEdgeCoreConfig(which, host()),
      load: async (path) => {
        const reading = await loadEdgeCoreConfig(path, checkSupported);
        configFile = await Deno.realPath(path);
        return reading;
      },
      logging: ({ logging }) => logging,
      run: (config, { signal, log, logging }) =>
        edgeCore(decideEdgeCore(config, host(config.modules.edged.customInterfaceName)), {
          log,
          logging,
          configFile,
        }).run(signal),
    }, Deno.args),
  );
}
