import assert from "node:assert/strict";
import { coreHelp, parseCoreFlags, type RunCommand } from "./flags.ts";

const RUN: RunCommand = {
  kind: "run",
  configPath: "/etc/kubeedge/config/edgecore.yaml",
  logLevel: undefined,
  logFormat: undefined,
};

Deno.test("parseCoreFlags() understands", async (t) => {
  const rows: Array<[string[], ReturnType<typeof parseCoreFlags>]> = [
    [[], RUN],
    [["--config", "/tmp/a.yaml"], { ...RUN, configPath: "/tmp/a.yaml" }],
    [["--config=/tmp/a=b_c.yaml"], { ...RUN, configPath: "/tmp/a=b_c.yaml" }],
    [["--minconfig"], { kind: "print-config", which: "min" }],
    [["--minconfig=true"], { kind: "print-config", which: "min" }],
    [["--minconfig=false"], RUN],
    [["--defaultconfig"], { kind: "print-config", which: "default" }],
    [["--defaultconfig=0"], RUN],
    [["--version"], { kind: "version" }],
    [["-h"], { kind: "help" }],
    [["--help", "--minconfig"], { kind: "help" }],
    [["-v", "4"], { ...RUN, logLevel: "debug" }],
    [["-v=4"], { ...RUN, logLevel: "debug" }],
    [["-v4"], { ...RUN, logLevel: "debug" }],
    [["--v=5"], { ...RUN, logLevel: "debug" }],
    [["--v", "2"], RUN],
    [["--logtostderr", "--alsologtostderr=false", "--log_dir=/x", "--vmodule", "a=1"], RUN],
    [["--logging-format=json"], { ...RUN, logFormat: "json" }],
  ];
  for (const [args, expected] of rows) {
    await t.step(
      args.join(" ") || "nothing",
      () => assert.deepEqual(parseCoreFlags(args, "edgecore"), expected),
    );
  }
});

Deno.test("parseCoreFlags() refuses with exit code 2 and one clear message", async (t) => {
  const rows: Array<[string[], RegExp]> = [
    [["--minconf"], /Unknown flag "--minconf" \(did you mean "--minconfig"\?\)/],
    [["--defaultConfig"], /Unknown flag "--defaultConfig" \(did you mean "--defaultconfig"\?\)/],
    [["--zzz=secret"], /Unknown flag "--zzz"\n/],
    [["-config", "x"], /Unknown flag "-config" \(did you mean "--config"\?\)/],
    [["--__proto__"], /Unknown flag/],
    [["--constructor"], /Unknown flag/],
    [["edgecore.yaml"], /Cannot use the argument "edgecore.yaml"/],
    [["--config"], /Cannot use --config without a value/],
    [["--config="], /Cannot use --config without a value/],
    [["--minconfig=maybe"], /Cannot use --minconfig=maybe: it is true or false/],
    [["-v", "loud"], /Cannot use -v "loud"/],
    [["--logging-format", "xml"], /Cannot use --logging-format "xml": it is text or json/],
  ];
  for (const [args, expected] of rows) {
    await t.step(args.join(" "), () => {
      const command = parseCoreFlags(args, "edgecore");
      assert.ok(command.kind === "refuse", JSON.stringify(command));
      assert.equal(command.exitCode, 2);
      assert.match(command.message, expected);
      assert.match(command.message, /^edgecore: .*\nRun "edgecore --help"/);
    });
  }
});

Deno.test("coreHelp() names every flag that does something, and where the configuration is", () => {
  for (const program of ["cloudcore", "edgecore"] as const) {
    const help = coreHelp(program);
    for (const flag of ["--config", "--minconfig", "--defaultconfig", "--version", "-h, --help", "-v, --v"]) {
      assert.ok(help.includes(flag), flag);
    }
    assert.ok(help.includes(`/etc/kubeedge/config/${program}.yaml`));
  }
});
