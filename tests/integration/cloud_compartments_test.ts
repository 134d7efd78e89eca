import assert from "node:assert/strict";
import { cloudCompartmentPermissions } from "../../cloud/cloudcore.ts";
import { decideCloudCore, defaultCloudCoreConfig } from "../../cloud/config/mod.ts";
import type { Attempt } from "../support/permission_probe.ts";
import { tryAll } from "../support/permissions.ts";

Deno.test("each compartment of cloudcore may do what its modules need, and nothing that the others need", async (t) => {
  const directory = await Deno.makeTempDir();
  try {
    for (const name of ["plane", "etc", "certs"]) await Deno.mkdir(`${directory}/${name}`);
    await Deno.writeTextFile(`${directory}/certs/ca.key`, "");
    const config = defaultCloudCoreConfig();
    const { embedded } = config.kubeAPIConfig;
    embedded.enable = true;
    embedded.dataDir = `${directory}/plane`;
    embedded.kubeConfig = `${directory}/etc/admin.kubeconfig`;
    const { cloudHub } = config.modules;
    cloudHub.tlsCAKeyFile = `${directory}/certs/ca.key`;
    cloudHub.websocket.address = "127.0.0.1";
    cloudHub.https.address = "127.0.0.1";
    const permissions = cloudCompartmentPermissions(decideCloudCore(config, { localIP: "127.0.0.1" }), {
      server: "https://127.0.0.1:6443",
    });
    const attempts: Attempt[] = [
      { do: "read", what: "/etc/passwd" },
      { do: "read", what: `${directory}/certs/ca.key` },
      { do: "write", what: `${directory}/plane/file` },
      { do: "write", what: `${directory}/certs/file` },
      { do: "net", what: "127.0.0.1:6443" },
      { do: "net", what: "127.0.0.1:10000" },
      { do: "net", what: "127.0.0.1:10002" },
      { do: "net", what: "127.0.0.1:9" },
      { do: "env", what: "HOME" },
      { do: "run", what: "ls" },
      { do: "sys" },
    ];
    const rows: Array<[keyof typeof permissions, string[]]> = [
      ["controlplane", [`write ${directory}/plane/file`, "net 127.0.0.1:6443"]],
      ["hub", [
        `read ${directory}/certs/ca.key`,
        "net 127.0.0.1:6443",
        "net 127.0.0.1:10000",
        "net 127.0.0.1:10002",
      ]],
      ["controllers", ["net 127.0.0.1:6443"]],
    ];
    for (const [name, allowed] of rows) {
      await t.step(name, async () => {
        assert.deepEqual(await tryAll(permissions[name], attempts), allowed);
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the compartment of credentials may run the one command, or reach the one issuer, and the others may not", async (t) => {
  const directory = await Deno.makeTempDir();
  try {
    for (const name of ["ca.crt", "kubeconfig"]) await Deno.writeTextFile(`${directory}/${name}`, "");
    const decided = decideCloudCore(defaultCloudCoreConfig(), { localIP: "127.0.0.1" });
    const server = "https://127.0.0.1:6443";
    const file = `${directory}/kubeconfig`;
    const origin = { file, context: "c", server: "", ca: "", user: "", files: [file, `${directory}/ca.crt`] };
    const exec = {
      field: "",
      apiVersion: "client.authentication.k8s.io/v1" as const,
      command: "/bin/true",
      args: [],
      env: {},
      interactive: false,
    };
    const oidc = { field: "", issuer: "https://127.0.0.1:9443/realm", clientId: "c" };
    const attempts: Attempt[] = [
      { do: "read", what: file },
      { do: "read", what: "/etc/passwd" },
      { do: "write", what: file },
      { do: "write", what: `${directory}/ca.crt` },
      { do: "net", what: "127.0.0.1:6443" },
      { do: "net", what: "127.0.0.1:9443" },
      { do: "env", what: "HOME" },
      { do: "run", what: "/bin/true" },
      { do: "run", what: "/bin/ls" },
      { do: "sys" },
    ];
    const api = "net 127.0.0.1:6443";
    const rows: Array<[string, Parameters<typeof cloudCompartmentPermissions>[1], string[], string[]]> = [
      ["a file", { server, origin }, [], [`read ${file}`, api]],
      ["a command", { server, origin, exec }, ["run /bin/true"], [api]],
      ["an issuer", { server, origin, oidc }, [`read ${file}`, `write ${file}`, "net 127.0.0.1:9443"], [api]],
    ];
    for (const [name, kube, credentials, controllers] of rows) {
      const permissions = cloudCompartmentPermissions(decided, kube);
      await t.step(name, async () => {
        assert.deepEqual(await tryAll(permissions.credentials, attempts), credentials);
        assert.deepEqual(await tryAll(permissions.controllers, attempts), controllers);
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
