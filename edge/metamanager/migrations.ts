/** A step of the schema. Never edited once released: a later step changes what an earlier one made. */
export interface Migration {
  version: number;
  sql: string;
}

/** Under which name {@linkcode MIGRATIONS} are recorded; other owners of tables in the same file have names of their own. */
export const SCHEMA_COMPONENT = "metamanager";

/** Records which steps a file has had, per owner of tables. */
export const SCHEMA_TABLE = `CREATE TABLE IF NOT EXISTS schema_versions (
  component TEXT NOT NULL,
  version INTEGER NOT NULL,
  applied_at TEXT NOT NULL,
  PRIMARY KEY (component, version)
)`;

/**
 * The tables of metamanager. `meta` and `meta_v2` are upstream's, column for column, so that a file that upstream's edgecore
 * wrote opens here and the other way round; upstream leaves tables it does not know alone.
 * Upstream: kubeedge edge/pkg/metamanager/dao/models/meta.go @ 16cd854
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: `
CREATE TABLE IF NOT EXISTS meta (
  key TEXT,
  type TEXT,
  value TEXT,
  PRIMARY KEY (key)
);
CREATE INDEX IF NOT EXISTS meta_by_type ON meta (type);
CREATE TABLE IF NOT EXISTS meta_v2 (
  key TEXT,
  group_version_resource TEXT,
  namespace TEXT,
  name TEXT,
  resource_version INTEGER,
  value TEXT,
  PRIMARY KEY (key)
);
CREATE TABLE IF NOT EXISTS outbox (
  key TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  resource TEXT NOT NULL,
  uid TEXT NOT NULL,
  message TEXT NOT NULL,
  created_at INTEGER NOT NULL
);`,
  },
  {
    version: 2,
    sql: `
CREATE TABLE gone_pods (
  uid TEXT PRIMARY KEY,
  gone_at INTEGER NOT NULL
);`,
  },
];
