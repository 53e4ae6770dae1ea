import type { SchemaDefinition, TableName } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteTable } from "../quoting.ts";
import { isNoTable, isRightMissing, ServerError } from "../server-error.ts";
import type { Session } from "../session.ts";
import { readCommonTables } from "./common-tables.ts";

/** What a primary's tables are, in the server's own words. */
export interface MysqlSchema extends SchemaDefinition {
  readonly dialect: Flavour;
  readonly tables: readonly TableDefinition[];
}

export interface TableDefinition extends TableName {
  /** `create table …`, its name unqualified; foreign keys name the databases of others. */
  readonly create: string;
}

/** Why the server itself cannot open a table, in its words: those of an object, never of a row. Null: it can. */
export async function whyUnopened(session: Session, table: TableName): Promise<string | null> {
  try {
    await session.query(`show create table ${quoteTable(table)}`);
    return null;
  } catch (error) {
    if (!(error instanceof ServerError) || isRightMissing(error) || isNoTable(error)) return null;
    return error.message;
  }
}

/** Tables that are gone are left out. */
export async function readSchema(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<MysqlSchema> {
  const definitions: TableDefinition[] = [];
  for (const { schema, name } of tables) {
    const rows = await session
      .query(`show create table ${quoteTable({ schema, name })}`)
      .catch((error: unknown) => (isNoTable(error) ? [] : Promise.reject(error)));
    const create = rows[0]?.["Create Table"];
    if (create !== undefined && create !== null) definitions.push({ schema, name, create });
  }
  const common = await readCommonTables(
    session,
    flavour,
    definitions.map(({ schema, name }) => ({ schema, name })),
  );
  return { dialect: flavour, tables: definitions, common };
}

/** The same, as a sink gets it. */
export function mysqlSchema(schema: SchemaDefinition): MysqlSchema {
  if (isMysqlSchema(schema)) return schema;
  throw new TypeError(`definitions in the words of ${schema.dialect} are not understood`);
}

function isMysqlSchema(schema: SchemaDefinition): schema is MysqlSchema {
  return (schema.dialect === "mysql" || schema.dialect === "mariadb") && "tables" in schema;
}
