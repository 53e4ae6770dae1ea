import type { Epoch, FormerEpoch } from "./epoch.ts";
import { isLogicalType } from "./event.ts";
import type {
  Column,
  LogicalType,
  ReplicationEvent,
  Row,
  Table,
  TableName,
  Transaction,
  TransactionMark,
} from "./event.ts";
import { position, type Position } from "./position.ts";
import type { LogRecord, RecordHeaders } from "./record.ts";
import { ReplicationError } from "./replication-error.ts";
import type { WrittenSelection } from "./selection.ts";
import { unreachable } from "./unreachable.ts";

/** Turns the parsed value of a record into its type; `record-corrupt` names what does not fit. */
export function parseBody(headers: RecordHeaders, body: unknown): LogRecord {
  const fields = object(body, "value");
  switch (headers.kind) {
    case "open":
      return parseOpen(fields);
    case "epoch":
      return { kind: "epoch", epoch: parseEpoch(fields["epoch"]), ...positioned(headers, fields["last"]) };
    case "transactions":
      return parseTransactions(headers, fields);
    case "begin":
      return {
        kind: "begin",
        ...parsePiece(fields),
        xid: text(fields["xid"], "xid"),
        commitStart: required(headers.commitStart, "start"),
        previous: required(headers.previous, "previous"),
      };
    case "middle":
      return { kind: "middle", ...parsePiece(fields), begin: required(headers.begin, "begin") };
    case "end":
      return {
        kind: "end",
        ...parsePiece(fields),
        begin: required(headers.begin, "begin"),
        ...positioned(headers, fields["last"]),
      };
    case "idle":
      return { kind: "idle", ...positioned(headers, fields["last"]) };
    default:
      return unreachable(headers.kind);
  }
}

function parseOpen(fields: Fields): LogRecord {
  const epoch = fields["epoch"] === null ? null : parseEpoch(fields["epoch"]);
  if (fields["selections"] === undefined) return { kind: "open", epoch };
  return { kind: "open", epoch, selections: array(fields["selections"], "selections").map(parseSelection) };
}

function parseSelection(value: unknown): WrittenSelection {
  const fields = object(value, "selection");
  const tables = object(fields["tables"], "tables");
  const patterns = (name: string): string[] => array(tables[name], name).map((one) => text(one, name));
  return {
    tables: { include: patterns("include"), exclude: patterns("exclude") },
    version: wholeNumber(fields["version"], "version"),
    since: fields["since"] === null ? null : position(text(fields["since"], "since")),
  };
}

function parseTransactions(headers: RecordHeaders, fields: Fields): LogRecord {
  const tables = parseTables(fields["tables"]);
  const all = array(fields["transactions"], "transactions").map((entry) => parseTransaction(entry, tables));
  const [first, ...rest] = all;
  if (first === undefined) throw misfit("transactions", "at least one transaction");
  const last = rest.at(-1) ?? first;
  return {
    kind: "transactions",
    tables,
    transactions: [first, ...rest],
    previous: headers.previous,
    position: required(headers.position, "position"),
    last: { position: last.position, xid: last.xid, committedAtUs: last.committedAtUs },
  };
}

function positioned(
  headers: RecordHeaders,
  last: unknown,
): { previous: Position | null; position: Position; last: TransactionMark | null } {
  return {
    previous: headers.previous,
    position: required(headers.position, "position"),
    last: last === null ? null : parseMark(object(last, "last")),
  };
}

function parseTransaction(value: unknown, tables: ReadonlyMap<number, Table>): Transaction {
  const fields = object(value, "transaction");
  return { ...parseMark(fields), events: parseEvents(fields["events"], tables) };
}

function parseMark(fields: Fields): TransactionMark {
  return {
    position: position(text(fields["position"], "position")),
    xid: text(fields["xid"], "xid"),
    committedAtUs: wholeNumber(fields["committedAtUs"], "committedAtUs"),
  };
}

function parsePiece(fields: Fields): { tables: Map<number, Table>; events: readonly ReplicationEvent[] } {
  const tables = parseTables(fields["tables"]);
  return { tables, events: parseEvents(fields["events"], tables) };
}

/** Checks in place: the parsed array is what flows on, nothing is copied for each event. */
function parseEvents(value: unknown, tables: ReadonlyMap<number, Table>): readonly ReplicationEvent[] {
  const events = array(value, "events");
  if (!events.every((event) => isEvent(event, tables))) throw misfit("events", "events of tables it names");
  return events;
}

function isEvent(value: unknown, tables: ReadonlyMap<number, Table>): value is ReplicationEvent {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  if (value.kind === "truncate") {
    if (!("tables" in value && Array.isArray(value.tables))) return false;
    return value.tables.every((id: unknown) => typeof id === "number" && tables.has(id));
  }
  if (!("table" in value) || typeof value.table !== "number") return false;
  const width = tables.get(value.table)?.columns.length;
  if (width === undefined) return false;
  switch (value.kind) {
    case "insert":
      return "after" in value && isRow(value.after, width);
    case "update":
      return (
        "after" in value && isRow(value.after, width) && (!("before" in value) || isRow(value.before, width))
      );
    case "delete":
      return "before" in value && isRow(value.before, width);
    case "schema":
      return true;
    default:
      return false;
  }
}

function isRow(value: unknown, width: number): value is Row {
  if (!Array.isArray(value) || value.length !== width) return false;
  for (const cell of value as readonly unknown[]) {
    if (typeof cell !== "string" && cell !== null && cell !== 0) return false;
  }
  return true;
}

function parseTables(value: unknown): Map<number, Table> {
  const tables = array(value, "tables").map(parseTable);
  return new Map(tables.map((table) => [table.id, table]));
}

function parseTable(value: unknown): Table {
  const fields = object(value, "table");
  return {
    id: wholeNumber(fields["id"], "id"),
    ...parseTableName(fields),
    ...(fields["identity"] === undefined ? {} : { identity: text(fields["identity"], "identity") }),
    columns: array(fields["columns"], "columns").map(parseColumn),
  };
}

function parseColumn(value: unknown): Column {
  const { name, type, nativeType, isKey } = object(value, "column");
  return {
    name: text(name, "column name"),
    type: logicalType(type),
    nativeType: text(nativeType, "nativeType"),
    isKey: isKey === true,
  };
}

function parseTableName(value: unknown): TableName {
  const fields = object(value, "table name");
  return { schema: text(fields["schema"], "schema"), name: text(fields["name"], "name") };
}

function parseEpoch(value: unknown): Epoch {
  const fields = object(value, "epoch");
  const server = Object.entries(object(fields["server"], "server"));
  return {
    number: wholeNumber(fields["number"], "number"),
    id: text(fields["id"], "id"),
    server: Object.fromEntries(server.map(([name, entry]) => [name, text(entry, name)])),
    start: position(text(fields["start"], "start")),
    former: array(fields["former"], "former").map(parseFormerEpoch),
  };
}

function parseFormerEpoch(value: unknown): FormerEpoch {
  const fields = object(value, "former epoch");
  return {
    number: wholeNumber(fields["number"], "number"),
    id: text(fields["id"], "id"),
    last: position(text(fields["last"], "last")),
  };
}

/** A type that a newer version knows reads as text that only its engine understands. */
function logicalType(value: unknown): LogicalType {
  const name = text(value, "column type");
  return isLogicalType(name) ? name : "other";
}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown, what: string): Fields {
  if (!isObject(value)) throw misfit(what, "an object");
  return value;
}

/** As parsed: nothing is copied for each transaction. */
function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function array(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw misfit(what, "an array");
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "") throw misfit(what, "text");
  return value;
}

function wholeNumber(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw misfit(what, "a whole number");
  return value;
}

function required<T>(value: T | null, what: string): T {
  if (value === null) throw misfit(what, "present in the headers");
  return value;
}

function misfit(what: string, expected: string): ReplicationError {
  return new ReplicationError(
    "record-corrupt",
    `a record of the log cannot be read: ${what} is not ${expected}`,
    {
      fix: "run the version of lockstep that wrote the topic, or a newer one",
    },
  );
}
