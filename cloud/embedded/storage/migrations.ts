/**
 * Steps that bring the database from one layout to the next: step i leads to `user_version` i + 1. A step that was released is never
 * edited; a change is a new step.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE objects (
     resource TEXT NOT NULL,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     uid TEXT NOT NULL,
     resource_version INTEGER NOT NULL,
     body TEXT NOT NULL,
     PRIMARY KEY (resource, namespace, name)
   ) WITHOUT ROWID;
   CREATE TABLE settings (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
   INSERT INTO settings (name, value) VALUES ('resourceVersion', 1);`,
];
