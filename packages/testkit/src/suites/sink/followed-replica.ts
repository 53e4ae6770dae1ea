import {
  fold,
  offset,
  type ApplyResult,
  type ApplyWindow,
  type ConflictPolicy,
  type Progress,
  type RecordChanges,
  type ReplicationEvent,
  type Row,
  type SinkSession,
  type Table,
} from "@lockstep/core";
import { uniqueName } from "../../shared-servers.ts";
import { silentLogger } from "../../silent-logger.ts";
import type { SinkPlace, SinkPlaceRow } from "./sink-place.ts";

export const never = (): AbortSignal => new AbortController().signal;

export const insert = (...after: Row): ReplicationEvent => ({ kind: "insert", table: 0, after });
export const update = (...after: Row): ReplicationEvent => ({ kind: "update", table: 0, after });
export const remove = (...before: Row): ReplicationEvent => ({ kind: "delete", table: 0, before });
export const truncate: ReplicationEvent = { kind: "truncate", tables: [0], restartIdentity: false };

export interface ApplyOptions {
  /** Change by change, as where nothing can be folded. */
  readonly isOrdered?: boolean;
  readonly table?: Table;
  /** Others that events name, by their id. */
  readonly others?: readonly Table[];
}

interface ReplicaOptions {
  readonly sql?: string;
  readonly policy?: ConflictPolicy;
  readonly url?: string;
}

/** A database with `items (id, label, at)`, and a session that owns its progress. */
export class FollowedReplica implements AsyncDisposable {
  readonly place: SinkPlace;
  readonly url: string;
  readonly pipeline: string = uniqueName("sink");
  /** Why windows were applied change by change. */
  readonly reasons: string[] = [];
  readonly #policy: ConflictPolicy;
  #session: SinkSession | null = null;
  #step = 0;

  static async create(place: SinkPlace, options: ReplicaOptions = {}): Promise<FollowedReplica> {
    const replica = new FollowedReplica(place, {
      policy: options.policy ?? { kind: "primary_wins" },
      url: options.url ?? (await place.freshDatabase()),
    });
    await replica.query(options.sql ?? createItems(place));
    const session = await replica.claim("owner");
    await session.beginCopy(replica.progressAt(0), [], never());
    await session.endCopy(replica.progressAt(0), never());
    replica.#session = session;
    return replica;
  }

  private constructor(
    place: SinkPlace,
    { policy, url }: { readonly policy: ConflictPolicy; readonly url: string },
  ) {
    this.place = place;
    this.url = url;
    this.#policy = policy;
  }

  get session(): SinkSession {
    if (this.#session === null) throw new Error("not claimed");
    return this.#session;
  }

  get schema(): string {
    return this.place.schemaOf(this.url);
  }

  get items(): Table {
    const { integer, text } = this.place.words;
    return {
      id: 0,
      schema: this.schema,
      name: "items",
      columns: [
        { name: "id", type: "int32", nativeType: integer, isKey: true },
        { name: "label", type: "string", nativeType: text, isKey: false },
        { name: "at", type: "int32", nativeType: integer, isKey: false },
      ],
    };
  }

  async claim(owner: string, takeOver = true): Promise<SinkSession> {
    const { url, pipeline, reasons } = this;
    const logger = {
      ...silentLogger,
      debug: (fields: object) => reasons.push("reason" in fields ? String(fields.reason) : ""),
    };
    const sink = this.place.sink({ url, pipeline, onConflict: this.#policy, logger });
    return await sink.claim(owner, takeOver, never());
  }

  progressAt(step: number): Progress {
    return {
      epoch: { number: 1, id: "first" },
      position: this.place.positionAt(step),
      offset: offset(step),
      open: offset(0),
      run: "run",
    };
  }

  windowOf(events: readonly ReplicationEvent[], step: number, options: ApplyOptions = {}): ApplyWindow {
    const { isOrdered = false, table = this.items, others = [] } = options;
    const progress = this.progressAt(step);
    const transaction = { position: progress.position, xid: String(step), committedAtUs: 0, events };
    const tables = new Map([[0, table], ...others.map((other) => [other.id, other] as const)]);
    const groups: RecordChanges[] = [{ offset: progress.offset, tables, transactions: [transaction] }];
    return {
      groups,
      folded: isOrdered ? { kind: "ordered", reason: "asked for" } : fold(groups),
      progress,
    };
  }

  /** Applies the events as one window of one transaction. */
  async apply(events: readonly ReplicationEvent[], options: ApplyOptions = {}): Promise<ApplyResult> {
    this.#step += 1;
    return await this.session.apply(this.windowOf(events, this.#step, options), never());
  }

  async query(sql: string): Promise<readonly SinkPlaceRow[]> {
    return await this.place.query(this.url, sql);
  }

  /** The rows of `items`, each as one text. */
  async lines(): Promise<string[]> {
    const rows = await this.query("select id, label, at from items order by id");
    return rows.map(({ id, label, at }) => [id, label, at].map((cell) => cell ?? "-").join(","));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}

export function createItems({ words: { integer, text } }: SinkPlace): string {
  return `create table items (id ${integer} primary key, label ${text}, at ${integer})`;
}
