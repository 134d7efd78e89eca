/** Gives up its permissions and tells what is left of them: run apart, so that the test keeps its own. */
import { lockdown } from "../lockdown.ts";

const controller = new AbortController();
const module = lockdown();
const running = module.run(controller.signal);
await module.ready;
const attempts: Array<() => unknown> = [
  () => Deno.readTextFileSync("/etc/hostname"),
  () => Deno.writeTextFileSync("/tmp/lockdown", ""),
  () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  () => Deno.env.get("HOME"),
  () => new Deno.Command("true").outputSync(),
  () => Deno.hostname(),
];
const left = attempts.map((attempt) => {
  try {
    attempt();
    return "allowed";
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
});
controller.abort();
await running;
(globalThis as unknown as { postMessage(message: unknown): void }).postMessage(left);
