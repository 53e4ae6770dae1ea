import type { SchemaDefinition, TableName } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteTable } from "../quoting.ts";
import type { Session } from "../session.ts";

/** What a primary's tables are, in the server's own words. */
export interface MysqlSchema extends SchemaDefinition {
  readonly dialect: Flavour;
  readonly tables: readonly TableDefinition[];
}

interface TableDefinition extends TableName {
  /** `create table …`, its name unqualified; foreign keys name the databases of others. */
  readonly create: string;
}

/** Tables that are gone are left out. */
export async function readSchema(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<MysqlSchema> {
  const definitions: TableDefinition[] = [];
  for (const { schema, name } of tables) {
    const [row] = await session.query(`show create table ${quoteTable({ schema, name })}`);
    const create = row?.["Create Table"];
    if (create !== undefined && create !== null) definitions.push({ schema, name, create });
  }
  return { dialect: flavour, tables: definitions };
}
