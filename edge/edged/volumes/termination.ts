/** What is read of a termination message. Upstream: k8s.io/kubernetes pkg/kubelet/container (MaxContainerTerminationMessageLength) @ v1.32 */
const LIMIT_BYTES = 4096;
/** Messages of earlier attempts that are kept beside the newest. */
const KEEP_ATTEMPTS = 2;

/** Makes the empty file that a container writes its last words to. Returns its path. */
export async function makeTerminationFile(dir: string, attempt: number): Promise<string> {
  await Deno.mkdir(dir, { recursive: true, mode: 0o750 });
  for await (const { name } of Deno.readDir(dir)) {
    if (/^\d+$/.test(name) && (Number(name) === attempt || Number(name) < attempt - KEEP_ATTEMPTS)) {
      await Deno.remove(`${dir}/${name}`, { recursive: true });
    }
  }
  const path = `${dir}/${attempt}`;
  await Deno.writeFile(path, new Uint8Array(), { createNew: true });
  // Whoever the container runs as writes it.
  await Deno.chmod(path, 0o666);
  return path;
}

/** The last words of an attempt, at most 4096 bytes from the end; undefined when there are none. */
export async function readTerminationFile(dir: string, attempt: number): Promise<string | undefined> {
  const path = `${dir}/${attempt}`;
  try {
    if (!(await Deno.lstat(path)).isFile) return undefined;
    using file = await Deno.open(path);
    const { size } = await file.stat();
    if (size === 0) return undefined;
    await file.seek(Math.max(0, size - LIMIT_BYTES), Deno.SeekMode.Start);
    const bytes = new Uint8Array(Math.min(size, LIMIT_BYTES));
    let filled = 0;
    while (filled < bytes.length) {
      const read = await file.read(bytes.subarray(filled));
      if (read === null) break;
      filled += read;
    }
    return filled === 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, filled));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
