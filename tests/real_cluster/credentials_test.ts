import assert from "node:assert/strict";
import { createServer as createProxy } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { parse } from "yaml";
import {
  createAuthority,
  issueServingCertificate,
  loadAuthority,
  printEcKeyPem,
  printPem,
} from "../../common/pki/mod.ts";
import { loadKubeConfig } from "../../common/kubeclient/mod.ts";
import { ensureCertificates } from "../../scripts/kubernetes/certificates.ts";
import { until } from "../../scripts/trial/program.ts";
import { accountToken, Cloudcore, writeKubeconfig } from "../support/cloudcore.ts";
import { EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";

/** An HTTP proxy that connects to wherever it is asked to. */
async function connectProxy(): Promise<AsyncDisposable & { port: number; asked: ReadonlySet<string> }> {
  const asked = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createProxy();
  server.on("connect", (request, client: Socket) => {
    asked.add(request.url ?? "");
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      client.pipe(upstream).pipe(client);
    });
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket);
      // A connection that breaks ends its other half.
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const REFUSED = /"The Kubernetes API server does not take the credentials, trying again"/;

Deno.test({
  name: "cloudcore comes to a real cluster by every kind of kubeconfig, and says what is wrong with one",
  ignore: lacking(KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start();
    const path = (name: string) => `${cluster.directory}/${name}.kubeconfig`;
    const token = await accountToken(cluster);

    await t.step("an API server that is down is waited for, which is said once", async () => {
      await cluster.stopProgram("kube-apiserver");
      await using cloud = await Cloudcore.start(cluster, cluster.cloudcore);
      await cloud.says(
        /"Waiting for the Kubernetes API server".*clusters\[0\]\.cluster\.server of .*nothing listens there/,
      );
      await until("it is alive", () => cloud.site.cloudHealthy("/livez"));
      assert.equal(await cloud.site.cloudHealthy(), false);
      await cluster.startProgram("kube-apiserver");
      await cloud.says(/"The Kubernetes API server answers again"/, 60_000);
      await cloud.serves();
      assert.equal(await cloud.count(/Waiting for the Kubernetes API server/), 1);
    });

    await t.step(
      "a token that is refused is told with its field; one that is written in its place is taken",
      async () => {
        const file = await writeKubeconfig(cluster, path("rotated"), { token: "forged" });
        await using cloud = await Cloudcore.start(cluster, file);
        const line = await cloud.says(REFUSED);
        assert.ok(line.includes(`where="users[0].user.token of ${file}"`), line);
        await writeKubeconfig(cluster, file, { token });
        await cloud.says(/"Read new credentials for the Kubernetes API server"/);
        await cloud.serves();
        assert.equal(await cloud.count(REFUSED), 1);
      },
    );

    await t.step("a client certificate that has ended is told with its end", async () => {
      const pki = `${cluster.directory}/old-pki`;
      await Deno.mkdir(pki);
      await ensureCertificates(pki, Date.UTC(2001, 0, 1));
      const data = async (name: string) =>
        new TextEncoder().encode(await Deno.readTextFile(`${pki}/${name}`)).toBase64();
      const file = await writeKubeconfig(cluster, path("ended"), {
        "client-certificate-data": await data("admin.crt"),
        "client-key-data": await data("admin.key"),
      });
      await using cloud = await Cloudcore.start(cluster, file);
      const line = await cloud.says(REFUSED);
      assert.ok(line.includes(`where="users[0].user.client-certificate-data of ${file}"`), line);
      assert.match(line, /why="the client certificate ended on 20\d\d-.*fix="renew it: /);
    });

    await t.step("a server that is another's is told with the field of the CA", async () => {
      const other = await loadAuthority(await createAuthority(Date.now()));
      const ca = new TextEncoder().encode(printPem("CERTIFICATE", other.certificate)).toBase64();
      const file = await writeKubeconfig(cluster, path("foreign"), { token }, {
        "certificate-authority-data": ca,
      });
      await using cloud = await Cloudcore.start(cluster, file);
      await cloud.says(
        /its certificate is not signed by clusters\[0\]\.cluster\.certificate-authority-data of /,
      );
    });

    await t.step(
      "a command gives the token, again when it is refused, and its failure is told with its hint",
      async () => {
        const command = `${cluster.directory}/login`;
        const answer = `${cluster.directory}/login.json`;
        const give = (status: unknown) =>
          Deno.writeTextFile(
            answer,
            JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status }),
          );
        // Its arguments are a test that it was given what the kubeconfig says, untouched.
        await Deno.writeTextFile(
          command,
          `#!/bin/sh\n[ "$1" = '$HOME; x' ] && [ "$REGION" = here ] && [ -n "$KUBERNETES_EXEC_INFO" ] || exit 9\necho run >>"${answer}.runs"\nexec cat "${answer}"\n`,
        );
        await Deno.chmod(command, 0o755);
        const file = await writeKubeconfig(cluster, path("exec"), {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1",
            command,
            args: ["$HOME; x"],
            env: [{ name: "REGION", value: "here" }],
            interactiveMode: "IfAvailable",
            provideClusterInfo: true,
            installHint: "Ask Ann for login",
          },
        });
        await using cloud = await Cloudcore.start(cluster, file);
        const line = await cloud.says(/"Waiting for credentials"/);
        assert.match(line, /users\[0\]\.user\.exec of .*it ended with 1: cat: .*; Ask Ann for login/);
        await give({ token: "forged" });
        await cloud.says(REFUSED);
        await give({ token });
        await cloud.serves();
        const runs = (await Deno.readTextFile(`${answer}.runs`)).trim().split("\n").length;
        assert.ok(runs < 20, `it was run ${runs} times`);
      },
    );

    await t.step("an issuer refreshes the token, and what it gives is kept in the file", async () => {
      const authority = await loadAuthority(await createAuthority(Date.now()));
      const serving = await issueServingCertificate(authority, {
        dnsNames: [],
        addresses: ["127.0.0.1"],
        now: Date.now(),
      });
      const asked: string[] = [];
      const issuer = createServer({
        cert: printPem("CERTIFICATE", serving.certificate),
        key: printEcKeyPem(serving.key),
      }, async (request, response) => {
        let body = "";
        for await (const piece of request) body += piece;
        asked.push(`${request.url} ${body}`);
        const { port } = issuer.address() as AddressInfo;
        response.end(JSON.stringify(
          request.method === "GET"
            ? { token_endpoint: `https://127.0.0.1:${port}/token` }
            : { id_token: token, refresh_token: "second" },
        ));
      });
      await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
      try {
        const { port } = issuer.address() as AddressInfo;
        const file = await writeKubeconfig(cluster, path("oidc"), {
          "auth-provider": {
            name: "oidc",
            config: {
              "idp-issuer-url": `https://127.0.0.1:${port}`,
              "idp-certificate-authority-data": new TextEncoder().encode(
                printPem("CERTIFICATE", authority.certificate),
              ).toBase64(),
              "client-id": "kube",
              "refresh-token": "first",
            },
          },
        });
        await using cloud = await Cloudcore.start(cluster, file);
        await cloud.serves();
        assert.deepEqual(asked, [
          "/.well-known/openid-configuration ",
          "/token grant_type=refresh_token&refresh_token=first&client_id=kube",
        ], "one compartment asks for all");
        const kept = parse(await Deno.readTextFile(file)).users[0].user["auth-provider"].config;
        assert.deepEqual([kept["id-token"], kept["refresh-token"]], [token, "second"]);
      } finally {
        issuer.closeAllConnections();
        await new Promise((resolve) => issuer.close(resolve));
      }
    });

    await t.step("the way goes through a proxy", async () => {
      await using proxy = await connectProxy();
      const file = await writeKubeconfig(cluster, path("proxied"), { token }, {
        "proxy-url": `http://127.0.0.1:${proxy.port}`,
      });
      await using cloud = await Cloudcore.start(cluster, file);
      await cloud.serves();
      const { server } = await loadKubeConfig({ path: file });
      assert.deepEqual([...proxy.asked], [new URL(server).host]);
    });

    await t.step("an administrator acts for the service account, with its rights", async () => {
      const admin = JSON.parse(await Deno.readTextFile(cluster.admin)).users[0].user;
      const file = await writeKubeconfig(cluster, path("impersonating"), {
        ...admin,
        as: "system:serviceaccount:kubeedge:cloudcore",
        "as-groups": ["system:serviceaccounts", "system:authenticated"],
      });
      await using cloud = await Cloudcore.start(cluster, file);
      await cloud.serves();
      assert.equal(await cloud.count(/"A right is missing/), 0, (await cloud.log()).join("\n"));
    });
  },
});
