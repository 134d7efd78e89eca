/** Opens a client for a kubeconfig and prints what this process may do from then on. */
import { connect } from "../connect.ts";

await using _client = await connect(Deno.args[0]!);
for (const name of ["run", "write", "net"] as const) {
  // deno-lint-ignore no-console
  console.log(`${name} ${(await Deno.permissions.query({ name })).state === "granted"}`);
}
