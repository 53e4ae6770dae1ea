import {
  NOT_CARRIED,
  tableLabel,
  unreachable,
  type LogRecord,
  type Offset,
  type RecordHeaders,
  type ReplicationEvent,
  type Row,
  type Table,
} from "@lockstep/core";

/** A record as lines for a person, or as one JSON object a line. */
export function eventLines(at: Offset, headers: RecordHeaders, record: LogRecord, isJson: boolean): string[] {
  const shown = describeRecord(record);
  if (isJson) {
    const epoch = headers.epoch === null ? null : `${headers.epoch.number}:${headers.epoch.id}`;
    return shown.map((fields) => JSON.stringify({ offset: String(at), epoch, ...fields }));
  }
  return shown.map((fields) => `${at}  ${textOf(fields)}`);
}

type Shown = Readonly<Record<string, unknown>> & { readonly kind: string };

function describeRecord(record: LogRecord): Shown[] {
  switch (record.kind) {
    case "open":
      return [{ kind: "open" }];
    case "epoch":
      return [{ kind: "epoch", number: record.epoch.number, id: record.epoch.id, position: record.position }];
    case "idle":
      return [{ kind: "idle", position: record.position }];
    case "begin":
      return [{ kind: "begin", xid: record.xid }, ...describeEvents(record.events, record.tables)];
    case "middle":
      return describeEvents(record.events, record.tables);
    case "end":
      return [...describeEvents(record.events, record.tables), { kind: "end", position: record.position }];
    case "transactions":
      return record.transactions.flatMap(({ position, xid, committedAtUs, events }) => {
        const committedAt = new Date(committedAtUs / 1_000).toISOString();
        return describeEvents(events, record.tables).map((event) => ({
          ...event,
          position,
          xid,
          committedAt,
        }));
      });
    default:
      return unreachable(record);
  }
}

function describeEvents(events: readonly ReplicationEvent[], tables: ReadonlyMap<number, Table>): Shown[] {
  return events.map((event) => {
    if (event.kind === "truncate")
      return { kind: event.kind, tables: event.tables.map((id) => labelOf(tables, id)) };
    const table = tables.get(event.table);
    const shown = { kind: event.kind, table: labelOf(tables, event.table) };
    return {
      ...shown,
      ...("before" in event && event.before !== undefined ? { before: cellsOf(table, event.before) } : {}),
      ...("after" in event ? { after: cellsOf(table, event.after) } : {}),
    };
  });
}

function labelOf(tables: ReadonlyMap<number, Table>, id: number): string {
  const table = tables.get(id);
  return table === undefined ? `#${id}` : tableLabel(table);
}

/** By column name; columns that were not carried are left out. */
function cellsOf(table: Table | undefined, row: Row): Readonly<Record<string, string | null>> {
  const cells = row.flatMap((cell, index): [string, string | null][] =>
    cell === NOT_CARRIED ? [] : [[table?.columns[index]?.name ?? `#${index}`, cell]],
  );
  return Object.fromEntries(cells);
}

function textOf({ kind, table, before, after, ...others }: Shown): string {
  const parts = [kind.padEnd(8), ...(typeof table === "string" ? [table] : [])];
  if (before !== undefined) parts.push(`${JSON.stringify(before)} →`);
  if (after !== undefined) parts.push(JSON.stringify(after));
  const { tables, position, xid, ...rest } = others;
  if (Array.isArray(tables)) parts.push(tables.join(", "));
  if (typeof position === "string") parts.push(`at ${position}`);
  if (typeof xid === "string") parts.push(`xid ${xid}`);
  for (const [name, value] of Object.entries(rest))
    if (name !== "committedAt") parts.push(`${name}=${String(value)}`);
  return parts.join("  ");
}
