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

const host = (customInterface?: string) => ({
  hostname: Deno.hostname(),
  localIP: pickLocalIP(Deno.networkInterfaces(), customInterface),
});

if (import.meta.main) {
  Deno.exit(
    await runCore<EdgeCoreConfig>({
      program: "edgecore",
      print: (which) => printEdgeCoreConfig(which, host()),
      load: loadEdgeCoreConfig,
      logging: ({ logging }) => logging,
      run: (config, { signal, logging }) =>
        edgeCore(decideEdgeCore(config, host(config.modules.edged.customInterfaceName)), { logging }).run(
          signal,
        ),
    }, Deno.args),
  );
}
