import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How many of these objects something still holds on to, after all that is garbage was collected. For tests only. */
export async function survivors(objects: ReadonlyArray<WeakRef<object>>): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // What was looked at in this turn is kept until its end.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collect();
  return objects.filter((object) => object.deref() !== undefined).length;
}
