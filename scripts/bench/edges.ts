// deno-lint-ignore-file no-console
/**
 * What connected edges cost cloudcore.
 *
 *   deno task bench:edges [--edges 500] [--settle 30]
 *
 * Method: cloudcore with the embedded control plane, as executable; this program is all the edges: each has a certificate of
 * its own, one mutual-TLS WebSocket, registers its Node, creates its Lease, and then renews the Lease every 10 s and sends a
 * keepalive every 15 s. Memory is `/proc/PID/smaps_rollup` of cloudcore before the first edge and `settle` seconds after the last.
 * @module
 */
import { parseArgs } from "node:util";
import { NODES } from "../../common/kubeclient/mod.ts";
import { HOST_ARCH } from "../runtime.ts";
import { removeTree, Site } from "../trial/site.ts";
import { cpuSecondsOf, memoryOf } from "./measure.ts";
import { authorityOf, identityOf, SimulatedEdge } from "./simulated_edge.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const { values } = parseArgs({
  options: { edges: { type: "string", default: "500" }, settle: { type: "string", default: "30" } },
});
const count = Number(values.edges);
const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-" });
const site = new Site({ directory, dist: `${ROOT}dist`, arch: HOST_ARCH, sandboxImage: "none" });
const edges: SimulatedEdge[] = [];
try {
  await site.configureCloud({ "modules.cloudHub.nodeLimit": count + 10 });
  await site.startCloud();
  const kube = await site.kube();
  const authority = await authorityOf(kube);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const before = await memoryOf(site.cloud.pid);
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const name = `sim-${String(i).padStart(4, "0")}`;
    const edge = await SimulatedEdge.connect(name, site.ports.hub, await identityOf(authority, name));
    edges.push(edge);
    await edge.register();
  }
  console.log(`${count} edges joined in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  const registered = (await kube.list(NODES)).items.length;
  const cpuBefore = await cpuSecondsOf(site.cloud.pid);
  await new Promise((resolve) => setTimeout(resolve, Number(values.settle) * 1000));
  const after = await memoryOf(site.cloud.pid);
  const cpu = (await cpuSecondsOf(site.cloud.pid) - cpuBefore) / Number(values.settle) * 100;
  const open = edges.filter(({ connected }) => connected).length;
  console.log(`registered ${registered}, still connected ${open}`);
  console.log(`cloudcore RSS ${(before.rssKb / 1024).toFixed(1)} → ${(after.rssKb / 1024).toFixed(1)} MB`);
  console.log(
    `per edge ${((after.rssKb - before.rssKb) / count).toFixed(1)} KB RSS, ${
      ((after.anonymousKb - before.anonymousKb) / count).toFixed(1)
    } KB anonymous`,
  );
  console.log(`processor with all connected ${cpu.toFixed(1)} % of a core`);
} finally {
  for (const edge of edges) edge[Symbol.dispose]();
  await site[Symbol.asyncDispose]();
  await removeTree(directory);
}
