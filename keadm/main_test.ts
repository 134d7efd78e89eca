import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  createAuthority,
  issueServingCertificate,
  loadAuthority,
  printEcKeyPem,
  printPem,
} from "../common/pki/mod.ts";
import { permissionFlags, permissionSet } from "../scripts/permission_flags.ts";

const ROOT = new URL("..", import.meta.url);
const FLAGS = permissionFlags(await permissionSet(ROOT.pathname, "keadm"));

/** A program of keadm as its own process, with the permissions that keadm ships with. */
async function run(program: string, args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...FLAGS, program, ...args],
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

const keadm = (...args: string[]) => run("keadm/main.ts", args);

/** A cluster that has a token, a folder, and a way to write kubeconfigs of that cluster into it. */
async function withCluster(
  body: (
    cluster: { folder: string; asked: string[]; write: (user: unknown) => Promise<string> },
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname} ${request.headers.get("authorization")}`);
    return Response.json({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "tokensecret", namespace: "kubeedge" },
      data: { tokendata: btoa("hash.token") },
    });
  });
  const write = async (user: unknown) => {
    const path = `${folder}/kubeconfig`;
    await Deno.writeTextFile(
      path,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "c",
        clusters: [{ name: "k", cluster: { server: `http://127.0.0.1:${server.addr.port}` } }],
        users: [{ name: "u", user }],
        contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
      }),
    );
    return path;
  };
  try {
    await body({ folder, asked, write });
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

const question = (token: string) => `GET /api/v1/namespaces/kubeedge/secrets/tokensecret Bearer ${token}`;

/** A command that gives a token, if it is called as the kubeconfig says. */
async function login(folder: string, stdout: string): Promise<Record<string, unknown>> {
  const command = `${folder}/login`;
  const text = `#!/bin/sh\n[ "$1" = '$HOME; x' ] && [ "$REGION" = here ] || { echo not so >&2; exit 9; }\n`;
  await Deno.writeTextFile(command, `${text}echo '${stdout}'\n`, { mode: 0o755 });
  return {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "./login",
    args: ["$HOME; x"],
    env: [{ name: "REGION", value: "here" }],
    interactiveMode: "IfAvailable",
  };
}

const answer = (token: string) =>
  JSON.stringify({
    apiVersion: "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    status: { token },
  });

Deno.test("keadm gettoken asks the API server that the kubeconfig names", () =>
  withCluster(async ({ asked, write }) => {
    const { code, stdout, stderr } = await keadm("gettoken", "--kube-config", await write({ token: "abc" }));
    assert.deepEqual([code, stdout], [0, "hash.token\n"], stderr);
    assert.deepEqual(asked, [question("abc")]);
  }));

Deno.test("keadm gettoken refuses a kubeconfig that is none, in one line", () =>
  withCluster(async ({ folder }) => {
    await Deno.writeTextFile(`${folder}/k`, "just: text\n");
    const { code, stdout, stderr } = await keadm("gettoken", "--kube-config", `${folder}/k`);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, new RegExp(`^Error: .*${folder}/k.*\n$`));
  }));

Deno.test("keadm gettoken runs the command that gives the credential, and says what it said when it fails", () =>
  withCluster(async ({ folder, asked, write }) => {
    const exec = await login(folder, answer("from-command"));
    const path = await write({ exec });
    const { code, stdout, stderr } = await keadm("gettoken", "--kube-config", path);
    assert.deepEqual([code, stdout, stderr], [0, "hash.token\n", ""]);
    assert.deepEqual(asked, [question("from-command")]);
    const failing = await keadm("gettoken", "--kube-config", await write({ exec: { ...exec, args: [] } }));
    assert.deepEqual([failing.code, failing.stdout], [1, ""]);
    assert.match(failing.stderr, /^Error: .*users\[0\]\.user\.exec of .*it ended with 9: not so\n$/);
  }));

Deno.test("keadm gettoken refreshes at the issuer, and keeps in the kubeconfig what that gives", () =>
  withCluster(async ({ asked, write }) => {
    const authority = await loadAuthority(await createAuthority(Date.now()));
    const serving = await issueServingCertificate(authority, {
      dnsNames: [],
      addresses: ["127.0.0.1"],
      now: Date.now(),
    });
    const pair = { cert: printPem("CERTIFICATE", serving.certificate), key: printEcKeyPem(serving.key) };
    const issuer = createServer(pair, (request, response) => {
      const { port } = issuer.address() as AddressInfo;
      response.end(JSON.stringify(
        request.method === "GET"
          ? { token_endpoint: `https://127.0.0.1:${port}/token` }
          : { id_token: "from-issuer", refresh_token: "second" },
      ));
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    try {
      const path = await write({
        "auth-provider": {
          name: "oidc",
          config: {
            "idp-issuer-url": `https://127.0.0.1:${(issuer.address() as AddressInfo).port}`,
            "idp-certificate-authority-data": btoa(printPem("CERTIFICATE", authority.certificate)),
            "client-id": "keadm",
            "refresh-token": "first",
          },
        },
      });
      const { code, stdout, stderr } = await keadm("gettoken", "--kube-config", path);
      assert.deepEqual([code, stdout, stderr], [0, "hash.token\n", ""]);
      assert.deepEqual(asked, [question("from-issuer")]);
      assert.match(await Deno.readTextFile(path), /"refresh-token": "second"/);
    } finally {
      issuer.closeAllConnections();
      await new Promise((resolve) => issuer.close(resolve));
    }
  }));

Deno.test("connect() gives up to run and to write before anything is sent to the cluster", () =>
  withCluster(async ({ folder, asked, write }) => {
    const users = { token: { token: "abc" }, exec: { exec: await login(folder, answer("from-command")) } };
    for (const [name, user] of Object.entries(users)) {
      const { stdout, stderr } = await run("keadm/testdata/connected.ts", [await write(user)]);
      assert.equal(stdout, "run false\nwrite false\nnet true\n", `${name}: ${stderr}`);
    }
    assert.deepEqual(asked, []);
  }));
