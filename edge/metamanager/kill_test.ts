import assert from "node:assert/strict";
import { silentLogger, systemClock } from "../../common/module/mod.ts";
import { EdgeDatabase } from "./database.ts";
import { MetaStore } from "./meta_store.ts";

Deno.test("metaManager() has everything it acknowledged after being killed at any moment", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const databasePath = `${directory}/edgecore.db`;
    const acknowledged: string[] = [];
    for (const [run, after] of [1, 25].entries()) {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-check",
          "--allow-read",
          `--allow-write=${directory}`,
          new URL("./_kill_test_probe.ts", import.meta.url).pathname,
          databasePath,
          // The first resourceVersion: those of the second run are newer.
          `${run * 1_000_000 + 1}`,
        ],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      let seen = 0;
      let killed = false;
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
        acknowledged.push(...chunk.trim().split("\n").filter((line) => /^c\d+$/.test(line)));
        seen += chunk.split("\n").length - 1;
        if (seen >= after && !killed) {
          child.kill("SIGKILL");
          killed = true;
        }
      }
      await child.status;
      assert.ok(killed, "the probe ended by itself");
    }
    using db = new EdgeDatabase({ path: databasePath }, systemClock, silentLogger);
    const store = new MetaStore(db);
    assert.ok(acknowledged.length >= 26);
    for (const name of acknowledged) assert.ok(store.get(`default/configmap/${name}`), `${name} is lost`);
    assert.deepEqual([...Deno.readDirSync(directory)].filter((f) => f.name.includes("corrupt")), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
