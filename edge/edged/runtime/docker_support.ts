import { askEngine } from "../../../scripts/engine.ts";
import { DEMO_WEB_IMAGE, makeDemoImages, PAUSE_IMAGE } from "../../../scripts/demo_image.ts";

/** Images of the tests. */
export const PAUSE = PAUSE_IMAGE;
export const DEMO_IMAGE = DEMO_WEB_IMAGE;

/** Whether tests that need a Docker engine can run here. */
export async function dockerAnswers(): Promise<boolean> {
  return "version" in await askEngine();
}

let images: Promise<unknown> | undefined;

/** Makes the images of the tests, once. */
export async function ensureImages(): Promise<void> {
  await (images ??= makeDemoImages());
}
