import { compartment, connectPort, Mailbox } from "../../common/module/mod.ts";
import type { Attempt } from "./permission_probe.ts";

const PROBE = new URL("./permission_probe.ts", import.meta.url);

/** Tries things in a worker that has just these permissions. Returns what was allowed. */
export async function tryAll(
  permissions: Deno.PermissionOptionsObject,
  attempts: readonly Attempt[],
): Promise<string[]> {
  const channel = new MessageChannel();
  const inbox = new Mailbox<string>("answers", 4);
  const ask = connectPort<Attempt, string>(channel.port2, inbox);
  const probe = compartment({
    name: "probe",
    entry: PROBE,
    permissions,
    init: null,
    ports: { test: channel.port1 },
  });
  const controller = new AbortController();
  const running = probe.run(controller.signal);
  await probe.ready;
  const allowed: string[] = [];
  for (const one of attempts) {
    await ask(one);
    if (await inbox.receive() === "allowed") allowed.push(one.do === "sys" ? "sys" : `${one.do} ${one.what}`);
  }
  controller.abort();
  channel.port2.close();
  await running;
  return allowed;
}
