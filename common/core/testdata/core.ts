/** A core for tests of signals and exit codes: "obeys", "stubborn" or "fails", by the name of its configuration file. */
import { ConfigError } from "../../config/mod.ts";
import { aborted } from "../../module/mod.ts";
import { writeOut } from "../../output/mod.ts";
import { runCore } from "../mod.ts";

Deno.exit(
  await runCore<string>({
    program: "edgecore",
    print: (which) => `# ${which}\n`,
    load: (path) => {
      if (path === "bad") throw new ConfigError(path, [{ path: "a", expected: "b", found: "c" }]);
      return Promise.resolve({ config: path, warnings: [], notes: [] });
    },
    logging: () => ({}),
    mistake: (error) => error instanceof Error && error.cause instanceof TypeError ? error.cause : undefined,
    run: async (config, { signal, log }) => {
      if (config === "mistaken") throw new Error("Module a failed", { cause: new TypeError("wrong field") });
      if (config === "fails") throw new Error("something broke");
      log.info("Running");
      // On standard output too: the log may go where nobody can see it.
      writeOut("works\n");
      await aborted(signal);
      if (config === "stubborn") await new Promise(() => setInterval(() => {}, 1000));
    },
  }, Deno.args),
);
