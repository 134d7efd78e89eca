/** What a test needs of the machine, looked up once; a test that cannot have it is ignored, and the runner tells why and what to do. */
import { runToEnd } from "../../scripts/trial/program.ts";

async function works(command: string, args: string[]): Promise<boolean> {
  try {
    return (await runToEnd(command, args)).code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const ROOT = new URL("../../", import.meta.url).pathname;

/** Where `libc6-arm64-cross` puts the libraries of arm64. */
export const ARM64_ROOT = "/usr/aarch64-linux-gnu";

/** One thing a test may need. */
export interface Need {
  what: string;
  /** What to do to have it. */
  fix: string;
  met: boolean;
}

export const ENGINE: Need = {
  what: "a container engine",
  fix: "run as root on Debian or Ubuntu, or install Docker and start it",
  met: await works("docker", ["info"]),
};

export const KUBECTL: Need = {
  what: "kubectl",
  fix: "install kubectl",
  met: await works("kubectl", ["version", "--client"]),
};

export const ARM64: Need = {
  what: "an arm64 emulator with its libraries",
  fix: "apt-get install qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross",
  met: await works("qemu-aarch64-static", ["--version"]) && await exists(`${ARM64_ROOT}/lib/libgcc_s.so.1`),
};

export const EXECUTABLES: Need = {
  what: "the executables",
  fix: "deno task compile",
  met: await exists(`${ROOT}dist/edgecore-linux-arm64`) && await exists(`${ROOT}dist/cloudcore-linux-amd64`),
};

export const NEEDS: readonly Need[] = [ENGINE, KUBECTL, ARM64, EXECUTABLES];

/** Whether any of the needs is not met: for `ignore` of a test. */
export function lacking(...needs: Need[]): boolean {
  return needs.some((need) => !need.met);
}
