/** The compartment that `compartment_test.ts` starts: tries what it is told to and echoes what it is sent. */
import { defineModule, Mailbox, runCompartment } from "../mod.ts";

interface Init {
  read: string;
  fail: boolean;
}

runCompartment<Init>(({ init, connect, metrics }) => {
  const inbox = new Mailbox<string>("probe", 4);
  const send = connect<string, string>("peer", inbox);
  const echoed = metrics.counter("echoed_total", "Items echoed.");
  return [
    defineModule("probe", async ({ signal, ready }) => {
      signal.addEventListener("abort", () => inbox.close());
      ready();
      for await (const item of inbox) {
        if (init.fail) throw new Error("told to fail");
        echoed.inc();
        if (item === "read") await send(await attempt(() => Deno.readTextFileSync(init.read)));
        else if (item === "run") await send(await attempt(() => new Deno.Command("true").outputSync()));
        else if (item === "net") {
          await send(await attempt(() => Deno.connect({ hostname: "127.0.0.1", port: 9 })));
        } else if (item === "env") await send(await attempt(() => Deno.env.get("HOME")));
        else await send(`echo ${item}`);
      }
    }),
  ];
});

async function attempt(action: () => unknown): Promise<string> {
  try {
    await action();
    return "allowed";
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
