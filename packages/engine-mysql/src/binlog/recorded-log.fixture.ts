import { createConnection, type Connection } from "mysql2/promise";
import type { TableName } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import type { ColumnFacts } from "../schema/column-facts.ts";
import { BinlogDecoder, type BinlogDecoderOptions } from "./binlog-decoder.ts";
import { readCharsetTable, readCollations, type RunQuery } from "./charset-query.ts";
import { Charsets, UnknownCharset } from "./charsets.ts";
import type { EventContent } from "./decoded-event.ts";
import { PacketSource } from "./packet-source.ts";

/** One session for a test's SQL: in UTC, its values are the server's own text. */
export async function openSession(url: string): Promise<Session> {
  const connection = await createConnection({
    uri: url.replace(/^mariadb:/, "mysql:"),
    charset: "utf8mb4",
    multipleStatements: true,
    typeCast: (field) => field.string("utf8"),
  });
  await connection.query("set time_zone = '+00:00', sql_mode = 'NO_ENGINE_SUBSTITUTION'");
  return new Session(connection);
}

export class Session implements AsyncDisposable {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async query(sql: string): Promise<Record<string, string | null>[]> {
    const [rows] = await this.#connection.query({ sql });
    return isRows(rows) ? rows : [];
  }

  /** Begins a new file of the log, and answers its name. */
  async freshLog(): Promise<string> {
    await this.query("flush binary logs");
    return (await this.query("show binary logs")).at(-1)?.["Log_name"] ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.end();
  }
}

/** Every event of the log from a file's beginning to its present end, each in a buffer of its own. */
export async function recordLog(url: string, filename: string): Promise<Buffer[]> {
  const { hostname, port, username, password } = new URL(url);
  const events: Buffer[] = [];
  const account = { host: hostname, port: Number(port), user: username, password };
  await new Promise<void>((resolve, reject) => {
    const source = new PacketSource(account, {
      event: (buffer, start, end) => void events.push(Buffer.from(buffer.subarray(start, end))),
      large: () => undefined,
      more: () => true,
      end: () => {
        source.stop();
        resolve();
      },
      refused: (code, message) => reject(new Error(`${code}: ${message}`)),
    });
    source.on("error", reject);
    source.start({ serverId: 4_000_000 + Math.floor(Math.random() * 1_000_000), filename, nonBlock: true });
  });
  return events;
}

export type DecoderSettings = Partial<Omit<BinlogDecoderOptions, "flavour" | "charsets">>;

/** Asks for charsets as the decoder comes to need them. */
export async function decodeLog(
  flavour: Flavour,
  session: Session,
  events: readonly Buffer[],
  settings: DecoderSettings = {},
): Promise<{ readonly contents: EventContent[]; readonly decoder: BinlogDecoder }> {
  const query: RunQuery = async (sql) => await session.query(sql);
  const charsets = new Charsets(await readCollations(query));
  for (;;) {
    const decoder = decoderOf(flavour, charsets, settings);
    try {
      return { contents: decodeAll(decoder, events), decoder };
    } catch (error) {
      if (!(error instanceof UnknownCharset)) throw error;
      charsets.add(error.charset, await readCharsetTable(query, error.charset));
    }
  }
}

export function decoderOf(
  flavour: Flavour,
  charsets: Charsets,
  settings: DecoderSettings = {},
): BinlogDecoder {
  return new BinlogDecoder({
    flavour,
    charsets,
    maxRowBytes: 16 * 1024 * 1024,
    includes: () => true,
    wholeBefore: true,
    ...settings,
  });
}

export function decodeAll(decoder: BinlogDecoder, events: readonly Buffer[]): EventContent[] {
  const contents: EventContent[] = [];
  for (const event of events) {
    const content = decoder.decode(event, 0, event.length)?.content;
    if (content?.kind === "payload") for (const inner of content.events) contents.push(inner.content);
    else if (content !== undefined) contents.push(content);
  }
  return contents;
}

function isRows(rows: unknown): rows is Record<string, string | null>[] {
  return Array.isArray(rows);
}

/** Of a table whose column v may be of a type that the log does not tell. */
export function hiddenIn(table: TableName, type: string | null): ColumnFacts {
  return { table, hidden: new Map(type === null ? [] : [["v", type]]), generated: new Set() };
}
