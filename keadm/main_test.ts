import assert from "node:assert/strict";

/** What is read of the environment: by keadm, by commander (colours) and by yaml (its own debugging). */
const ENV = ["KUBECONFIG", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "LOG_TOKENS", "LOG_STREAM"];

/** keadm as its own process, with the permissions it ships with narrowed to this machine. */
async function keadm(args: string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-net=127.0.0.1",
      `--allow-env=${ENV.join(",")}`,
      "keadm/main.ts",
      ...args,
    ],
    cwd: new URL("..", import.meta.url),
    env: { ...env, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("keadm gettoken asks the API server that the kubeconfig names", async () => {
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
  try {
    const kubeConfig = `${folder}/kubeconfig`;
    await Deno.writeTextFile(
      kubeConfig,
      `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: k, cluster: {server: "http://127.0.0.1:${server.addr.port}"}}]
users: [{name: u, user: {token: abc}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
`,
    );
    const { code, stdout, stderr } = await keadm(["gettoken", "--kube-config", kubeConfig], {});
    assert.deepEqual([code, stdout], [0, "hash.token\n"], stderr);
    assert.deepEqual(asked, ["GET /api/v1/namespaces/kubeedge/secrets/tokensecret Bearer abc"]);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("keadm gettoken refuses a kubeconfig that is none, in one line", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/k`, "just: text\n");
    const { code, stdout, stderr } = await keadm(["gettoken", "--kube-config", `${folder}/k`], {});
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, new RegExp(`^Error: .*${folder}/k.*\n$`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
