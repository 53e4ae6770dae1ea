import type { Charsets } from "./charsets.ts";
import { inflate } from "./compressed.ts";
import type { Cursor } from "./cursor.ts";
import type { EventContent, XaAction } from "./decoded-event.ts";
import { decodeUtf8 } from "./text.ts";

/*
 * QUERY:
 *
 *     Int32 thread  Int32 seconds it took  Int8 length of the schema  Int16 error  Int16 length of the variables
 *     variables, see below  schema  0x00  the statement, to the end
 *
 * Variables, each Int8 kind and its value; 4 is Int16 client collation  Int16 connection's  Int16 server's. They
 * are read as far as their lengths are known: what follows is not needed.
 * MariaDB's QUERY_COMPRESSED has the statement as its compressed rows are.
 */
const MAX_STATEMENT_BYTES = 1024 * 1024 * 1024;
const CHARSET = 4;

export function readQuery(cursor: Cursor, charsets: Charsets, isCompressed: boolean): EventContent {
  cursor.take(8);
  const schemaLength = cursor.uint8();
  cursor.take(2);
  const variablesLength = cursor.uint16();
  const variablesAt = cursor.take(variablesLength);
  const schema = cursor.utf8(schemaLength);
  if (cursor.uint8() !== 0) throw new RangeError("a schema's name does not end");
  if (isBegin(cursor)) return { kind: "begin", schema };
  const variables = cursor.bytes.subarray(variablesAt, variablesAt + variablesLength);
  const statement = isCompressed ? inflated(cursor) : cursor.slice(cursor.left);
  return contentOf(schema, statementText(statement, clientCollation(variables), charsets));
}

/** Every transaction of MySQL has one. */
function isBegin({ bytes, at, left }: Cursor): boolean {
  return (
    left === 5 &&
    bytes[at] === 0x42 &&
    bytes[at + 1] === 0x45 &&
    bytes[at + 2] === 0x47 &&
    bytes[at + 3] === 0x49 &&
    bytes[at + 4] === 0x4e
  );
}

function contentOf(schema: string, sql: string): EventContent {
  switch (sql) {
    case "COMMIT":
      return { kind: "commit" };
    case "ROLLBACK":
      return { kind: "rollback" };
    default:
      return savepoint(sql) ?? xa(sql) ?? { kind: "query", schema, sql };
  }
}

function savepoint(sql: string): EventContent | null {
  const [, word = "", quoted, plain] = SAVEPOINT.exec(sql) ?? [];
  const name = quoted?.replaceAll("``", "`") ?? plain;
  if (name === undefined) return null;
  return { kind: word.toUpperCase() === "SAVEPOINT" ? "savepoint" : "rollback-to", name };
}

const SAVEPOINT = /^(SAVEPOINT|ROLLBACK(?:\s+WORK)?\s+TO(?:\s+SAVEPOINT)?)\s+(?:`((?:[^`]|``)*)`|(\S+))\s*$/i;

const XA_ACTIONS: ReadonlyMap<string, XaAction> = new Map([
  ["START", "start"],
  ["BEGIN", "start"],
  ["END", "end"],
  ["COMMIT", "commit"],
  ["ROLLBACK", "rollback"],
]);

/** The server writes names in one form only: `X'6774',X'62',1`. */
function xa(sql: string): EventContent | null {
  const [, word = "", xid] = /^XA (\w+) (X'[0-9a-f]*',X'[0-9a-f]*',\d+)(?: ONE PHASE)?$/i.exec(sql) ?? [];
  const action = XA_ACTIONS.get(word.toUpperCase());
  if (xid === undefined || action === undefined) return null;
  return { kind: "xa", action, xid: xid.replaceAll("x'", "X'") };
}

function statementText(statement: Buffer, collation: number | null, charsets: Charsets): string {
  const isKnown = collation !== null && charsets.has(collation);
  const decode = (isKnown ? charsets.ofCollation(collation, "(a statement)").decode : null) ?? decodeUtf8;
  return decode(statement, 0, statement.length) ?? statement.toString("utf8");
}

function clientCollation(variables: Buffer): number | null {
  let at = 0;
  while (at < variables.length) {
    const kind = variables[at];
    if (kind === CHARSET && at + 3 <= variables.length) return variables.readUInt16LE(at + 1);
    // 0 flags, 1 sql_mode, 3 auto_increment, 2 and 6 a catalog with its length.
    if (kind === 0) at += 5;
    else if (kind === 1) at += 9;
    else if (kind === 3) at += 5;
    else if (kind === 6) at += 2 + (variables[at + 1] ?? 0);
    else return null;
  }
  return null;
}

function inflated(cursor: Cursor): Buffer {
  const lengthBytes = cursor.uint8() & 7;
  if (lengthBytes < 1 || lengthBytes > 4) throw new RangeError("a compressed statement has no length");
  const at = cursor.take(lengthBytes);
  const length = cursor.bytes.readUIntBE(at, lengthBytes);
  return inflate(cursor.slice(cursor.left), length, { isRaw: false, maxBytes: MAX_STATEMENT_BYTES });
}
