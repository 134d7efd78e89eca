import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { isConflict, StatusError } from "../../../common/errors/mod.ts";
import { ObjectStore, type StoredObject } from "./object_store.ts";

function object(version: number, name = "a"): StoredObject {
  return {
    resource: "pods",
    namespace: "ns",
    name,
    uid: "u",
    resourceVersion: version,
    body: `{"v":${version}}`,
  };
}

async function inDirectory(body: (path: string) => void | Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(`${dir}/control-plane.db`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("ObjectStore keeps objects, versions and settings from one opening to the next", () =>
  inDirectory((path) => {
    {
      using store = ObjectStore.open(path);
      store.commit((version) => ({ kind: "insert", object: object(version) }));
      store.commit((version) => ({ kind: "update", object: object(version), expectedVersion: 2 }), "process");
      store.commit((version) => ({ kind: "insert", object: object(version, "b") }));
      store.commit((version) => ({ kind: "delete", object: object(version, "b"), expectedVersion: 4 }));
      store.setSetting("x", "y");
      assert.equal(store.version, 5);
    }
    using store = ObjectStore.open(path);
    assert.equal(store.version, 5);
    assert.equal(store.setting("x"), "y");
    assert.equal(store.setting("z"), undefined);
    assert.deepEqual([...store.load()].map((o) => ({ ...o })), [object(3)]);
  }));

Deno.test("ObjectStore refuses a write that was decided on another version, and gives no version away", () =>
  inDirectory((path) => {
    using store = ObjectStore.open(path);
    store.commit((version) => ({ kind: "insert", object: object(version) }));
    const stale = () =>
      store.commit((version) => ({ kind: "update", object: object(version), expectedVersion: 1 }));
    assert.throws(stale, isConflict);
    assert.throws(
      () => store.commit((version) => ({ kind: "delete", object: object(version), expectedVersion: 7 })),
      isConflict,
    );
    assert.equal(store.version, 2);
    assert.equal([...store.load()][0]?.body, '{"v":2}');
  }));

Deno.test("ObjectStore.open() names the fix", async (t) => {
  const refuses = (path: string, fix: RegExp) =>
    assert.throws(() => ObjectStore.open(path), (e) => e instanceof StatusError && fix.test(e.message));
  await t.step("opened by another", () =>
    inDirectory((path) => {
      using _store = ObjectStore.open(path);
      refuses(path, /another process has it open/);
    }));
  await t.step("no database", () =>
    inDirectory(async (path) => {
      await Deno.writeTextFile(path, "hello ".repeat(2000));
      refuses(path, /not a SQLite database: restore it from a backup/);
    }));
  await t.step("a missing directory", () => refuses("/nonexistent/x.db", /make the data directory exist/));
  await t.step("a newer layout", () =>
    inDirectory((path) => {
      ObjectStore.open(path)[Symbol.dispose]();
      const db = new DatabaseSync(path);
      db.exec("PRAGMA user_version = 99");
      db.close();
      refuses(path, /newer than this program knows/);
    }));
});

Deno.test("ObjectStore says so when the disk is full, and goes on when there is room", () =>
  inDirectory((path) => {
    using store = ObjectStore.open(path);
    store.limitPages(20);
    const big = (version: number): StoredObject => ({
      ...object(version, `n${version}`),
      body: "x".repeat(20_000),
    });
    const fill = () => {
      for (let i = 0; i < 50; i++) store.commit((version) => ({ kind: "insert", object: big(version) }));
    };
    assert.throws(
      fill,
      (e) => e instanceof StatusError && /the disk is full: free some space/.test(e.message),
    );
    const version = store.version;
    store.limitPages(100_000);
    store.commit((v) => ({ kind: "insert", object: big(v) }));
    assert.equal(store.version, version + 1);
  }));

Deno.test("ObjectStore loses nothing it acknowledged when its process is killed", () =>
  inDirectory(async (path) => {
    const program = `
      import { ObjectStore } from ${JSON.stringify(new URL("./object_store.ts", import.meta.url).href)};
      const store = ObjectStore.open(${JSON.stringify(path)});
      for (let i = 0; i < 100000; i++) {
        store.commit((v) => ({ kind: "insert", object: { resource: "r", namespace: "", name: "n" + v, uid: "u", resourceVersion: v, body: "{}" } }), i % 2 ? "power" : "process");
        Deno.stdout.writeSync(new TextEncoder().encode(store.version + "\\n"));
      }`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", program],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    let killed = false;
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.length <= 2000 || killed) continue;
      child.kill("SIGKILL");
      killed = true;
    }
    await child.status;
    const acknowledged = text.slice(0, text.lastIndexOf("\n")).split("\n").map(Number);
    using store = ObjectStore.open(path);
    const names = new Set([...store.load()].map(({ name }) => name));
    for (const version of acknowledged) assert.ok(names.has(`n${version}`), `n${version} is lost`);
    assert.ok(store.version >= acknowledged.at(-1)!);
    assert.ok(acknowledged.length > 100);
  }));
