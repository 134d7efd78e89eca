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
import { NODES, SECRETS } from "../../common/kubeclient/mod.ts";
import { type Message, newMessage, parseMessage, printMessage } from "../../common/model/mod.ts";
import {
  createNodeRequest,
  loadAuthority,
  nodeUser,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../../common/pki/mod.ts";
import { HOST_ARCH } from "../runtime.ts";
import { until } from "../trial/program.ts";
import { removeTree, Site } from "../trial/site.ts";
import { cpuSecondsOf, memoryOf } from "./measure.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Edge {
  socket: WebSocket;
  client: Deno.HttpClient;
  close(): void;
}

/** One simulated edge: connected, registered, with a lease. */
async function connect(
  site: Site,
  name: string,
  pem: { ca: string; cert: string; key: string },
): Promise<Edge> {
  const client = Deno.createHttpClient({ caCerts: [pem.ca], cert: pem.cert, key: pem.key });
  const socket = new WebSocket(
    `wss://127.0.0.1:${site.ports.hub}/e632aba927ea4ac2b575ec1603d56f10/${name}/events`,
    {
      client,
      headers: { node_id: name, project_id: "e632aba927ea4ac2b575ec1603d56f10", ConnectionUse: "msg" },
    },
  );
  const waiting = new Map<string, (reply: Message) => void>();
  const send = (message: Message) => socket.send(printMessage(message));
  socket.onmessage = ({ data }) => {
    const message = parseMessage(String(data));
    const parent = message.header.parentMsgId;
    if (parent !== undefined) return waiting.get(parent)?.(message);
    send(
      newMessage({ ...message.route, operation: "response" }, "OK", { parentMsgId: message.header.msgId }),
    );
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Error(`${name} cannot connect: ${(event as ErrorEvent).message}`));
  });
  const request = (operation: string, resource: string, content: unknown): Promise<Message> => {
    const message = newMessage({ source: "edged", group: "meta", operation, resource }, content);
    const { promise, resolve } = Promise.withResolvers<Message>();
    waiting.set(message.header.msgId, (reply) => {
      waiting.delete(message.header.msgId);
      resolve(reply);
    });
    send(message);
    return promise;
  };
  const keepalive = () =>
    send(
      newMessage(
        { source: "websocket", group: "resource", operation: "keepalive", resource: "node" },
        "ping",
      ),
    );
  keepalive();
  await request("insert", `null/node/${name}`, {
    metadata: { name, labels: { "node-role.kubernetes.io/edge": "", "kubernetes.io/hostname": name } },
    spec: {},
    status: {
      conditions: [{
        type: "Ready",
        status: "True",
        reason: "EdgeReady",
        message: "edge is posting ready status",
      }],
    },
  });
  const resource = `kube-node-lease/lease/${name}`;
  const lease = (renewed: unknown) => (renewed as { Object: { spec: Record<string, unknown> } }).Object;
  let current = lease(
    (await request("insert", resource, {
      metadata: { name, namespace: "kube-node-lease" },
      spec: {
        holderIdentity: name,
        leaseDurationSeconds: 40,
        renewTime: new Date().toISOString().replace("Z", "000Z"),
      },
    })).content,
  );
  const timers = [
    setInterval(keepalive, 15_000),
    setInterval(async () => {
      const renewTime = new Date().toISOString().replace("Z", "000Z");
      current = lease(
        (await request("update", resource, { ...current, spec: { ...current.spec, renewTime } })).content,
      ) ?? current;
    }, 10_000),
  ];
  return {
    socket,
    client,
    close: () => {
      timers.forEach(clearInterval);
      socket.close();
      client.close();
    },
  };
}

const { values } = parseArgs({
  options: { edges: { type: "string", default: "500" }, settle: { type: "string", default: "30" } },
});
const count = Number(values.edges);
const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-" });
const site = new Site({ directory, dist: `${ROOT}dist`, arch: HOST_ARCH, sandboxImage: "none" });
const edges: Edge[] = [];
try {
  await site.configureCloud({ "modules.cloudHub.nodeLimit": count + 10 });
  await site.startCloud();
  const kube = await site.kube();
  const secret = await until("the CA", () => kube.get(SECRETS, { namespace: "kubeedge", name: "casecret" }));
  const authority = await loadAuthority({
    certificate: Uint8Array.fromBase64(secret.data!.cadata!),
    key: Uint8Array.fromBase64(secret.data!.cakeydata!),
  });
  const ca = printPem("CERTIFICATE", authority.certificate);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const before = await memoryOf(site.cloud.pid);
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const name = `sim-${String(i).padStart(4, "0")}`;
    const { csr, key } = await createNodeRequest(name);
    const cert = await signNodeRequest(authority, csr, { validityDays: 1, now: Date.now() });
    edges.push(
      await connect(site, name, { ca, cert: printPem("CERTIFICATE", cert), key: printEcKeyPem(key) }),
    );
  }
  console.log(
    `${count} edges joined in ${((performance.now() - start) / 1000).toFixed(1)} s, the last as ${
      nodeUser(`sim-${count - 1}`)
    }`,
  );
  const registered = (await kube.list(NODES)).items.length;
  const cpuBefore = await cpuSecondsOf(site.cloud.pid);
  await new Promise((resolve) => setTimeout(resolve, Number(values.settle) * 1000));
  const after = await memoryOf(site.cloud.pid);
  const cpu = (await cpuSecondsOf(site.cloud.pid) - cpuBefore) / Number(values.settle) * 100;
  const open = edges.filter(({ socket }) => socket.readyState === WebSocket.OPEN).length;
  console.log(`registered ${registered}, still connected ${open}`);
  console.log(`cloudcore RSS ${(before.rssKb / 1024).toFixed(1)} → ${(after.rssKb / 1024).toFixed(1)} MB`);
  console.log(
    `per edge ${((after.rssKb - before.rssKb) / count).toFixed(1)} KB RSS, ${
      ((after.anonymousKb - before.anonymousKb) / count).toFixed(1)
    } KB anonymous`,
  );
  console.log(`processor with all connected ${cpu.toFixed(1)} % of a core`);
} finally {
  for (const edge of edges) edge.close();
  await site[Symbol.asyncDispose]();
  await removeTree(directory);
}
