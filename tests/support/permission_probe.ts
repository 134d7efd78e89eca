/** The program of a compartment that tries what it is told to try and tells which of it was refused. */
import { defineModule, Mailbox, runCompartment } from "../../common/module/mod.ts";

/** One thing to try. */
export type Attempt =
  | { do: "read" | "write" | "net" | "env" | "run"; what: string }
  | { do: "sys" };

function attempt(one: Attempt): unknown {
  switch (one.do) {
    case "read":
      return Deno.readTextFileSync(one.what);
    case "write":
      return Deno.writeTextFileSync(one.what, "");
    case "net": {
      const [hostname = "", port = ""] = one.what.split(":");
      return Deno.connect({ hostname, port: Number(port), signal: AbortSignal.timeout(500) });
    }
    case "env":
      return Deno.env.get(one.what);
    case "run":
      return new Deno.Command(one.what).outputSync();
    case "sys":
      return Deno.osRelease();
  }
}

runCompartment<null>(({ connect }) => {
  const inbox = new Mailbox<Attempt>("probe", 4);
  const answer = connect<string, Attempt>("test", inbox);
  return [
    defineModule("probe", async ({ signal, ready }) => {
      signal.addEventListener("abort", () => inbox.close());
      ready();
      for await (const one of inbox) {
        try {
          await attempt(one);
          await answer("allowed");
        } catch (error) {
          // Anything but a refusal means that it was allowed to try.
          await answer(error instanceof Deno.errors.NotCapable ? "refused" : "allowed");
        }
      }
    }),
  ];
});
