import assert from "node:assert/strict";
import fc from "fast-check";
import { parseKubeConfig } from "./kubeconfig.ts";
import { KubeConfigError } from "./kubeconfig_error.ts";
import { makePair } from "./key_pair_testing.ts";
import { loadKubeConfig } from "./load_kubeconfig.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

const EXEC = "client.authentication.k8s.io/v1";

const GOOD = {
  apiVersion: "v1",
  kind: "Config",
  "current-context": "main",
  contexts: [{ name: "main", context: { cluster: "c", user: "u", namespace: "ns" } }],
  clusters: [{
    name: "c",
    cluster: { server: "https://kube:6443", "certificate-authority-data": btoa(PEM) } as Record<
      string,
      unknown
    >,
  }],
  users: [{ name: "u", user: { token: "t" } as Record<string, unknown> }],
};

function changed(change: (config: typeof GOOD) => void): string {
  const config = structuredClone(GOOD);
  change(config);
  return JSON.stringify(config);
}

Deno.test("parseKubeConfig() reads the current context, and another one by name", () => {
  const choice = parseKubeConfig(JSON.stringify(GOOD), "/etc/kube/config");
  assert.deepEqual(choice, {
    context: "main",
    cluster: { field: "clusters[0].cluster", server: "https://kube:6443", caData: PEM },
    user: { token: "t", field: "users[0].user.token" },
    namespace: "ns",
  });
  const text = changed((c) =>
    c.contexts.push({ name: "b", context: { cluster: "c", user: "u", namespace: "nb" } })
  );
  assert.equal(parseKubeConfig(text, "f", { context: "b" }).namespace, "nb");
});

Deno.test("parseKubeConfig() takes paths relative to the file's folder", () => {
  const text = changed((c) => {
    c.clusters[0]!.cluster = { server: "https://kube", "certificate-authority": "ca.crt" };
    c.users[0]!.user = { "client-certificate": "/abs/c.crt", "client-key": "../k.key", tokenFile: "t" };
  });
  const { cluster, user } = parseKubeConfig(text, "/etc/kube/config");
  assert.equal(cluster.caFile, "/etc/kube/ca.crt");
  assert.deepEqual(user, {
    certFile: "/abs/c.crt",
    keyFile: "/etc/kube/../k.key",
    tokenFile: "/etc/kube/t",
    field: "users[0].user.client-certificate",
  });
});

Deno.test("parseKubeConfig() names the file, the field and the next step of what it refuses", async (t) => {
  const rows: Array<[string, (config: typeof GOOD) => void, RegExp]> = [
    ["no current context", (c) => c["current-context"] = "", /current-context is missing; .*use-context/],
    ["unknown context", (c) => c["current-context"] = "x", /no context named "x"; there is main/],
    ["unknown cluster", (c) => c.clusters = [], /no cluster named "c"; there is none/],
    ["unknown user", (c) => c.users[0]!.name = "v", /no user named "u"; there is v/],
    ["no server", (c) => c.clusters[0]!.cluster = {}, /clusters\[0\]\.cluster\.server is missing/],
    [
      "server no address",
      (c) => c.clusters[0]!.cluster.server = "kube",
      /clusters\[0\]\.cluster\.server is "kube"/,
    ],
    [
      "no TLS check",
      (c) => c.clusters[0]!.cluster["insecure-skip-tls-verify"] = true,
      /always checked; remove it/,
    ],
    [
      "CA not base64",
      (c) => c.clusters[0]!.cluster["certificate-authority-data"] = "%",
      /is not base64; .*base64 -w0/,
    ],
    [
      "CA not PEM",
      (c) => c.clusters[0]!.cluster["certificate-authority-data"] = btoa("x"),
      /not base64 of PEM/,
    ],
    [
      "an exec of a version nobody has any more",
      (c) =>
        c.users[0]!.user = { exec: { apiVersion: "client.authentication.k8s.io/v1alpha1", command: "aws" } },
      /users\[0\]\.user\.exec\.apiVersion is ".*v1alpha1", expected client\.authentication\.k8s\.io\/v1; update/,
    ],
    [
      "an exec of nothing",
      (c) => c.users[0]!.user = { exec: { apiVersion: EXEC } },
      /exec\.command is missing/,
    ],
    [
      "a server with a query",
      (c) => c.clusters[0]!.cluster.server = "https://kube?a=b",
      /clusters\[0\]\.cluster\.server is "https:\/\/kube\?a=b", expected https:\/\/HOST:PORT$/,
    ],
    [
      "a password in the server",
      (c) => c.clusters[0]!.cluster.server = "https://ann:hunter2@kube",
      /server has a user or a password in it; write https:\/\/HOST:PORT(?!.*hunter2)/,
    ],
    [
      "an exec without its mode",
      (c) => c.users[0]!.user = { exec: { apiVersion: EXEC, command: "aws" } },
      /exec\.interactiveMode is undefined, expected Never, IfAvailable or Always/,
    ],
    [
      "an exec with a terminal",
      (c) => c.users[0]!.user = { exec: { apiVersion: EXEC, command: "aws", interactiveMode: "Always" } },
      /there is no terminal here/,
    ],
    [
      "an exec with a bad variable",
      (c) => {
        c.users[0]!.user = {
          exec: { apiVersion: EXEC, command: "aws", interactiveMode: "Never", env: [{ name: "A=B" }] },
        };
      },
      /exec\.env\[0\]\.name is not the name/,
    ],
    [
      "another auth-provider",
      (c) => c.users[0]!.user = { "auth-provider": { name: "gcp", config: {} } },
      /users\[0\]\.user\.auth-provider\.name is "gcp", expected oidc; use an exec command/,
    ],
    [
      "an issuer without https",
      (c) =>
        c.users[0]!.user = { "auth-provider": { name: "oidc", config: { "idp-issuer-url": "http://i" } } },
      /idp-issuer-url is "http:\/\/i", expected https/,
    ],
    [
      "an issuer without tokens",
      (c) => {
        c.users[0]!.user = {
          "auth-provider": { name: "oidc", config: { "idp-issuer-url": "https://i", "client-id": "k" } },
        };
      },
      /neither an id-token nor a refresh-token; log in first/,
    ],
    [
      "a group for nobody",
      (c) => c.users[0]!.user = { token: "t", "as-groups": ["g"] },
      /user\.as is missing/,
    ],
    ["a token in two lines", (c) => c.users[0]!.user = { token: "a\nb" }, /user\.token has characters/],
    [
      "a proxy of another kind",
      (c) => c.clusters[0]!.cluster["proxy-url"] = "ftp://p",
      /proxy-url is "ftp:\/\/p"/,
    ],
    [
      "another server name",
      (c) => c.clusters[0]!.cluster["tls-server-name"] = "kubernetes",
      /tls-server-name is not supported; use an address that the server's certificate names/,
    ],
    ["half a pair", (c) => c.users[0]!.user = { "client-key": "k" }, /client-key but no client-certificate/],
    ["token no text", (c) => c.users[0]!.user = { token: 12 }, /users\[0\]\.user\.token is not text/],
    ["other kind", (c) => c.kind = "Pod", /kind is "Pod"/],
  ];
  for (const [name, change, message] of rows) {
    await t.step(name, () => {
      assert.throws(() => parseKubeConfig(changed(change), "/k/config"), (error) => {
        assert.ok(error instanceof KubeConfigError);
        assert.match(error.message, /^Cannot use kubeconfig \/k\/config: /);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

Deno.test("parseKubeConfig() reads commands, issuers, names and whom to act for", () => {
  const text = changed((c) => {
    c.clusters[0]!.cluster.extensions = [{
      name: EXEC.replace("/v1", "/exec"),
      extension: { audience: "x" },
    }];
    c.users[0]!.user = {
      exec: {
        apiVersion: EXEC,
        command: "bin/login",
        args: ["--cluster", "main"],
        env: [{ name: "REGION", value: "here" }],
        installHint: "get it",
        provideClusterInfo: true,
        interactiveMode: "IfAvailable",
      },
      as: "edge",
      "as-uid": "7",
      "as-groups": ["a", "b"],
      "as-user-extra": { scope: ["x"] },
    };
  });
  const { user } = parseKubeConfig(text, "/k/config");
  assert.deepEqual(user, {
    field: "users[0].user.exec",
    exec: {
      field: "users[0].user.exec of /k/config",
      apiVersion: EXEC,
      command: "/k/bin/login",
      args: ["--cluster", "main"],
      env: { REGION: "here" },
      interactive: false,
      installHint: "get it",
      cluster: {
        server: "https://kube:6443",
        config: { audience: "x" },
      },
    },
    impersonate: { user: "edge", uid: "7", groups: ["a", "b"], extra: { scope: ["x"] } },
  });
  for (const interactiveMode of ["Never", "IfAvailable", "Always"]) {
    const asking = changed((c) => {
      c.users[0]!.user = { exec: { apiVersion: EXEC, command: "login", interactiveMode } };
    });
    const { exec } = parseKubeConfig(asking, "/k/config", { terminal: true }).user;
    assert.equal(exec!.interactive, interactiveMode !== "Never", interactiveMode);
  }
  const oidc = changed((c) => {
    const config = { "idp-issuer-url": "https://i", "client-id": "k", "refresh-token": "r" };
    c.users[0]!.user = { "auth-provider": { name: "oidc", config }, username: "a", password: "b" };
  });
  assert.deepEqual(parseKubeConfig(oidc, "/k/config").user, {
    field: "users[0].user.username",
    username: "a",
    password: "b",
    oidc: {
      field: "users[0].user.auth-provider.config of /k/config",
      issuer: "https://i",
      clientId: "k",
      refreshToken: "r",
    },
  });
});

Deno.test("parseKubeConfig() says where a file is not YAML", () => {
  assert.throws(() => parseKubeConfig("a: b\nc: [", "f"), /line 2, column \d+ is not YAML/);
  assert.throws(() => parseKubeConfig("", "f"), /the file is empty/);
  assert.throws(() => parseKubeConfig("a: b\n---\nc: d\n", "f"), /line 2 begins a second document/);
});

Deno.test("parseKubeConfig() answers anything with a choice or a KubeConfigError", () => {
  const mutation = fc.tuple(fc.constantFrom(...Object.keys(GOOD)), fc.jsonValue());
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        mutation.map(([k, v]) => JSON.stringify({ ...GOOD, [k]: v })),
      ),
      (text) => {
        try {
          parseKubeConfig(text, "f");
        } catch (error) {
          assert.ok(error instanceof KubeConfigError, String(error));
        }
      },
    ),
  );
});

async function withDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("loadKubeConfig() prefers the given path, then KUBECONFIG, then the pod, then the home", () =>
  withDir(async (dir) => {
    const write = async (name: string, server: string) => {
      const path = `${dir}/${name}`;
      await Deno.writeTextFile(path, changed((c) => c.clusters[0]!.cluster.server = server));
      return path;
    };
    await Deno.mkdir(`${dir}/.kube`);
    await write(".kube/config", "https://home");
    const path = await write("given", "https://given");
    const listed = await write("listed", "https://listed");
    await Deno.writeTextFile(`${dir}/token`, "tok");
    await Deno.writeTextFile(`${dir}/ca.crt`, PEM);
    await Deno.writeTextFile(`${dir}/namespace`, "kubeedge\n");
    const env = {
      KUBECONFIG: `${dir}/none:${listed}`,
      KUBERNETES_SERVICE_HOST: "fd00::1",
      KUBERNETES_SERVICE_PORT: "6443",
      HOME: dir,
    };
    const load = async (options: Parameters<typeof loadKubeConfig>[0]) =>
      await loadKubeConfig({ serviceAccountDir: dir, ...options });
    assert.equal((await load({ path, env })).server, "https://given");
    assert.equal((await load({ env })).server, "https://listed");
    assert.deepEqual(await load({ env: { ...env, KUBECONFIG: undefined } }), {
      source: "in-cluster",
      server: "https://[fd00::1]:6443",
      ca: PEM,
      tokenFile: `${dir}/token`,
      namespace: "kubeedge",
      origin: {
        file: "the pod's service account",
        server: "KUBERNETES_SERVICE_HOST",
        ca: `${dir}/ca.crt`,
        user: `${dir}/token`,
        files: [`${dir}/token`],
      },
    });
    assert.equal((await load({ env: { HOME: dir } })).server, "https://home");
    await assert.rejects(load({ env: {} }), /Cannot find a Kubernetes cluster.*kubeAPIConfig/s);
    const fails = async (names: string[]) => {
      const KUBECONFIG = names.map((name) => `${dir}/${name}`).join(":");
      return await load({ env: { KUBECONFIG } }).then(() => "", (error: Error) => error.message);
    };
    assert.match(await fails(["none"]), /\/none: it does not exist; check the path \(KUBECONFIG names it\)$/);
    await Deno.writeTextFile(`${dir}/clusters`, changed((c) => c.users = []));
    assert.match(
      await fails(["clusters", "listed"]),
      /\/clusters: users has no user named "u"; there is none \(of the files in KUBECONFIG the first is read; join them: kubectl/,
    );
  }));

Deno.test("loadKubeConfig() names the file that cannot be read, and the one that named it", () =>
  withDir(async (dir) => {
    await assert.rejects(loadKubeConfig({ path: `${dir}/none`, env: {} }), {
      name: "KubeConfigError",
      message: `Cannot read kubeconfig ${dir}/none: it does not exist; check the path`,
    });
    await assert.rejects(loadKubeConfig({ path: dir, env: {} }), /it is not a file/);
    const path = `${dir}/config`;
    await Deno.writeTextFile(
      path,
      changed((c) => c.users[0]!.user = { "client-certificate": "c", "client-key": "k" }),
    );
    await assert.rejects(
      loadKubeConfig({ path, env: {} }),
      new RegExp(
        `Cannot use kubeconfig ${path}: cannot read users\\[0\\]\\.user\\.client-(certificate|key) ${dir}/[ck]: it does not exist`,
      ),
    );
    await assert.rejects(
      loadKubeConfig({ env: { KUBERNETES_SERVICE_HOST: "x" }, serviceAccountDir: `${dir}/sa` }),
      /Cannot use the pod's service account: cannot read .*token/,
    );
  }));

Deno.test("loadKubeConfig() reads certificates from the files that are named", () =>
  withDir(async (dir) => {
    const path = `${dir}/config`;
    const { cert: c, key: k } = await makePair();
    const other = await makePair();
    const write = (files: Record<string, string>) =>
      Promise.all(Object.entries(files).map(([name, text]) => Deno.writeTextFile(`${dir}/${name}`, text)));
    await write({ ca: PEM, c, k });
    await Deno.writeTextFile(
      path,
      changed((c) => {
        c.clusters[0]!.cluster = { server: "https://kube", "certificate-authority": "ca" };
        c.users[0]!.user = { "client-certificate": "c", "client-key": "k" };
      }),
    );
    const { ca, cert, key } = await loadKubeConfig({ path, env: {} });
    assert.deepEqual([ca, cert, key], [PEM, c, k]);
    await write({ k: other.key });
    await assert.rejects(loadKubeConfig({ path, env: {} }), {
      name: "KubeConfigError",
      message: `Cannot use kubeconfig ${path}: users[0].user, client-certificate and client-key: ` +
        "the key does not belong to the client certificate",
    });
    await write({ k, ca: "none" });
    await assert.rejects(
      loadKubeConfig({ path, env: {} }),
      /clusters\[0\]\.cluster\.certificate-authority .*\/ca has no certificate in PEM$/,
    );
  }));

Deno.test("loadKubeConfig() says that a CA is missing where messages name it", () =>
  withDir(async (dir) => {
    const path = `${dir}/config`;
    await Deno.writeTextFile(
      path,
      changed((c) => delete c.clusters[0]!.cluster["certificate-authority-data"]),
    );
    const { origin } = await loadKubeConfig({ path, env: {} });
    assert.equal(origin!.ca, "clusters[0].cluster.certificate-authority-data, which is missing,");
  }));

Deno.test("loadKubeConfig() tells a command that asks for it the cluster's CA, out of its file too", () =>
  withDir(async (dir) => {
    const other = PEM.replace("AA==", "AAA=");
    await Deno.writeTextFile(`${dir}/ca`, other);
    const exec = { apiVersion: EXEC, command: "login", interactiveMode: "Never", provideClusterInfo: true };
    const cas = { "certificate-authority": "ca" };
    for (const [ca, expected] of [[{}, PEM], [cas, other]] as const) {
      await Deno.writeTextFile(
        `${dir}/config`,
        changed((c) => {
          if ("certificate-authority" in ca) c.clusters[0]!.cluster = { server: "https://kube", ...ca };
          c.users[0]!.user = { exec };
        }),
      );
      const { exec: { cluster } = {} } = await loadKubeConfig({ path: `${dir}/config`, env: {} });
      assert.equal(cluster!["certificate-authority-data"], btoa(expected));
    }
  }));
