import { tableKey, tableLabel, type TableName } from "./event.ts";
import { ReplicationError } from "./replication-error.ts";

/** A table by the replica's name and by the primary's. */
export interface TwoNames {
  readonly there: TableName;
  readonly here: TableName;
}

/** Said already: an error may come by twice. */
const NAMED = new WeakSet<ReplicationError>();

/** `public.items (there shop.items)` for `shop.items`, also in quotes, wherever a text has it. */
export function bothNames(what: string, tables: readonly TwoNames[]): string {
  const labels = labelsIn(what, tables);
  if (labels.size === 0) return what;
  // The longest first: one name may begin another.
  const known = [...labels.keys()].toSorted((left, right) => right.length - left.length);
  const mention = new RegExp(`(?<![\\w.$])(${known.map(escaped).join("|")})((?:\\.\\w+)?)(?![\\w$])`, "gu");
  return what.replace(
    mention,
    (_, there: string, column: string) => `${labels.get(there) ?? there}${column} (there ${there}${column})`,
  );
}

/** The same of what an error says and is about; its fix is for the replica. Others stay as they are. */
export function namingBoth(error: unknown, tables: readonly TwoNames[]): unknown {
  if (!(error instanceof ReplicationError) || NAMED.has(error)) return error;
  const { code, message, fix, fields, cause } = error;
  const said = bothNames(message, tables);
  const about = fields["table"];
  const here = typeof about === "string" ? labelsIn(about, tables).get(about) : undefined;
  if (said === message && here === undefined) return error;
  const named = new ReplicationError(code, said, {
    ...(cause === undefined ? {} : { cause }),
    ...(fix === undefined ? {} : { fix }),
    fields: here === undefined ? fields : { ...fields, table: here },
  });
  NAMED.add(named);
  return named;
}

/** The primary's names of tables that a text may have, by how it writes the replica's. */
function labelsIn(what: string, tables: readonly TwoNames[]): Map<string, string> {
  const labels = new Map<string, string>();
  for (const { there, here } of tables) {
    if (tableKey(there) === tableKey(here)) continue;
    for (const form of [tableLabel(there), quoted(there, "`"), quoted(there, '"')])
      if (what.includes(form)) labels.set(form, tableLabel(here));
  }
  return labels;
}

function quoted({ schema, name }: TableName, quote: string): string {
  return [schema, name].map((part) => quote + part.replaceAll(quote, quote + quote) + quote).join(".");
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
