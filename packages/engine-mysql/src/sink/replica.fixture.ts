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
  type Table,
} from "@lockstep/core";
import { freshMysqlDatabase, queryMysql, silentLogger, uniqueName } from "@lockstep/testkit";
import type { Connected } from "../connection.ts";
import type { Flavour } from "../flavour.ts";
import { claimReplica } from "./claim.ts";
import { advanceStatement, endCopying, insertProgressRow, type OwnedProgress } from "./progress.ts";
import { connectReplica } from "./replica-session.ts";
import { TargetSession } from "./target-session.ts";

export const never = (): AbortSignal => new AbortController().signal;

export const CREATE_ITEMS = "create table items (id int primary key, label varchar(100), at int)";

export const insert = (...after: Row): ReplicationEvent => ({ kind: "insert", table: 0, after });
export const update = (...after: Row): ReplicationEvent => ({ kind: "update", table: 0, after });
export const remove = (...before: Row): ReplicationEvent => ({ kind: "delete", table: 0, before });

export function progressAt(step: number, epoch = "first"): Progress {
  return {
    epoch: { number: 1, id: epoch },
    position: position(`0-1-${step + 1}`),
    offset: offset(step),
    open: offset(0),
    run: "run",
  };
}

export interface ApplyOptions {
  readonly isOrdered?: boolean;
  readonly table?: Table;
  readonly appended?: Promise<void>;
}

/** A claimed replica's connection. */
export interface Claimed extends AsyncDisposable {
  readonly connected: Connected;
  readonly progress: OwnedProgress | null;
  readonly session: TargetSession;
}

/** A database with tables, and a session that owns its progress row. */
export class Replica implements AsyncDisposable {
  readonly url: string;
  readonly pipeline: string = uniqueName("sink");
  readonly #policy: ConflictPolicy;
  /** Why windows were applied change by change. */
  readonly reasons: string[] = [];
  #claimed: Claimed | null = null;
  #step = 0;

  static async create(
    flavour: Flavour,
    sql: string = CREATE_ITEMS,
    policy: ConflictPolicy = { kind: "primary_wins" },
    url?: string,
  ): Promise<Replica> {
    const replica = new Replica(url ?? (await freshMysqlDatabase(flavour, "replica")), policy);
    await replica.query(sql);
    replica.#claimed = await replica.begin();
    return replica;
  }

  private constructor(url: string, policy: ConflictPolicy) {
    this.url = url;
    this.#policy = policy;
  }

  get schema(): string {
    return new URL(this.url).pathname.slice(1);
  }

  get claimed(): Claimed {
    if (this.#claimed === null) throw new Error("not claimed");
    return this.#claimed;
  }

  get items(): Table {
    return {
      id: 0,
      schema: this.schema,
      name: "items",
      columns: [
        { name: "id", type: "int32", nativeType: "int", isKey: true },
        { name: "label", type: "string", nativeType: "varchar(100)", isKey: false },
        { name: "at", type: "int32", nativeType: "int", isKey: false },
      ],
    };
  }

  /** A replica that follows from the first position. */
  async begin(): Promise<Claimed> {
    const owner = { pipeline: this.pipeline, owner: "owner" };
    const first = await this.claim("owner");
    await insertProgressRow(first.connected.session, owner, progressAt(0));
    await endCopying(first.connected.session, owner, progressAt(0));
    await first[Symbol.asyncDispose]();
    return await this.claim("owner");
  }

  async claim(owner: string, takeOver = true): Promise<Claimed> {
    const connected = await connectReplica({ url: this.url, replica: "r" }, never());
    try {
      const claiming = { pipeline: this.pipeline, owner, replica: "r", takeOver };
      const progress = await claimReplica(connected, claiming);
      const session = new TargetSession({
        connected,
        replica: "r",
        policy: this.#policy,
        logger: {
          ...silentLogger,
          debug: (fields) => this.reasons.push("reason" in fields ? String(fields.reason) : ""),
        },
        failpoints: undefined,
        progress,
        advance: (stored, next) => advanceStatement(claiming, stored, next),
      });
      return {
        connected,
        progress,
        session,
        [Symbol.asyncDispose]: async () => await session[Symbol.asyncDispose](),
      };
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw error;
    }
  }

  windowOf(events: readonly ReplicationEvent[], step: number, options: ApplyOptions = {}): ApplyWindow {
    const { isOrdered = false, table = this.items, appended } = options;
    const progress = progressAt(step);
    const transaction = { position: progress.position, xid: String(step), committedAtUs: 0, events };
    const tables = new Map([[0, table]]);
    const groups: RecordChanges[] = [{ offset: progress.offset, tables, transactions: [transaction] }];
    return {
      groups,
      folded: isOrdered ? { kind: "ordered", reason: "asked for" } : fold(groups),
      progress,
      ...(appended === undefined ? {} : { appended }),
    };
  }

  /** Applies the events as one window of one transaction. */
  async apply(events: readonly ReplicationEvent[], options: ApplyOptions = {}): Promise<ApplyResult> {
    this.#step += 1;
    return await this.claimed.session.apply(this.windowOf(events, this.#step, options), never());
  }

  async query(sql: string): Promise<Record<string, string | null>[]> {
    return await queryMysql(this.url, sql);
  }

  /** The rows of `items`, each as one text. */
  async lines(): Promise<string[]> {
    const rows = await this.query("select id, label, at from items order by id");
    return rows.map(({ id, label, at }) => [id, label, at].map((cell) => cell ?? "-").join(","));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.claimed[Symbol.asyncDispose]();
  }
}
