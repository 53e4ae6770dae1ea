import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import { sqlStateOf, toReplicationError } from "../connection.ts";

/** Data, or what a function raised: the server's words may be a row's (S1); … */
const QUOTES_ROWS = /^(?:22|P0)/;
/** … of a constraint, only the details are. */
const ABOUT_ROWS = /^(?:22|23|P0)/;

export interface Subject {
  /** `table shop.orders`, `index "a" of table shop.orders` */
  readonly what: string;
  /** What to do instead, where it is not simply to create it. */
  readonly fix?: string;
}

/** Runs one statement that defines something on a replica; a failure names it and the way out. */
export async function define(client: Client, statement: string, subject: Subject): Promise<void> {
  try {
    await client.query(statement);
  } catch (error) {
    throw explain(error, subject);
  }
}

/** The connection's own failures stay what they are: they pass. */
export function explain(error: unknown, { what, fix }: Subject): unknown {
  const sqlState = sqlStateOf(error);
  const known = toReplicationError(error, what);
  if (sqlState === null || !(error instanceof Error)) return known;
  if (known instanceof ReplicationError && known.code !== "permission-denied") return known;
  const words = QUOTES_ROWS.test(sqlState) ? "" : `${error.message}, `;
  const isDenied = known instanceof ReplicationError;
  return new ReplicationError(
    isDenied ? "permission-denied" : "schema-mismatch",
    `${what} cannot be created on the replica: ${words}SQLSTATE ${sqlState}`,
    {
      fix: isDenied
        ? `grant the role what the message names, or ${createByHand(what)}`
        : (fix ?? createByHand(what)),
      fields: { object: what, sqlState },
      ...(ABOUT_ROWS.test(sqlState) ? {} : { cause: error }),
    },
  );
}

export function createByHand(what: string): string {
  return `create ${what} there as it is on the primary, or name the tables that need it in tables.exclude`;
}

/** All of it or nothing; the client is in no transaction before and after. */
export async function inTransaction(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query("begin");
  try {
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined); // A lost connection has rolled back already.
    throw error;
  }
}
