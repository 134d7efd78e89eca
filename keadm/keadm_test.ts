import assert from "node:assert/strict";
import { StatusError } from "../common/errors/mod.ts";
import { FakeKubeClient } from "../common/kubeclient/fake_client.ts";
import { type KubeReader, SECRETS } from "../common/kubeclient/mod.ts";
import { OutputError } from "../common/output/mod.ts";
import { versionInfo } from "../common/version/mod.ts";
import { chooseKubeConfig, getToken } from "./gettoken.ts";
import { type KeadmComponents, runKeadm } from "./keadm.ts";
import { CommandError } from "./output.ts";

const TOKEN = "0f1e2d.eyJhbGciOiJIUzI1NiJ9.e30.c2ln";

function cluster(data?: Record<string, string>): FakeKubeClient {
  const client = new FakeKubeClient();
  if (data !== undefined) {
    client.seed(SECRETS, { metadata: { namespace: "kubeedge", name: "tokensecret" }, data });
  }
  return client;
}

/** A run of keadm against a cluster that has the token: exit code, standard output, standard error, kubeconfigs used. */
async function run(args: string[], changes: Partial<KeadmComponents> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const used: string[] = [];
  const code = await runKeadm(args, {
    output: { out: (line) => out.push(line), err: (line) => err.push(line) },
    connect: (path) => {
      used.push(path);
      return Promise.resolve(cluster({ tokendata: btoa(TOKEN) }));
    },
    exists: (path) => Promise.resolve(path === "/root/.kube/config" || path === "/k"),
    env: () => undefined,
    versionInfo,
    versionText: "keadm 0.1.0",
    ...changes,
  });
  return { code, out: out.join("\n"), err: err.join("\n"), used };
}

Deno.test("runKeadm() gettoken prints the token and nothing else", async () => {
  assert.deepEqual(await run(["gettoken"]), { code: 0, out: TOKEN, err: "", used: ["/root/.kube/config"] });
  assert.deepEqual(await run(["gettoken", "--kube-config", "/k"]), {
    code: 0,
    out: TOKEN,
    err: "",
    used: ["/k"],
  });
});

Deno.test("runKeadm() says in one message what failed, with exit code 1", async () => {
  const { code, out, err } = await run(["gettoken", "--kube-config=/none"]);
  assert.deepEqual([code, out], [1, ""]);
  assert.match(err, /^Error: Cannot find a kubeconfig: .*\/none; name one with --kube-config.*$/);
});

Deno.test("runKeadm() ends with 1 when its output cannot be written", async () => {
  for (const args of [["gettoken"], ["version"], ["--help"]]) {
    const err: string[] = [];
    const out = () => {
      throw new OutputError("Cannot write to standard output: No space left on device");
    };
    const { code } = await run(args, { output: { out, err: (line) => err.push(line) } });
    assert.deepEqual([code, err], [1, ["Error: Cannot write to standard output: No space left on device"]]);
  }
});

Deno.test("runKeadm() throws on what is a fault of its own", async () => {
  await assert.rejects(
    run(["gettoken"], { connect: () => Promise.reject(new TypeError("broken")) }),
    TypeError,
  );
});

Deno.test("runKeadm() refuses a wrong command line with exit code 2", async (t) => {
  const rows: Array<[string[], RegExp]> = [
    [["gettokn"], /^Error: unknown command 'gettokn'\n\(Did you mean gettoken\?\)$/],
    [
      ["gettoken", "--kubeconfig", "/k"],
      /^Error: unknown option '--kubeconfig'\n\(Did you mean --kube-config\?\)$/,
    ],
    [["gettoken", "extra"], /^Error: too many arguments for 'gettoken'/],
    [["version", "-o", "xml"], /argument 'xml' is invalid\. Allowed choices are short, yaml, json\.$/],
    [["version", "-o"], /argument missing$/],
  ];
  for (const [args, expected] of rows) {
    await t.step(args.join(" "), async () => {
      const { code, out, err } = await run(args);
      assert.deepEqual([code, out], [2, ""]);
      assert.match(err, expected);
    });
  }
});

Deno.test("runKeadm() helps", async (t) => {
  for (const args of [[], ["help"], ["--help"], ["-h"]]) {
    await t.step(args.join() || "without arguments", async () => {
      const { code, out, err } = await run(args);
      assert.deepEqual([code, err], [0, ""]);
      assert.match(out, /gettoken.*print the token that edge nodes join with/);
    });
  }
  assert.match((await run(["help", "gettoken"])).out, /--kube-config <file>/);
  assert.equal((await run(["--version"])).out, "keadm 0.1.0");
});

Deno.test("runKeadm() version prints every form", async () => {
  const info = versionInfo();
  assert.equal((await run(["version", "-o", "short"])).out, info.gitVersion);
  assert.deepEqual(JSON.parse((await run(["version", "-o", "json"])).out), info);
  assert.match(
    (await run(["version", "--output=yaml"])).out,
    /^major: "1"\nminor: "23"\ngitVersion: v1\.23\.1\+deno\./,
  );
  assert.match(
    (await run(["version"])).out,
    /^version: version\.Info\{Major:"1", Minor:"23", GitVersion:"v1\.23\.1/,
  );
});

Deno.test("chooseKubeConfig() takes the one given, else root's, else that of KUBECONFIG, else this user's", async (t) => {
  const rows: Array<[string, string | undefined, Record<string, string>, string[], string | undefined]> = [
    ["given", "/k", { KUBECONFIG: "/e" }, ["/k", "/e", "/root/.kube/config"], "/k"],
    ["given and missing", "/k", { KUBECONFIG: "/e" }, ["/e", "/root/.kube/config"], undefined],
    ["root's", undefined, { KUBECONFIG: "/e" }, ["/e", "/root/.kube/config"], "/root/.kube/config"],
    ["environment", undefined, { KUBECONFIG: "/none::/e", HOME: "/h" }, ["/e", "/h/.kube/config"], "/e"],
    ["this user's", undefined, { KUBECONFIG: "/none", HOME: "/h" }, ["/h/.kube/config"], "/h/.kube/config"],
    ["nothing", undefined, { HOME: "" }, [], undefined],
  ];
  for (const [name, given, env, present, expected] of rows) {
    await t.step(name, async () => {
      const chosen = chooseKubeConfig({
        given,
        env: (name) => env[name],
        exists: (path) => Promise.resolve(present.includes(path)),
      });
      if (expected === undefined) await assert.rejects(chosen, CommandError);
      else assert.equal(await chosen, expected);
    });
  }
});

Deno.test("getToken() refuses a secret without a usable token", async (t) => {
  const rows: Array<[string, Record<string, string>]> = [
    ["no key", { other: "eA==" }],
    ["empty", { tokendata: "" }],
    ["not base64", { tokendata: "!!" }],
    ["cut base64", { tokendata: "abcde" }],
    ["control characters", { tokendata: btoa("a\x1b[2Jb") }],
    ["too long", { tokendata: btoa("x".repeat(20_000)) }],
  ];
  for (const [name, data] of rows) {
    await t.step(name, async () => {
      await assert.rejects(getToken(cluster(data), "/k"), {
        name: "CommandError",
        message: /delete the secret and restart cloudcore/,
      });
    });
  }
});

Deno.test("getToken() names the fix for each failure", async (t) => {
  const failing = (error: Error): KubeReader =>
    Object.assign(cluster(), { get: () => Promise.reject(error) });
  const rows: Array<[string, KubeReader, RegExp]> = [
    ["no secret", cluster(), /does not exist in the cluster of \/k; start cloudcore there/],
    [
      "no such page",
      failing(new StatusError("NotFound", "404 page not found")),
      /404 page not found; check that the server in \/k is a Kubernetes/,
    ],
    [
      "forbidden",
      failing(new StatusError("Forbidden", "no")),
      /user of \/k may not .*use a kubeconfig of an administrator/,
    ],
    [
      "unauthorized",
      failing(new StatusError("Unauthorized", "no")),
      /credentials of \/k; renew them, or name another/,
    ],
    [
      "unreachable",
      failing(new StatusError("ServiceUnavailable", "Cannot reach https://kube: nothing listens there")),
      /^Cannot get the token: Cannot reach https:\/\/kube: nothing listens there$/,
    ],
    [
      "busy",
      failing(new StatusError("Timeout", "https://kube did not answer")),
      /did not answer; check that the server in \/k/,
    ],
  ];
  for (const [name, client, expected] of rows) {
    await t.step(name, async () => {
      await assert.rejects(getToken(client, "/k"), { name: "CommandError", message: expected });
    });
  }
});
