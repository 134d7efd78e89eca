import { systemClock } from "../../../common/module/mod.ts";
import { contractProgram, runtimeContract } from "./contract.ts";
import { MemoryRuntime } from "./memory_runtime.ts";

runtimeContract("MemoryRuntime", async () => ({
  runtime: new MemoryRuntime({
    clock: systemClock,
    images: [{ reference: "kubeedge/pause:3.6" }, { reference: "demo-web:1" }],
    program: contractProgram,
  }),
  pauseImage: "kubeedge/pause:3.6",
  image: "demo-web:1",
}));
