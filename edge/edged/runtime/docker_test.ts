import { silentLogger, systemClock } from "../../../common/module/mod.ts";
import { runtimeContract } from "./contract.ts";
import { dockerRuntime } from "./docker.ts";
import { systemProcesses } from "./processes.ts";
import { DEMO_IMAGE, dockerAnswers, ensureImages, PAUSE } from "./docker_support.ts";

const answers = await dockerAnswers();
const components = { processes: systemProcesses(systemClock), clock: systemClock, log: silentLogger };

runtimeContract("dockerRuntime", async () => {
  await ensureImages();
  return {
    runtime: dockerRuntime(components, { nodeName: "contract" }),
    pauseImage: PAUSE,
    image: DEMO_IMAGE,
  };
}, !answers);
