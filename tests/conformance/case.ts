/** A case: one thing the API does, asserted on whichever control plane it is given. */
import { until } from "../../scripts/trial/program.ts";
import type { Api } from "./api.ts";
import type { ControlPlane } from "./control_plane.ts";
import { expectAnswer } from "./expect.ts";

/** One thing asserted. */
export interface Case {
  /** Area and behaviour in words. */
  name: string;
  run(context: CaseContext): Promise<void>;
}

/** What belongs together, in one file. */
export interface Area {
  name: string;
  cases: readonly Case[];
  /** Whether its cases change what others rely on, so that it runs alone. */
  alone?: true;
}

/** Makes an area out of names and bodies. */
export function area(
  name: string,
  cases: Readonly<Record<string, Case["run"]>>,
  options: Pick<Area, "alone"> = {},
): Area {
  return { name, cases: Object.entries(cases).map(([name, run]) => ({ name, run })), ...options };
}

/** What a case works with. Names it makes are its own, so that cases can run side by side. */
export class CaseContext {
  readonly plane: ControlPlane;
  /** The administrator. */
  readonly api: Api;
  readonly #unique: string;
  readonly #opened: Disposable[] = [];
  #namespaces = 0;

  constructor(plane: ControlPlane, api: Api, unique: string) {
    this.plane = plane;
    this.api = api;
    this.#unique = unique;
  }

  /** A name for something that belongs to the whole cluster. */
  unique(prefix: string): string {
    return `${prefix}-${this.#unique}`;
  }

  /** A new namespace. */
  async namespace(labels: Record<string, string> = {}): Promise<string> {
    const name = this.unique(`n${this.#namespaces++}`);
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
    expectAnswer(await this.api.post("/api/v1/namespaces", body), 201);
    return name;
  }

  /** A new namespace whose service account is there, so that it takes pods. */
  async podNamespace(): Promise<string> {
    const name = await this.namespace();
    await until(`namespace ${name} has its service account`, async () => {
      const { status } = await this.api.get(`/api/v1/namespaces/${name}/serviceaccounts/default`);
      return status === 200;
    });
    return name;
  }

  /** A client with a token; "" for none. Closed with the case. */
  as(token: string): Api {
    const api = this.api.as(token);
    this.#opened.push(api);
    return api;
  }

  /** Ends what the case opened. */
  close(): void {
    for (const one of this.#opened.splice(0)) one[Symbol.dispose]();
  }
}
