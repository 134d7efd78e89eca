import assert from "node:assert/strict";
import { type EngineFacts, parseOsIds, planEngine, removeStalePidFile } from "./engine.ts";

const BARE: EngineFacts = {
  answer: { error: "Cannot connect to the Docker daemon" },
  root: true,
  osIds: ["debian"],
  installed: false,
  systemd: false,
};

Deno.test("planEngine() goes the shortest way to an engine that answers", async (t) => {
  const rows: Array<[string, Partial<EngineFacts>, string[]]> = [
    ["one answers", { answer: { version: "28.2" } }, []],
    ["bare Debian as root", {}, ["install", "start dockerd"]],
    ["Ubuntu with systemd", { osIds: ["ubuntu", "debian"], systemd: true }, ["install", "start systemctl"]],
    ["installed, not running", { installed: true }, ["start dockerd"]],
    ["installed on another system", { installed: true, osIds: ["fedora"] }, ["start dockerd"]],
    ["not root", { root: false }, ["give-up"]],
    ["another system", { osIds: ["alpine"] }, ["give-up"]],
    ["no permission", { answer: { error: "permission denied while trying" } }, ["give-up"]],
  ];
  for (const [name, change, expected] of rows) {
    await t.step(name, () => {
      const steps = planEngine({ ...BARE, ...change });
      assert.deepEqual(steps.map((s) => s.step === "start" ? `start ${s.with}` : s.step), expected);
    });
  }
});

Deno.test("planEngine() says what to install", () => {
  const [step] = planEngine({ ...BARE, root: false });
  assert.ok(
    step?.step === "give-up" && step.advice.includes("apt-get install -y docker.io containerd iptables"),
  );
});

Deno.test("parseOsIds() reads quoted and bare values", () => {
  assert.deepEqual(parseOsIds('NAME="x"\nID=ubuntu\nID_LIKE="debian other"\nVERSION_ID=1\n'), [
    "ubuntu",
    "debian",
    "other",
  ]);
});

Deno.test("removeStalePidFile() removes the file of an engine that does not run, and no other", async (t) => {
  const dir = await Deno.makeTempDir();
  try {
    for (const [pid, stat] of [["42", "(dockerd) S"], ["43", "(sh) S"], ["45", "(dockerd) Z"]] as const) {
      await Deno.mkdir(`${dir}/${pid}`);
      await Deno.writeTextFile(`${dir}/${pid}/stat`, `${pid} ${stat} 1 1 1`);
    }
    const rows: Array<[string, string, boolean]> = [
      ["its engine runs", "42", true],
      ["its number belongs to another program", "43", false],
      ["its number belongs to nobody", "44", false],
      ["its engine was killed and is not yet forgotten", "45", false],
      ["it holds no number", "../42", false],
    ];
    for (const [name, text, kept] of rows) {
      await t.step(name, async () => {
        const path = `${dir}/docker.pid`;
        await Deno.writeTextFile(path, text);
        await removeStalePidFile(path, "dockerd", dir);
        assert.equal([...Deno.readDirSync(dir)].some((entry) => entry.name === "docker.pid"), kept);
      });
    }
    await t.step("there is none", () => removeStalePidFile(`${dir}/nothing.pid`, "dockerd", dir));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
