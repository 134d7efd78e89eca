import assert from "node:assert/strict";
import { isRunning, parseStat, startDetached, stopProcess } from "./processes.ts";

Deno.test("parseStat() reads past whatever a program is called", () => {
  const rest = Array.from({ length: 18 }, (_, i) => i).join(" ");
  assert.deepEqual(parseStat(`17 (a) Z (b) S ${rest} 4711 0 0`), { state: "S", startTicks: 4711 });
  for (const bad of ["", "17 (a", "17 (a) S 1 2", `17 (a) 5 ${rest} 4711`]) {
    assert.throws(() => parseStat(bad), SyntaxError, bad);
  }
});

Deno.test("startDetached() keeps the program's output, stopProcess() ends it and no successor of its number", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const logFile = `${directory}/log`;
    const code = 'console.log("up"); setInterval(() => {}, 1e6)';
    const record = await startDetached(Deno.execPath(), ["eval", code], logFile);
    try {
      assert.equal(await isRunning(record), true);
      while (!(await Deno.readTextFile(logFile)).includes("up")) await new Promise((r) => setTimeout(r, 10));
      const other = { ...record, startTicks: record.startTicks + 1 };
      assert.equal(await isRunning(other), false);
      await stopProcess(other, 1_000);
      assert.equal(await isRunning(record), true);
    } finally {
      await stopProcess(record, 5_000);
    }
    assert.equal(await isRunning(record), false);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("stopProcess() kills what does not listen", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const logFile = `${directory}/log`;
    const code =
      'Deno.addSignalListener("SIGTERM", () => {}); console.log("deaf"); setInterval(() => {}, 1e6)';
    const record = await startDetached(Deno.execPath(), ["eval", code], logFile);
    while (!(await Deno.readTextFile(logFile)).includes("deaf")) await new Promise((r) => setTimeout(r, 10));
    await stopProcess(record, 50);
    assert.equal(await isRunning(record), false);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
