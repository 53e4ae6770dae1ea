import { PassThrough, Readable } from "node:stream";
import {
  Deferred,
  position,
  type CopyMark,
  type CopyTarget,
  type ExistingRows,
  type Failpoints,
  type Sink,
  type SinkSession,
  type SnapshotTable,
  type Table,
} from "@lockstep/core";
import { countLockWaits, freshMysqlDatabase, queryMysql, silentLogger, uniqueName } from "@lockstep/testkit";
import type { Flavour } from "../flavour.ts";
import type { MysqlSchema } from "../schema/definition.ts";
import { ROWS_FORMAT } from "../snapshot/description.ts";
import { CREATE_ITEMS, never, progressAt } from "./replica.fixture.ts";
import { createMysqlSink } from "./sink.ts";

export const MARK: CopyMark = {
  view: { through: position("0-1-9"), text: "0-1-9" },
  start: progressAt(3),
};

export type Rows = () => AsyncIterable<Uint8Array>;
export const lineOf = (...cells: readonly (string | null)[]): Buffer =>
  Buffer.from(`${JSON.stringify(cells)}\n`);
/** The same each time that they are asked for. */
export const lines =
  (...given: readonly Buffer[]): Rows =>
  () =>
    Readable.from(given);
/** Of `items`. */
export const rows = (...ids: readonly number[]): Rows =>
  lines(...ids.map((id) => lineOf(String(id), "x", "1")));

/** Rows that do not end by themselves. Once they are asked for, whoever writes them holds the table's row. */
export class Endless {
  readonly #rows: PassThrough = new PassThrough();
  readonly #asked = new Deferred<void>();

  constructor() {
    this.#rows.write(lineOf("2", "x", "1"));
  }

  get open(): Rows {
    return () => {
      this.#asked.resolve(undefined);
      return this.#rows;
    };
  }

  async asked(): Promise<void> {
    await this.#asked.promise;
  }

  end(): void {
    this.#rows.end();
  }
}

export const nothingToCreate = (flavour: Flavour): MysqlSchema => ({
  dialect: flavour,
  tables: [],
  common: [],
});

export interface BeingCopiedOptions {
  readonly existing?: ExistingRows;
  readonly sql?: string;
  readonly url?: string;
}

/** A replica whose first copy has begun, by `owner`, and whose table `items` is pending. */
export class BeingCopied {
  readonly flavour: Flavour;
  readonly url: string;
  readonly pipeline: string = uniqueName("copied");
  readonly #existing: ExistingRows;

  static async create(flavour: Flavour, options: BeingCopiedOptions = {}): Promise<BeingCopied> {
    const { existing = "refuse", sql = CREATE_ITEMS } = options;
    const url = options.url ?? (await freshMysqlDatabase(flavour, "copied"));
    const copied = new BeingCopied(flavour, url, existing);
    if (sql !== "") await copied.query(sql);
    await using session = await copied.claim();
    await session.beginCopy(progressAt(0), [copied.items], never());
    return copied;
  }

  private constructor(flavour: Flavour, url: string, existing: ExistingRows) {
    this.flavour = flavour;
    this.url = url;
    this.#existing = existing;
  }

  get schema(): string {
    return new URL(this.url).pathname.slice(1);
  }

  get items(): Table {
    const column = { nativeType: "int", isKey: false };
    return {
      id: 0,
      schema: this.schema,
      name: "items",
      columns: [
        { ...column, name: "id", type: "int32", isKey: true },
        { ...column, name: "label", type: "string", nativeType: "varchar(100)" },
        { ...column, name: "at", type: "int32" },
      ],
    };
  }

  get snapshot(): SnapshotTable {
    return this.snapshotOf(this.items);
  }

  snapshotOf(table: Table): SnapshotTable {
    return { table, formats: [ROWS_FORMAT], ranges: [], rows: 0, bytes: 0 };
  }

  sink(failpoints?: Failpoints): Sink {
    return createMysqlSink({
      replica: "r",
      url: this.url,
      pipeline: this.pipeline,
      onConflict: { kind: "primary_wins" },
      existing: this.#existing,
      logger: silentLogger,
      failpoints,
    });
  }

  async claim(owner = "owner", takeOver = true): Promise<SinkSession> {
    return await this.sink().claim(owner, takeOver, never());
  }

  async openCopy(owner = "owner"): Promise<CopyTarget> {
    return await this.sink().openCopy(owner, never());
  }

  async query(sql: string): Promise<Record<string, string | null>[]> {
    return await queryMysql(this.url, sql);
  }

  /** Of `items`, in their order. */
  async ids(): Promise<number[]> {
    return (await this.query("select id from items order by id")).map(({ id }) => Number(id));
  }

  /** How many transactions wait for a lock that another of ours holds. */
  async waiting(): Promise<number> {
    return await countLockWaits(this.url, this.pipeline);
  }
}
