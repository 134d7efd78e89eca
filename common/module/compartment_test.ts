import assert from "node:assert/strict";
import { compartment, connectPort, Mailbox } from "./mod.ts";

const ENTRY = new URL("./testdata/probe_worker.ts", import.meta.url);
const HERE = new URL(".", import.meta.url).pathname;

async function withProbe(
  init: { read: string; fail: boolean },
  permissions: Deno.PermissionOptionsObject,
  use: (ask: (item: string) => Promise<string | undefined>, collect: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const channel = new MessageChannel();
  const inbox = new Mailbox<string>("test", 4);
  const send = connectPort<string, string>(channel.port2, inbox);
  const probe = compartment({
    name: "probe",
    entry: ENTRY,
    permissions,
    init,
    ports: { peer: channel.port1 },
  });
  const controller = new AbortController();
  const ended = probe.run(controller.signal);
  ended.catch(() => inbox.close());
  try {
    await probe.ready;
    await use(async (item) => {
      await send(item);
      return await inbox.receive();
    }, () => probe.collect());
  } finally {
    controller.abort();
    channel.port2.close();
  }
  await ended;
}

Deno.test("compartment() starts modules that talk over ports and hand over their metrics", async () => {
  await withProbe({ read: "", fail: false }, {}, async (ask, collect) => {
    for (let i = 0; i < 200; i++) assert.equal(await ask(`${i}`), `echo ${i}`);
    assert.deepEqual(await collect(), [{
      name: "echoed_total",
      help: "Items echoed.",
      type: "counter",
      samples: [{ suffix: "", labels: {}, value: 200 }],
    }]);
  });
});

Deno.test("compartment() refuses what was not granted", async () => {
  await withProbe({ read: "/etc/hostname", fail: false }, {}, async (ask) => {
    for (const item of ["read", "run", "net", "env"]) assert.equal(await ask(item), "NotCapable", item);
  });
});

Deno.test("compartment() grants what was granted and no more", async () => {
  await withProbe({ read: `${HERE}clock.ts`, fail: false }, { read: [HERE] }, async (ask) => {
    assert.equal(await ask("read"), "allowed");
    assert.equal(await ask("run"), "NotCapable");
  });
});

Deno.test("compartment() rejects with the failure of a module inside", async () => {
  await assert.rejects(
    withProbe({ read: "", fail: true }, {}, async (ask) => assert.equal(await ask("x"), undefined)),
    /Module probe failed: told to fail/,
  );
});
