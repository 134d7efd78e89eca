/** kubectl as the administrator of a control plane. */
import assert from "node:assert/strict";
import { runToEnd } from "../../scripts/trial/program.ts";
import type { ControlPlane } from "./control_plane.ts";

/** How a run of kubectl ended. */
export interface KubectlRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** kubectl in one namespace. */
export class Kubectl {
  readonly #plane: ControlPlane;
  readonly #namespace: string;

  constructor(plane: ControlPlane, namespace: string) {
    this.#plane = plane;
    this.#namespace = namespace;
  }

  /** Runs it to its end, whatever that is. Arguments are one text, split at spaces, or a list. */
  async run(args: string | readonly string[], stdin?: string): Promise<KubectlRun> {
    const list = typeof args === "string" ? args.split(" ") : args;
    const { kubeconfig, scratch } = this.#plane;
    return await runToEnd("kubectl", [
      "--kubeconfig",
      kubeconfig,
      "--cache-dir",
      `${scratch}/kubectl`,
      "--namespace",
      this.#namespace,
      ...list,
    ], { env: { HOME: scratch, KUBE_EDITOR: "" }, ...(stdin === undefined ? {} : { stdin }) });
  }

  /** Runs it and expects success; what it printed. */
  async ok(args: string | readonly string[], stdin?: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, stdin);
    assert.equal(code, 0, `kubectl ${typeof args === "string" ? args : args.join(" ")}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Runs it and expects it to fail; what it complained of. */
  async fails(args: string | readonly string[], stdin?: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, stdin);
    assert.notEqual(
      code,
      0,
      `kubectl ${typeof args === "string" ? args : args.join(" ")} succeeded: ${stdout}`,
    );
    return stderr.trim();
  }
}
