import { matchesTable, tableKey, type TableFilter } from "@lockstep/core";
import { BinlogDecoder, type BinlogDecoderOptions } from "../binlog/binlog-decoder.ts";
import type { Charsets } from "../binlog/charsets.ts";
import { KnownTables } from "../binlog/table-map.ts";
import type { Flavour } from "../flavour.ts";
import { isForUsers, readSequences } from "../schema/tables.ts";
import type { Session } from "../session.ts";
import type { CatalogFacts } from "./catalog-facts.ts";

/** What a log is decoded by, as the primary is now. */
export async function decoderOptions(
  session: Session,
  of: {
    readonly flavour: Flavour;
    readonly charsets: Charsets;
    /** Null: the log itself says all that there is to know of a column. */
    readonly facts: CatalogFacts | null;
    readonly tables: TableFilter;
    readonly maxRowBytes: number;
  },
): Promise<BinlogDecoderOptions> {
  const { flavour, charsets, facts, tables, maxRowBytes } = of;
  const sequences = await readSequences(session);
  return {
    flavour,
    charsets,
    maxRowBytes,
    includes: (table) => isForUsers(table) && matchesTable(tables, table) && !sequences.has(tableKey(table)),
    factsOf: facts === null ? undefined : (...rows) => facts.factsOf(...rows),
    wholeBefore: false,
    known: new KnownTables(),
  };
}

/** Of the stream that is followed. */
export function followingDecoder(options: BinlogDecoderOptions, facts: CatalogFacts | null): BinlogDecoder {
  return new BinlogDecoder({
    ...options,
    onBegin: (gtid) => facts?.begins(gtid),
  });
}

/** Of another stream of the same log, which may leave out all rows. */
export function besideDecoder(options: BinlogDecoderOptions, withRows: boolean): BinlogDecoder {
  return new BinlogDecoder({ ...options, includes: withRows ? options.includes : (): boolean => false });
}
