import {
  Arrived,
  includes,
  matchesTable,
  ReplicationError,
  type Position,
  type ServerClock,
  type SourceSession,
  type TableFilter,
} from "@lockstep/core";
import { BinlogStream } from "../binlog/binlog-stream.ts";
import type { Charsets } from "../binlog/charsets.ts";
import type { Connected } from "../connection.ts";
import type { GatedStart } from "../gate/source-gate.ts";
import { StreamGate } from "../gate/stream-gate.ts";
import { comparePositions } from "../position.ts";
import { readNameCase } from "../schema/name-case.ts";
import type { MadeTable } from "../schema/tables.ts";
import { Assembler } from "./assembler.ts";
import { besideReaders } from "./beside-readers.ts";
import type { CatalogFacts } from "./catalog-facts.ts";
import type { Reading } from "./catalog-reading.ts";
import { decoderOptions, followingDecoder } from "./decoder-options.ts";
import { NamedTables } from "./named-tables.ts";
import type { PrimaryLog } from "./primary-log.ts";
import { Reached } from "./reached.ts";
import { serverIdOf } from "./server-id.ts";
import type { MysqlSourceOptions } from "./source.ts";
import { emptyOf, fromOf } from "./stream-place.ts";
import { TransactionStream } from "./transaction-stream.ts";

/** A larger transaction is handed on in pieces of this size: a record's worth. */
const PIECE_BYTES = 256 * 1024;

/**
 * So many definitions and names of what was dropped are kept: what is handed on refers to any of them, for as long as it
 * likes. Another stream begins without them (M1).
 */
const MAX_KEPT = 10_000;

/** Where a stream begins, and what is known by then. */
interface Begin extends GatedStart, Pick<SourceSession, "tables"> {
  /** As `TransactionStreamOptions` have it. */
  readonly compared: Position | null;
  /** Through where the topic is when it begins. */
  readonly published: Position;
  readonly made: readonly MadeTable[];
  readonly clock: ServerClock;
}

export interface OpenedStream {
  readonly connected: Connected;
  readonly log: PrimaryLog;
  readonly source: Pick<MysqlSourceOptions, "pipeline" | "tables" | "maxRowBytes" | "failpoints">;
  readonly begin: Begin;
  /** Null: the log itself says all that there is to know of a column. */
  readonly facts: CatalogFacts | null;
  readonly charsets: Charsets;
  /** It is looked ahead in the log for definitions that change, all the way. */
  readonly looksAhead: boolean;
  readonly readAgain: (facts: CatalogFacts, reading: Reading, signal: AbortSignal) => Promise<void>;
}

/** The transactions of a log from where they begin, by what the primary is now. */
export async function openedStream(opened: OpenedStream): Promise<TransactionStream> {
  const { connected, log, source, facts, charsets } = opened;
  const { session, server, account, place } = connected;
  const { pipeline, failpoints } = source;
  const { start, compared, published, clock, tables, made, ...gated } = opened.begin;
  const options = await decoderOptions(session, { ...source, charsets, facts, flavour: server.flavour });
  const decoder = followingDecoder(options, facts);
  const reached = new Reached(start, emptyOf(log));
  const arrived = new Arrived(decoder.tables);
  const told = await readNameCase(session);
  const named = new NamedTables(tables, { told, streamed: decoder.tables, made });
  const assembler = new Assembler({
    reached,
    named,
    arrived,
    pieceBytes: PIECE_BYTES,
    tables: decoder.tables,
    clock,
    isCompared: () => compared !== null && !includes(comparePositions, reached.position, compared),
    mayHold: (schema) => [schema, schema.toLowerCase()].some((name) => mayHold(source.tables, name)),
    numberOf: (table) => decoder.numberOf(table),
  });
  const reader = { connection: { ...account }, place };
  const { isSemiSync } = gated;
  const stream = new BinlogStream({ ...reader, serverId: serverIdOf(pipeline), decoder, isSemiSync });
  const readers = besideReaders(reader, pipeline, options);
  const newest = opened.looksAhead ? Infinity : (facts?.newestOf(options.includes) ?? 0);
  const gate = new StreamGate(stream, gated);
  const common = { stream, assembler, readers, arrived, reached, gate, failpoints, compared };
  return new TransactionStream({
    ...common,
    from: fromOf(start),
    prepare: async (until) =>
      await facts?.lookAhead(readers, { from: start, newest, isWithin: false }, until),
    onDefinition: async (statement, until) => {
      const isFull = decoder.tables.size + named.keptCount > MAX_KEPT && !assembler.isInTransaction;
      if (isFull && gate.isPublishedPast(published)) throw fullOfNames(); // Else the next one would come no further.
      if (facts === null) return;
      const { includes } = options;
      // What is read for others' sake tells of ours what they will be, and no longer what they are.
      const isPast = !facts.passes(statement, includes);
      decoder.forget();
      if (isPast) return;
      const isAnswered = (): boolean => gate.isAnswered(reached.position);
      await opened.readAgain(facts, { statement, includes, isAnswered }, until);
      const from = { from: reached.position, isWithin: assembler.isInTransaction };
      await facts.lookAhead(readers, { ...from, newest: Infinity }, until);
    },
  });
}

/** What is left out of a database does not matter: it may be a part of it. */
function mayHold({ include }: TableFilter, schema: string): boolean {
  const wholes = include.map(
    (pattern) => `${pattern.includes(".") ? pattern.split(".", 1).join("") : "*"}.*`,
  );
  return matchesTable({ include: wholes, exclude: [] }, { schema, name: "any" });
}

function fullOfNames(): ReplicationError {
  const message = `${MAX_KEPT} definitions of tables have come, of tables that are gone, too: the log is read on without them`;
  return new ReplicationError("connection-lost", message);
}
