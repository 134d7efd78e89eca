/**
 * Makes a symbolic link. Deno lets only a process with unscoped read and write permission do so by itself; one with fewer
 * runs `ln`, which it then needs permission for.
 */
export async function makeLink(target: string, path: string): Promise<void> {
  try {
    await Deno.symlink(target, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const { code, stderr } = await new Deno.Command("ln", {
      args: ["-s", "-n", "--", target, path],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (code !== 0) throw new Error(`Cannot link ${path}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
