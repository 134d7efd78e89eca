import { errorText } from "../../../common/errors/mod.ts";
import { PodEnvironmentError } from "../pod_environment.ts";

/**
 * Sees to it that a path of the node is what a hostPath volume says it is, making it where the type says so. Returns the path.
 * Upstream: k8s.io/kubernetes pkg/volume/hostpath/host_path.go (checkTypeInternal) @ v1.32
 * @throws {PodEnvironmentError} failed, when it is something else; invalid, for a path or type that cannot be
 */
export async function prepareHostPath(path: string, type: string): Promise<string> {
  if (!path.startsWith("/") || path.includes("\0") || path.split("/").includes("..")) {
    throw new PodEnvironmentError(
      "invalid",
      `hostPath ${JSON.stringify(path)} must be absolute and without '..'`,
    );
  }
  const refuse = (what: string) =>
    new PodEnvironmentError("failed", `hostPath type check failed: ${path} is not ${what}`);
  switch (type) {
    // The engine makes what is not there.
    case "":
      return path;
    case "DirectoryOrCreate":
      if (await statOf(path) === undefined) await Deno.mkdir(path, { recursive: true, mode: 0o755 });
      if (!(await statOf(path))?.isDirectory) throw refuse("a directory");
      return path;
    case "Directory":
      if (!(await statOf(path))?.isDirectory) throw refuse("a directory");
      return path;
    case "FileOrCreate":
      if (await statOf(path) === undefined) await makeFile(path);
      if (!(await statOf(path))?.isFile) throw refuse("a file");
      return path;
    case "File":
      if (!(await statOf(path))?.isFile) throw refuse("a file");
      return path;
    case "Socket":
      if (!(await statOf(path))?.isSocket) throw refuse("a socket file");
      return path;
    case "CharDevice":
      if (!(await statOf(path))?.isCharDevice) throw refuse("a character device");
      return path;
    case "BlockDevice":
      if (!(await statOf(path))?.isBlockDevice) throw refuse("a block device");
      return path;
    default:
      throw new PodEnvironmentError(
        "invalid",
        `${
          JSON.stringify(type)
        } is an invalid volume type: use one of DirectoryOrCreate, Directory, FileOrCreate, File, ` +
          "Socket, CharDevice, BlockDevice",
      );
  }
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function makeFile(path: string): Promise<void> {
  try {
    await Deno.writeFile(path, new Uint8Array(), { createNew: true, mode: 0o644 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw new PodEnvironmentError(
      "failed",
      `hostPath type check failed: cannot make ${path}: ${errorText(error)}`,
      {
        cause: error,
      },
    );
  }
}
