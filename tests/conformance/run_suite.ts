/** Runs every case on one control plane. */
import { Api } from "./api.ts";
import { AREAS } from "./areas.ts";
import { type Area, CaseContext } from "./case.ts";
import type { ControlPlane } from "./control_plane.ts";

/** Cases at a time: enough to use the waiting, few enough that each is served soon. */
const AT_ONCE = 12;

/** A case ready to run. */
interface Planned {
  name: string;
  run(): Promise<void>;
}

/** Runs all areas as steps of a test: independent cases side by side, then the areas that must be alone. */
export async function runSuite(
  t: Deno.TestContext,
  plane: ControlPlane,
  areas: readonly Area[] = AREAS,
): Promise<void> {
  using api = new Api(plane, plane.admin);
  const planned = (some: readonly Area[]) => some.flatMap((area) => plan(area, plane, api));
  await runSteps(t, planned(areas.filter((area) => !area.alone)), AT_ONCE);
  for (const area of areas) if (area.alone) await runSteps(t, planned([area]), 1);
}

function plan(area: Area, plane: ControlPlane, api: Api): Planned[] {
  return area.cases.map(({ name, run }) => ({
    name: `${area.name}: ${name}`,
    run: async () => {
      const context = new CaseContext(plane, api, crypto.randomUUID().slice(0, 8));
      try {
        await run(context);
      } finally {
        context.close();
      }
    },
  }));
}

async function runSteps(t: Deno.TestContext, cases: Planned[], atOnce: number): Promise<void> {
  const waiting = [...cases];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { name, run } = next;
      // Steps side by side cannot be told apart by what they leave open; the whole test is looked at instead.
      await t.step({ name, fn: run, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
