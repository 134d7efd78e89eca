import assert from "node:assert/strict";
import { FakeClock } from "../module/fake_clock.ts";
import { createLogger, silentLogger } from "../module/mod.ts";
import { authorizationHeaders, type Credential, fileCredentials } from "./credentials.ts";
import { type ExecConfig, execCredentials, parseExecCredential } from "./exec_credentials.ts";
import { keepOidcTokens } from "./keep_oidc_tokens.ts";
import type { KubeCredentials } from "./kubeconfig.ts";
import { expiryOf, type OidcConfig, oidcCredentials } from "./oidc_credentials.ts";

const { signal } = new AbortController();
const SERVER = { server: "https://kube" };

Deno.test("fileCredentials() reads again what changed: within a minute, and at once when it is refused", async () => {
  const clock = new FakeClock();
  let content: KubeCredentials = { ...SERVER, token: "one" };
  let stamp = "1";
  let reads = 0;
  const source = fileCredentials(content, {
    clock,
    log: silentLogger,
    reload: () => {
      reads++;
      return Promise.resolve(content);
    },
    stamp: () => Promise.resolve(stamp),
    readTextFile: () => Promise.reject(new Error("no file is named")),
  });
  const first = await source.current(signal);
  assert.equal(first.token, "one");
  content = { ...SERVER, token: "two" };
  stamp = "2";
  assert.equal(await source.current(signal), first);
  await clock.advance(61_000);
  assert.equal((await source.current(signal)).token, "two");
  assert.equal(reads, 1);
  content = { ...SERVER, cert: "C", key: "K" };
  const second = await source.current(signal);
  assert.deepEqual(await source.current(signal, second), { cert: "C", key: "K" });
  const third = await source.current(signal);
  assert.equal(
    await source.current(signal, third),
    third,
    "a credential that stays the same is the same object",
  );
});

Deno.test("fileCredentials() tell once of another server in the file, unless the file's is not the one in use", async () => {
  const origin = {
    file: "/k",
    context: "x",
    server: "clusters[0].cluster.server",
    ca: "",
    user: "",
    files: ["/k"],
  };
  const master = { ...origin, server: `kubeAPIConfig.master, in place of ${origin.server}` };
  for (const [used, expected] of [[origin, 1], [master, 0]] as const) {
    const lines: string[] = [];
    const clock = new FakeClock();
    let stamp = 0;
    const source = fileCredentials({ ...SERVER, token: "one", origin: used }, {
      clock,
      log: createLogger("kubeclient", { write: (line) => lines.push(line) }),
      reload: () => Promise.resolve({ server: "https://other", token: "one", origin }),
      stamp: () => Promise.resolve(String(stamp++)),
      readTextFile: () => Promise.reject(new Error("no file is named")),
    });
    for (let i = 0; i < 4; i++) {
      await source.current(signal);
      await clock.advance(61_000);
    }
    assert.equal(lines.length, expected, lines.join(""));
    if (expected === 1) {
      assert.match(
        lines[0]!,
        /field="clusters\[0\]\.cluster\.server of \/k" before="https:\/\/kube" now="https:\/\/other"/,
      );
    }
  }
});

Deno.test("fileCredentials() go on with what they have while the file cannot be read, and say so once", async () => {
  const lines: string[] = [];
  const source = fileCredentials({ ...SERVER, token: "one" }, {
    clock: new FakeClock(),
    log: createLogger("kubeclient", { write: (line) => lines.push(line) }),
    reload: () => Promise.reject(new Error("Cannot use kubeconfig /k: the file is empty")),
    readTextFile: () => Promise.reject(new Error("no file is named")),
  });
  const first = await source.current(signal);
  for (let i = 0; i < 3; i++) assert.equal(await source.current(signal, first), first);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /Cannot read the kubeconfig again.*the file is empty/);
});

Deno.test("authorizationHeaders() say who asks, and for whom", async (t) => {
  const rows: Array<[string, Credential, KubeCredentials["impersonate"], Array<[string, string]>]> = [
    ["nobody", {}, undefined, []],
    ["a token", { token: "t", username: "a" }, undefined, [["Authorization", "Bearer t"]]],
    ["a name", { username: "ä", password: "b" }, undefined, [["Authorization", "Basic w6Q6Yg=="]]],
    ["for another", { token: "t" }, { user: "u", uid: "7", groups: ["a", "b"], extra: { "acme/x": ["1"] } }, [
      ["Authorization", "Bearer t"],
      ["Impersonate-User", "u"],
      ["Impersonate-Uid", "7"],
      ["Impersonate-Group", "a"],
      ["Impersonate-Group", "b"],
      ["Impersonate-Extra-acme%2Fx", "1"],
    ]],
  ];
  for (const [name, credential, impersonate, headers] of rows) {
    await t.step(name, () => assert.deepEqual(authorizationHeaders(credential, impersonate), headers));
  }
});

const EXEC: ExecConfig = {
  field: "users[0].user.exec of /k",
  apiVersion: "client.authentication.k8s.io/v1",
  command: "/bin/login",
  args: ["--now"],
  env: { REGION: "here" },
  interactive: false,
  installHint: "apt install login",
  cluster: { server: "https://kube" },
};

const answer = (status: unknown, apiVersion: string = EXEC.apiVersion) =>
  JSON.stringify({ apiVersion, kind: "ExecCredential", status });

Deno.test("execCredentials() keep a credential until it ends, run the command once for all who wait, and again when refused", async () => {
  const clock = new FakeClock();
  const runs: Array<Record<string, string>> = [];
  const source = execCredentials(EXEC, {
    clock,
    run: (_config, env) => {
      runs.push(env);
      const expirationTimestamp = new Date(clock.now() + 60_000).toISOString();
      const stdout = answer({ token: `t${runs.length}`, expirationTimestamp });
      return Promise.resolve({ code: 0, stdout, stderr: "" });
    },
  });
  const [first, same] = await Promise.all([source.current(signal), source.current(signal)]);
  assert.equal(first, same);
  assert.equal(runs.length, 1);
  assert.deepEqual(JSON.parse(runs[0]!.KUBERNETES_EXEC_INFO!), {
    apiVersion: EXEC.apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, cluster: { server: "https://kube" } },
  });
  assert.equal(runs[0]!.REGION, "here");
  assert.equal(await source.current(signal, first), first, "a command is not run again and again");
  await clock.advance(6_000);
  const second = await source.current(signal, first);
  assert.deepEqual(second, { token: "t2" });
  await clock.advance(51_000);
  assert.deepEqual(await source.current(signal), { token: "t3" });
});

Deno.test("parseExecCredential() takes what the protocol has, and says what is wrong with the rest", async (t) => {
  assert.deepEqual(
    parseExecCredential(
      answer({ clientCertificateData: "C", clientKeyData: "K", expirationTimestamp: "2030-01-01T00:00:00Z" }),
      EXEC,
    ),
    { cert: "C", key: "K", expiresAt: Date.UTC(2030, 0, 1) },
  );
  const rows: Array<[string, string, RegExp]> = [
    ["no JSON", "please log in", /not JSON; apt install login$/],
    ["null", "null", /no ExecCredential/],
    [
      "another version",
      answer({ token: "t" }, "client.authentication.k8s.io/v1beta1"),
      /answered in .*v1beta1; set/,
    ],
    ["nothing", answer({}), /neither a token nor/],
    ["no status", answer(undefined), /neither a token nor/],
    ["half a pair", answer({ clientKeyData: "K" }), /without its key, or the reverse/],
    ["a token with a line end", answer({ token: "a\nb" }), /characters that no token has/],
    ["no time", answer({ token: "t", expirationTimestamp: "soon" }), /is no time/],
  ];
  for (const [name, text, message] of rows) {
    await t.step(name, () =>
      assert.throws(() => parseExecCredential(text, EXEC), (error: Error) => {
        assert.match(
          error.message,
          /^Cannot get credentials from users\[0\]\.user\.exec of \/k \(\/bin\/login\): /,
        );
        assert.match(error.message, message);
        return true;
      }));
  }
});

Deno.test("execCredentials() run the very command, and say why there is none", async (t) => {
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      script,
      `const {apiVersion} = JSON.parse(Deno.env.get("KUBERNETES_EXEC_INFO")!);
       if (Deno.args[0] === "fail") { console.error("no session"); Deno.exit(3); }
       console.log(JSON.stringify({apiVersion, kind: "ExecCredential", status: {token: Deno.args[0] + Deno.env.get("REGION")}}));`,
    );
    const config = (argument: string): ExecConfig => ({
      ...EXEC,
      command: Deno.execPath(),
      args: ["run", "--quiet", "--allow-env", "--no-config", script, argument],
    });
    await t.step("its output", async () => {
      const source = execCredentials(config("$HOME;"), { clock: new FakeClock() });
      assert.deepEqual(await source.current(signal), { token: "$HOME;here" });
    });
    await t.step("its failure", async () => {
      const source = execCredentials(config("fail"), { clock: new FakeClock() });
      await assert.rejects(source.current(signal), /it ended with 3: no session; apt install login$/);
    });
    await t.step("its absence", async () => {
      const source = execCredentials({ ...EXEC, command: `${script}.none` }, { clock: new FakeClock() });
      await assert.rejects(source.current(signal), /the command is not installed; apt install login/);
    });
  } finally {
    await Deno.remove(script);
  }
});

const jwt = (exp: unknown) =>
  `e30.${
    new TextEncoder().encode(JSON.stringify({ exp })).toBase64({ alphabet: "base64url", omitPadding: true })
  }.x`;

Deno.test("expiryOf() reads when a token ends", () => {
  assert.equal(expiryOf(jwt(12)), 12_000);
  for (const bad of ["", "a", "a.b.c", "a.%.c", jwt("12"), `e30.${btoa("[")}.x`]) {
    assert.equal(expiryOf(bad), 0, bad);
  }
});

Deno.test("oidcCredentials() use the ID token until it ends, then a refreshed one, and keep what the issuer gave", async () => {
  const clock = new FakeClock();
  const seconds = () => Math.floor(clock.now() / 1000);
  const config: OidcConfig = {
    field: "users[0].user.auth-provider.config of /k",
    issuer: "https://issuer/",
    clientId: "kube",
    clientSecret: "s",
    idToken: jwt(seconds() + 60),
    refreshToken: "r1",
  };
  const asked: string[] = [];
  const kept: unknown[] = [];
  let refuse = false;
  const source = oidcCredentials(config, {
    clock,
    log: silentLogger,
    keep: (tokens) => Promise.resolve(void kept.push(tokens)),
    fetch: (url, { body }) => {
      asked.push(`${url} ${String(body ?? "")}`);
      const value = refuse
        ? { error: "invalid_grant", error_description: "revoked" }
        : body === undefined
        ? { token_endpoint: "https://issuer/token" }
        : { id_token: jwt(seconds() + 60), refresh_token: "r2" };
      return Promise.resolve(Response.json(value, { status: refuse ? 400 : 200 }));
    },
  });
  assert.equal((await source.current(signal)).token, config.idToken);
  assert.deepEqual(asked, []);
  await clock.advance(55_000);
  const [a, b] = await Promise.all([source.current(signal), source.current(signal)]);
  assert.equal(a, b);
  assert.deepEqual(asked, [
    "https://issuer/.well-known/openid-configuration ",
    "https://issuer/token grant_type=refresh_token&refresh_token=r1&client_id=kube&client_secret=s",
  ]);
  assert.deepEqual(kept, [{ idToken: a.token, refreshToken: "r2" }]);
  await clock.advance(60_000);
  refuse = true;
  await assert.rejects(
    source.current(signal),
    /^StatusError: Cannot get an ID token for users\[0\].*answered 400 \(invalid_grant: revoked\); log in again/,
  );
});

Deno.test("keepOidcTokens() changes the tokens of that user and nothing else", async () => {
  const path = await Deno.makeTempFile();
  try {
    const user = (token: string) =>
      `  - name: u # mine\n    user:\n      auth-provider:\n        name: oidc\n        config:\n          id-token: ${token}\n          refresh-token: r-${token}\n`;
    await Deno.writeTextFile(path, `# a comment\nusers:\n${user("a")}${user("b")}`);
    await keepOidcTokens(path, "users[1].user.auth-provider", { idToken: "c", refreshToken: "r-c" });
    assert.equal(await Deno.readTextFile(path), `# a comment\nusers:\n${user("a")}${user("c")}`);
  } finally {
    await Deno.remove(path);
  }
});
