import assert from "node:assert/strict";
import type { KubeClientConfig } from "../common/kubeclient/mod.ts";
import { FakeClock } from "../common/module/fake_clock.ts";
import { createLogger } from "../common/module/mod.ts";
import { defaultCloudCoreConfig } from "./config/mod.ts";
import { credentialPermissions, kubePermissions, readKubeAccess, waitForApi } from "./kube_access.ts";

async function withFile(text: string, body: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, text);
    await body(path);
  } finally {
    await Deno.remove(path);
  }
}

const kubeconfig = (user: unknown) =>
  JSON.stringify({
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: "https://kube:6443" } }],
    users: [{ name: "u", user }],
  });

Deno.test("readKubeAccess() finds the command on the PATH, and names the address that is used in place of the file's", () => {
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "sh", interactiveMode: "Never" };
  return withFile(kubeconfig({ exec }), async (path) => {
    const config = defaultCloudCoreConfig();
    const access = await readKubeAccess({ kind: "kubeconfig", path, server: "" }, config);
    assert.match(access.exec!.command, /^\/.*\/sh$/);
    assert.equal(access.server, "https://kube:6443");
    assert.equal(access.origin!.server, "clusters[0].cluster.server");
    const other = await readKubeAccess({ kind: "kubeconfig", path, server: "https://other:443" }, config);
    assert.equal(other.server, "https://other:443");
    assert.equal(other.origin!.server, "kubeAPIConfig.master, in place of clusters[0].cluster.server");
  });
});

Deno.test("kubePermissions() and credentialPermissions() are what each kind of access takes, and no more", async (t) => {
  const server = "https://kube";
  const origin = { file: "/k", context: "x", server: "", ca: "", user: "", files: ["/k", "/ca"] };
  const yaml = ["LOG_TOKENS", "LOG_STREAM"];
  const exec = {
    field: "",
    apiVersion: "client.authentication.k8s.io/v1" as const,
    command: "/bin/l",
    args: [],
    env: {},
    interactive: false,
  };
  const oidc = { field: "", issuer: "https://i", clientId: "c", tokenEndpoint: "https://t:1/x" };
  const kept = ["/k", "/k.kubeedge-new"];
  const rows: Array<
    [string, KubeClientConfig, Deno.PermissionOptionsObject, Deno.PermissionOptionsObject]
  > = [
    ["an address", { server }, { net: ["kube:443"] }, {}],
    ["a file", { server, origin }, { net: ["kube:443"], read: ["/k", "/ca"], env: yaml }, {}],
    [
      "a pod's account",
      { server, tokenFile: "/t", origin: { file: "", server: "", ca: "", user: "", files: ["/t"] } },
      { net: ["kube:443"], read: ["/t"] },
      {},
    ],
    ["a proxy", { server, proxyUrl: "socks5://p" }, { net: ["kube:443", "p:1080"] }, {}],
    ["a command", { server, origin, exec }, { net: ["kube:443"] }, { run: ["/bin/l"] }],
    ["an issuer", { server, origin, oidc }, { net: ["kube:443"] }, {
      net: ["t:1"],
      read: kept,
      write: kept,
      env: yaml,
    }],
  ];
  for (const [name, config, api, credentials] of rows) {
    await t.step(name, () => {
      assert.deepEqual(kubePermissions(config), api);
      assert.deepEqual(credentialPermissions(config), credentials);
    });
  }
});

Deno.test("waitForApi() goes on once the server answers, whatever this user may do there", async () => {
  const answers = [500, 401, 401, 403];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const code = answers.shift() ?? 500;
    return Response.json({ kind: "Status", code, message: `no ${code}` }, { status: code });
  });
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLogger("kubernetes", { write: (line) => lines.push(line) });
  const { signal } = new AbortController();
  const waiting = waitForApi({ server: `http://127.0.0.1:${server.addr.port}`, token: "t" }, {
    clock,
    log,
    signal,
  });
  let done = false;
  const ended = waiting.then(() => done = true);
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(1_000);
  }
  await ended;
  await server.shutdown();
  assert.deepEqual(answers, []);
  assert.equal(lines.length, 2, lines.join(""));
  assert.match(
    lines[0]!,
    /"Waiting for the Kubernetes API server" server="http.*err="no 500" fix="see that this/,
  );
  assert.match(lines[1]!, /does not take the credentials/);
});

Deno.test("waitForApi() waits for a server that is none of Kubernetes, and says once what it answers", async (t) => {
  const others: Array<[string, () => Response, RegExp]> = [
    ["a page", () => new Response("<html>\n<p>Hello", { status: 501 }), /err="<html>" fix=/],
    [
      "no such page",
      () => new Response("404 page not found", { status: 404 }),
      /err="it serves nothing at \/api\/v1"/,
    ],
    ["text", () => new Response("hello"), /err="Cannot read the answer of .*it is not JSON/],
    [
      "HTTPS spoken to as HTTP",
      () => new Response("Client sent an HTTP request to an HTTPS server.\n", { status: 400 }),
      /err="Client sent an HTTP request to an HTTPS server\."/,
    ],
  ];
  for (const [name, other, expected] of others) {
    await t.step(name, async () => {
      let asked = 0;
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => ++asked < 4 ? other() : Response.json({ resources: [{ name: "pods" }] }),
      );
      const clock = new FakeClock();
      const lines: string[] = [];
      const log = createLogger("kubernetes", { write: (line) => lines.push(line) });
      const origin = { file: "/k", server: "clusters[0].cluster.server", ca: "", user: "", files: [] };
      let done = false;
      const ended = waitForApi({ server: `http://127.0.0.1:${server.addr.port}`, origin }, {
        clock,
        log,
        signal: new AbortController().signal,
      }).then(() => done = true);
      while (!done) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await clock.advance(1_000);
      }
      await ended;
      await server.shutdown();
      assert.equal(lines.length, 1, lines.join(""));
      assert.match(lines[0]!, /where="clusters\[0\]\.cluster\.server of \/k"/);
      assert.match(lines[0]!, expected);
    });
  }
});
