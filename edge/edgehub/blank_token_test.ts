import assert from "node:assert/strict";
import { createLogger } from "../../common/module/mod.ts";
import { startEdgeHub } from "./_harness.ts";
import { TestCloud } from "./_test_cloud.ts";
import { forgetToken, withoutToken } from "./blank_token.ts";

const TOKEN = "0123abcd.eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln_-x";

Deno.test("withoutToken() takes the token out and nothing else", async (t) => {
  const rows: Array<[name: string, text: string, wanted: string | undefined]> = [
    ["double quotes", `a: 1 # one\ntoken: "${TOKEN}" # two\n`, 'a: 1 # one\ntoken: "" # two\n'],
    ["single quotes", `token: '${TOKEN}'\n`, 'token: ""\n'],
    ["plain", `edgeHub:\n  token: ${TOKEN}\n  x: 1\n`, 'edgeHub:\n  token: ""\n  x: 1\n'],
    ["JSON", `{"token":"${TOKEN}","x":[1]}`, '{"token":"","x":[1]}'],
    ["in a comment too", `# was ${TOKEN}\ntoken: "${TOKEN}"\n`, '# was ""\ntoken: ""\n'],
    ["not there", "token: other\n", undefined],
    [
      "broken over lines, as YAML printers do with long texts",
      `a: 1\n  token: "${TOKEN.slice(0, 20)}\\\n    ${TOKEN.slice(20)}" # x\n`,
      'a: 1\n  token: "" # x\n',
    ],
    ["begun on the next line", `token: "\\\n    ${TOKEN}\\\n  "\nb: 1\n`, 'token: ""\nb: 1\n'],
    ["folded", `token: >-\n  ${TOKEN.slice(0, 20)}\n  ${TOKEN.slice(20)}\n`, undefined],
  ];
  for (const [name, text, wanted] of rows) {
    await t.step(name, () => assert.equal(withoutToken(text, TOKEN), wanted));
  }
  assert.equal(withoutToken("a: x\nb: x\n", "x"), undefined, "what is no token is not looked for");
});

Deno.test("edgeHub() takes the token out of the configuration once it has joined, and needs it no more", async () => {
  const directory = await Deno.makeTempDir();
  await using cloud = await TestCloud.start();
  const token = await cloud.token();
  const configFile = `${directory}/edgecore.yaml`;
  await Deno.writeTextFile(configFile, `# mine\nmodules:\n  edgeHub:\n    token: ${token} # for joining\n`, {
    mode: 0o644,
  });
  const options = cloud.options(directory, { token, configFile });
  {
    await using hub = await startEdgeHub(options);
    await cloud.session();
    await hub.log("Took the join token out");
    assert.ok(!hub.logged.join("").includes(token), "the token is not logged");
  }
  assert.equal(
    await Deno.readTextFile(configFile),
    `# mine\nmodules:\n  edgeHub:\n    token: "" # for joining\n`,
  );
  const { mode } = await Deno.stat(configFile);
  assert.equal(mode! & 0o777, 0o600);
  await using again = await startEdgeHub(cloud.options(directory));
  await cloud.session();
  assert.ok(!again.logged.join("").includes("Took the join token out"));
  await Deno.remove(directory, { recursive: true });
});

Deno.test("forgetToken() says once that it cannot, and leaves the file as it was", async () => {
  const directory = await Deno.makeTempDir();
  const logged: string[] = [];
  const log = createLogger("edgehub", { level: "info", write: (line) => void logged.push(line) });
  const file = `${directory}/edgecore.yaml`;
  await Deno.writeTextFile(file, `token: ${TOKEN}\n`);
  await Deno.mkdir(`${file}.new/full`, { recursive: true });
  await forgetToken(file, TOKEN, log);
  assert.equal(logged.length, 1);
  assert.match(logged[0]!, /blank modules\.edgeHub\.token by hand/);
  assert.equal(await Deno.readTextFile(file), `token: ${TOKEN}\n`);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("forgetToken() leaves nothing beside a file that cannot be replaced", async () => {
  const directory = await Deno.makeTempDir();
  const logged: string[] = [];
  const log = createLogger("edgehub", { level: "info", write: (line) => void logged.push(line) });
  const file = `${directory}/edgecore.yaml`;
  await Deno.writeTextFile(file, `token: ${TOKEN}\n`);
  const { rename } = Deno;
  Deno.rename = () => Promise.reject(new Deno.errors.Busy("it is a mount"));
  try {
    await forgetToken(file, TOKEN, log);
  } finally {
    Deno.rename = rename;
  }
  assert.match(logged.join(""), /it is a mount/);
  assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["edgecore.yaml"]);
  await Deno.remove(directory, { recursive: true });
});
