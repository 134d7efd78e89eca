import { StatusError } from "../../common/errors/mod.ts";

/** Writes a file that only its owner may read, whole or not at all. @throws {StatusError} naming the fix */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await Deno.mkdir(directoryOf(path), { recursive: true, mode: 0o700 });
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    try {
      const bytes = new TextEncoder().encode(text);
      for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (cause) {
    await removeIfThere(temporary);
    throw new StatusError(
      "InternalError",
      `Cannot write ${path}: make its directory writable for this user and see that the disk is not full`,
      {
        cause,
      },
    );
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? (slash === 0 ? "/" : ".") : path.slice(0, slash);
}

/** A kubeconfig for one user with a bearer token. */
export function printKubeconfig(
  { server, caCertificate, token }: { server: string; caCertificate: string; token: string },
): string {
  const ca = new TextEncoder().encode(caCertificate).toBase64();
  return `apiVersion: v1
kind: Config
clusters:
- name: kubeedge
  cluster:
    server: ${server}
    certificate-authority-data: ${ca}
contexts:
- name: kubernetes-admin@kubeedge
  context:
    cluster: kubeedge
    user: kubernetes-admin
current-context: kubernetes-admin@kubeedge
preferences: {}
users:
- name: kubernetes-admin
  user:
    token: ${token}
`;
}
