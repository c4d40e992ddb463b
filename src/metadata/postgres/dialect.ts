/** Statements are written in the part of SQL that SQLite reads too; these are the differences. */

/** `?` as PostgreSQL numbers its parameters. Texts have no `?` of their own. */
export function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll("?", () => `$${++count}`);
}

/**
 * A statement of the schema. Texts compare byte by byte, as in SQLite: the database's own collation may
 * sort otherwise.
 */
export function schemaStatement(sql: string): string {
  return sql
    .replaceAll(/\bBLOB\b/g, "BYTEA")
    .replaceAll(/\bTEXT\b/g, `TEXT COLLATE "C"`)
    .replaceAll(/\)\s*WITHOUT ROWID/g, ")");
}
