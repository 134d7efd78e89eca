import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { createLogger, silentLogger } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { DatabaseError, EdgeDatabase } from "./database.ts";
import { MetaStore } from "./meta_store.ts";

function inTempDir(act: (path: string) => void): () => void {
  return () => {
    const directory = Deno.makeTempDirSync();
    try {
      act(`${directory}/store/edgecore.db`);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  };
}

const open = (path: string, limitBytes?: number) =>
  new EdgeDatabase({ path, limitBytes }, new FakeClock(), silentLogger);

const object = (name: string, size = 10) => ({
  metadata: { name, namespace: "default" },
  data: "x".repeat(size),
});

Deno.test(
  "EdgeDatabase makes the file with its directory, readable by the owner only",
  inTempDir((path) => {
    using db = open(path);
    new MetaStore(db).put("default/pod/a", "pod", object("a"));
    for (const suffix of ["", "-wal", "-shm"]) {
      assert.equal(Deno.statSync(path + suffix).mode! & 0o777, 0o600, `mode of edgecore.db${suffix}`);
    }
    assert.equal(db.get("PRAGMA journal_mode")?.journal_mode, "wal");
    assert.equal(db.get("PRAGMA synchronous")?.synchronous, 2, "FULL");
  }),
);

Deno.test(
  "EdgeDatabase opens a file of upstream's edgecore, uses its rows and leaves foreign tables alone",
  inTempDir((path) => {
    Deno.mkdirSync(path.replace(/\/[^/]*$/, ""));
    const upstream = new DatabaseSync(path);
    upstream.exec(
      "CREATE TABLE `meta` (`key` text,`type` text,`value` text,PRIMARY KEY (`key`));" +
        "CREATE TABLE `meta_v2` (`key` text,`group_version_resource` text,`namespace` text,`name` text," +
        "`resource_version` integer,`value` text,PRIMARY KEY (`key`));" +
        "CREATE TABLE `device` (`id` text, `name` text);",
    );
    const insert = upstream.prepare("INSERT INTO meta VALUES (?, ?, ?)");
    insert.run("default/pod/web", "pod", JSON.stringify(object("web")));
    insert.run("default/configmap/gone", "configmap", '{"ErrStatus":{"reason":"NotFound"}}');
    insert.run("default/secret/broken", "secret", "{");
    upstream.prepare("INSERT INTO device VALUES (?, ?)").run("d", "thermometer");
    upstream.close();

    using db = open(path);
    const store = new MetaStore(db);
    assert.deepEqual(store.get("default/pod/web"), object("web"));
    assert.deepEqual(store.list("pod"), [object("web")]);
    assert.equal(store.get("default/configmap/gone"), undefined, "a stored error is not an object");
    assert.equal(store.get("default/secret/broken"), undefined);
    assert.equal(db.get("SELECT name FROM device")?.name, "thermometer");
  }),
);

Deno.test(
  "EdgeDatabase applies each migration once",
  inTempDir((path) => {
    open(path)[Symbol.dispose]();
    using db = open(path);
    assert.deepEqual(
      db.all("SELECT component, version FROM schema_versions").map((row) => ({ ...row })),
      [{ component: "metamanager", version: 1 }, { component: "metamanager", version: 2 }],
    );
  }),
);

Deno.test(
  "EdgeDatabase.transact() undoes everything when one statement fails",
  inTempDir((path) => {
    using db = open(path);
    const store = new MetaStore(db);
    const boom = new Error("boom");
    assert.throws(() =>
      db.transact(() => {
        store.put("default/pod/a", "pod", object("a"));
        throw boom;
      }), boom);
    assert.equal(store.get("default/pod/a"), undefined);
  }),
);

for (
  const [what, damage] of [
    ["is no database", (path: string) => Deno.writeTextFileSync(path, "garbage ".repeat(1000))],
    ["has broken pages", (path: string) => {
      const bytes = Deno.readFileSync(path);
      bytes.fill(0xa5, 4096);
      Deno.writeFileSync(path, bytes);
    }],
  ] as const
) {
  Deno.test(
    `EdgeDatabase moves a file aside that ${what} and begins a fresh one`,
    inTempDir((path) => {
      {
        using db = open(path);
        for (let i = 0; i < 50; i++) new MetaStore(db).put(`default/pod/${i}`, "pod", object(`${i}`, 500));
      }
      damage(path);
      const lines: string[] = [];
      using db = new EdgeDatabase(
        { path },
        new FakeClock(),
        createLogger("test", { write: (line) => lines.push(line) }),
      );
      const store = new MetaStore(db);
      assert.deepEqual(store.list("pod"), []);
      store.put("default/pod/a", "pod", object("a"));
      assert.deepEqual(store.get("default/pod/a"), object("a"));
      const files = [...Deno.readDirSync(path.replace(/\/[^/]*$/, ""))].map((f) => f.name);
      assert.ok(files.includes("edgecore.db.corrupt-2026-01-01T00-00-00-000Z"), files.join());
      assert.match(lines.join(""), /^E.*damaged.*edgecore\.db\.corrupt-/);
    }),
  );
}

Deno.test(
  "EdgeDatabase begins a fresh file when the open one turns out to be damaged",
  inTempDir((path) => {
    {
      using db = open(path);
      for (let i = 0; i < 2000; i++) new MetaStore(db).put(`default/pod/${i}`, "pod", object(`${i}`, 1000));
    }
    using db = open(path);
    const store = new MetaStore(db);
    using file = Deno.openSync(path, { write: true });
    const { size } = file.statSync();
    for (let at = 8 * 4096; at < size; at += 4096) {
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(4096).fill(0x5a));
    }
    // A write of its own tells the other connection of SQLite nothing: its cache must be dropped for it to read again.
    db.run("PRAGMA shrink_memory");
    assert.throws(
      () => store.list("pod"),
      (error) => error instanceof DatabaseError && error.trouble === "corrupt",
    );
    store.put("default/pod/a", "pod", object("a"));
    assert.deepEqual(store.get("default/pod/a"), object("a"));
  }),
);

Deno.test(
  "EdgeDatabase takes over what a damaged file still gives",
  inTempDir((path) => {
    {
      using db = open(path);
      for (let i = 0; i < 200; i++) {
        new MetaStore(db).put(`default/pod/${i}`, "pod", object(`${i}`, 1000));
      }
      db.run("INSERT INTO meta VALUES ('default/pod/broken', 'pod', '{')");
    }
    const bytes = Deno.readFileSync(path);
    bytes.fill(0x5a, bytes.length - 2 * 4096);
    Deno.writeFileSync(path, bytes);
    const lines: string[] = [];
    using db = new EdgeDatabase(
      { path },
      new FakeClock(),
      createLogger("test", { write: (line) => lines.push(line) }),
    );
    const pods = new MetaStore(db).list("pod");
    assert.ok(pods.length > 0 && pods.length < 200, `${pods.length} pods`);
    for (const pod of pods) {
      assert.deepEqual(pod, object((pod.metadata as { name: string }).name, 1000));
    }
    assert.match(lines.join(""), new RegExp(`objects=${pods.length}`));
  }),
);

Deno.test(
  "EdgeDatabase tells which file another process holds",
  inTempDir((path) => {
    open(path)[Symbol.dispose]();
    const other = new DatabaseSync(path);
    other.exec("BEGIN EXCLUSIVE");
    assert.throws(() => open(path), (error) => {
      assert.ok(error instanceof DatabaseError);
      assert.equal(error.trouble, "locked");
      assert.match(error.message, /edgecore\.db.*another process.*stop the other edgecore/);
      return true;
    });
    other.exec("ROLLBACK");
    other.close();
    open(path)[Symbol.dispose]();
  }),
);

Deno.test(
  "EdgeDatabase refuses writes while full and takes them again when there is room",
  inTempDir((path) => {
    using db = open(path, 200_000);
    const store = new MetaStore(db);
    assert.throws(
      () => {
        for (let i = 0; i < 1000; i++) store.put(`default/pod/${i}`, "pod", object(`${i}`, 2000));
      },
      (error) =>
        error instanceof DatabaseError && error.trouble === "full" && /free space/.test(error.message),
    );
    assert.equal(store.get("default/pod/0")?.data, "x".repeat(2000), "reading goes on");
    for (let i = 0; i < 40; i++) store.delete(`default/pod/${i}`);
    store.put("default/pod/new", "pod", object("new", 2000));
    assert.ok(store.get("default/pod/new"));
  }),
);
