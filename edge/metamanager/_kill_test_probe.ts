/** A process that stores pushes and prints the name of each that it has acknowledged, until it is killed. For tests only. */
import { configMap, fromCloud, startMetaManager } from "./_harness.ts";

await using edge = await startMetaManager({ databasePath: Deno.args[0]! });
const encoder = new TextEncoder();
for (let i = 0;; i++) {
  const name = `c${i}`;
  await edge.give(
    fromCloud(
      "update",
      `default/configmap/${name}`,
      configMap(name, `${Number(Deno.args[1]) + i}`, { i: `${i}` }),
    ),
  );
  const ack = await edge.cloud();
  if (ack.content !== "OK") throw new Error(`Not acknowledged: ${ack.content}`);
  Deno.stdout.writeSync(encoder.encode(`${name}\n`));
  await edge.edged();
}
