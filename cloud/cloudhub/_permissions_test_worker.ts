/** Runs cloudhub and one edge with nothing but the permissions the worker was given. For tests only. */
import { join, startHub } from "./_testing.ts";

const scope = globalThis as unknown as { postMessage(message: unknown): void };

async function refused(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return true;
    throw error;
  }
}

async function work() {
  await using hub = await startHub();
  const { status } = await join(hub, "edge-1");
  await using edge = await hub.connect("edge-1");
  return {
    joined: status,
    connected: edge.socket.readyState === edge.socket.OPEN,
    readRefused: await refused(() => Deno.readTextFile("/etc/hostname")),
    netRefused: await refused(() => Deno.connect({ hostname: "192.0.2.1", port: 80 })),
    runRefused: await refused(() => new Deno.Command("/bin/true").output()),
  };
}

work().then(
  (result) => scope.postMessage(result),
  (error: Error) => scope.postMessage({ failed: error.stack }),
);
