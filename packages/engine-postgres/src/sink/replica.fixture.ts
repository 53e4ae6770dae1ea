import {
  fold,
  offset,
  position,
  type ApplyResult,
  type ApplyWindow,
  type ConflictPolicy,
  type Progress,
  type RecordChanges,
  type ReplicationEvent,
  type Row,
  type Sink,
  type SinkSession,
  type Table,
} from "@lockstep/core";
import { execute, freshDatabase, silentLogger, uniqueName } from "@lockstep/testkit";
import { createPostgresSink } from "./sink.ts";

export const never = (): AbortSignal => new AbortController().signal;

export const ITEMS: Table = {
  id: 0,
  schema: "public",
  name: "items",
  columns: [
    { name: "id", type: "int32", nativeType: "integer", isKey: true },
    { name: "label", type: "string", nativeType: "text", isKey: false },
    { name: "at", type: "int32", nativeType: "integer", isKey: false },
  ],
};
export const CREATE_ITEMS = "create table items (id int primary key, label text, at int)";

export const insert = (...after: Row): ReplicationEvent => ({ kind: "insert", table: 0, after });
export const update = (...after: Row): ReplicationEvent => ({ kind: "update", table: 0, after });
export const remove = (...before: Row): ReplicationEvent => ({ kind: "delete", table: 0, before });

export function progressAt(step: number, epoch = "first"): Progress {
  return {
    epoch: { number: 1, id: epoch },
    position: position(`0/${(step + 1).toString(16)}`),
    offset: offset(step),
    open: offset(0),
    run: "run",
  };
}

export function windowOf(
  events: readonly ReplicationEvent[],
  step: number,
  { isOrdered = false, table = ITEMS, epoch = "first" } = {},
): ApplyWindow {
  const progress = progressAt(step, epoch);
  const transaction = { position: progress.position, xid: String(step), committedAtUs: 0, events };
  const tables = new Map([[0, table]]);
  const groups: RecordChanges[] = [{ offset: progress.offset, tables, transactions: [transaction] }];
  return {
    groups,
    folded: isOrdered ? { kind: "ordered", reason: "asked for" } : fold(groups),
    progress,
  };
}

/** A replica that follows from `progress`, of no tables by name. */
export async function begin(session: SinkSession, progress: Progress): Promise<void> {
  await session.beginCopy(progress, [], never());
  await session.endCopy(progress, never());
}

/** A database with `items`, and a session that owns its progress row. */
export class Replica implements AsyncDisposable {
  readonly url: string;
  readonly pipeline: string = uniqueName("sink");
  #session: SinkSession | null = null;
  readonly #dialect: string;
  #step = 0;

  static async create(
    sql: string = CREATE_ITEMS,
    policy: ConflictPolicy = { kind: "primary_wins" },
    url?: string,
    dialect = "postgres",
  ): Promise<Replica> {
    const replica = new Replica(url ?? (await freshDatabase(1)), dialect);
    await execute(replica.url, sql);
    replica.#session = await replica.claim("owner", policy);
    await begin(replica.session, progressAt(0));
    return replica;
  }

  private constructor(url: string, dialect: string) {
    this.url = url;
    this.#dialect = dialect;
  }

  get session(): SinkSession {
    if (this.#session === null) throw new Error("not claimed");
    return this.#session;
  }

  async claim(
    owner: string,
    onConflict: ConflictPolicy = { kind: "primary_wins" },
    takeOver = true,
  ): Promise<SinkSession> {
    return await this.sink(onConflict).claim(owner, takeOver, never());
  }

  sink(onConflict: ConflictPolicy = { kind: "primary_wins" }): Sink {
    const { url, pipeline } = this;
    return createPostgresSink({
      replica: "r",
      url,
      pipeline,
      dialect: this.#dialect,
      onConflict,
      existing: "refuse",
      logger: silentLogger,
    });
  }

  /** Applies the events as one window of one transaction. */
  async apply(
    events: readonly ReplicationEvent[],
    options: { readonly isOrdered?: boolean; readonly table?: Table } = {},
  ): Promise<ApplyResult> {
    this.#step += 1;
    return await this.session.apply(windowOf(events, this.#step, options), never());
  }

  async items(): Promise<string[]> {
    const rows = await execute<{ line: string }>(this.url, "select i::text as line from items i order by id");
    return rows.map(({ line }) => line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}
