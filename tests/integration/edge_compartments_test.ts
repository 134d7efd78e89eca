import assert from "node:assert/strict";
import { decideEdgeCore, defaultEdgeCoreConfig } from "../../edge/config/mod.ts";
import { edgeCompartmentPermissions } from "../../edge/edgecore.ts";
import type { Attempt } from "../support/permission_probe.ts";
import { tryAll } from "../support/permissions.ts";

Deno.test("each compartment of edgecore may do what its modules need, and nothing that the others need", async (t) => {
  const directory = await Deno.makeTempDir();
  try {
    for (const name of ["db", "certs", "pods"]) await Deno.mkdir(`${directory}/${name}`);
    const config = defaultEdgeCoreConfig();
    config.database.dataSource = `${directory}/db/edgecore.db`;
    const { edgeHub, edged } = config.modules;
    edgeHub.tlsCaFile = `${directory}/certs/ca.crt`;
    edgeHub.tlsCertFile = `${directory}/certs/server.crt`;
    edgeHub.tlsPrivateKeyFile = `${directory}/certs/server.key`;
    edgeHub.httpServer = "https://127.0.0.1:10002";
    edgeHub.websocket.server = "127.0.0.1:10000";
    edged.rootDirectory = `${directory}/pods`;
    const permissions = edgeCompartmentPermissions(
      decideEdgeCore(config, { hostname: "edge-1", localIP: "127.0.0.1" }),
    );
    const attempts: Attempt[] = [
      { do: "read", what: "/etc/passwd" },
      { do: "write", what: `${directory}/db/file` },
      { do: "write", what: `${directory}/certs/file` },
      { do: "write", what: `${directory}/pods/file` },
      { do: "net", what: "127.0.0.1:10000" },
      { do: "net", what: "127.0.0.1:10002" },
      { do: "net", what: "127.0.0.1:9" },
      { do: "env", what: "HOME" },
      { do: "run", what: "docker" },
      { do: "run", what: "ls" },
      { do: "sys" },
    ];
    const rows: Array<[keyof typeof permissions, string[]]> = [
      ["store", [`write ${directory}/db/file`]],
      ["link", [`write ${directory}/certs/file`, "net 127.0.0.1:10000", "net 127.0.0.1:10002"]],
      ["runtime", [
        "read /etc/passwd",
        `write ${directory}/db/file`,
        `write ${directory}/certs/file`,
        `write ${directory}/pods/file`,
        "net 127.0.0.1:10000",
        "net 127.0.0.1:10002",
        "net 127.0.0.1:9",
        "run docker",
        "sys",
      ]],
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
