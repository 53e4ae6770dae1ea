import {
  hasCode,
  ReplicationError,
  SessionPool,
  type ClientDatabase,
  type ClientResult,
  type ClientRow,
  type ClientTransaction,
  type Committed,
  type Position,
} from "@lockstep/core";
import { connect } from "../connection.ts";
import { targetOf } from "../link/target.ts";
import { parsed } from "../parsed-position.ts";
import { positionOf } from "../position.ts";
import { toReplicationError } from "../server-error.ts";
import { readPrimaryLog } from "../source/primary-log.ts";
import { MysqlTransaction } from "./client-transaction.ts";
import { MysqlSession, type Told } from "./mysql-session.ts";

/** The server says goodbye, and then ends the session: 1053 when it stops, 1077 and 1079 when it has. */
const ENDED: readonly unknown[] = [1053, 1077, 1079];

/** So that a commit's answer says its id. What the driver wants to be told stays. */
const TOLD: Readonly<Record<"mysql" | "mariadb", Readonly<Record<string, string>>>> = {
  mysql: { session_track_gtids: "own_gtid" },
  mariadb: {
    session_track_system_variables:
      "concat_ws(',', nullif(@@session_track_system_variables, ''), 'last_gtid')",
  },
};

export interface MysqlClientOptions {
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder?: string | undefined;
  readonly maxSessions: number;
  /** Of a replica: writing there would be a conflict. */
  readonly isReadOnly: boolean;
}

/** MySQL or MariaDB as an application uses it: `mysql2`'s sessions, with the user's own settings. */
export function createMysqlClient(options: MysqlClientOptions): ClientDatabase {
  return new MysqlClient(options);
}

class MysqlClient implements ClientDatabase {
  readonly #pool: SessionPool<MysqlSession>;
  readonly #place: string;

  constructor({ url, folder, maxSessions, isReadOnly }: MysqlClientOptions) {
    const { place, flavour } = targetOf(url);
    const readOnly = flavour === "mariadb" ? { tx_read_only: "1" } : { transaction_read_only: "1" };
    const settings = isReadOnly ? readOnly : TOLD[flavour];
    this.#place = place;
    this.#pool = new SessionPool({
      open: async (signal) =>
        await MysqlSession.on(await connect({ url, folder, settings, isClient: true }, signal)),
      max: maxSessions,
    });
  }

  async fetch<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<ClientResult<R>> {
    return await this.#pool.use(async (session) => {
      try {
        const [answer] = await session.ask(statement, values);
        return resultOf<R>(answer);
      } catch (error) {
        if (!session.isLost && !isGoodbye(error, this.#place)) throw error;
        throw new ReplicationError("connection-lost", `${this.#place}: the session broke`, { cause: error });
      }
    });
  }

  async execute<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<Committed<ClientResult<R>>> {
    return await this.#pool.use(async (session) => {
      const [answer, told] = await session.ask(statement, values);
      if (told?.isInTransaction === true) throw leftOpen();
      return { result: resultOf<R>(answer), position: await positionAfter(session, told) };
    });
  }

  async transaction<T>(work: (transaction: ClientTransaction) => Promise<T>): Promise<Committed<T>> {
    return await this.#pool.use(async (session) => {
      await session.ask("start transaction");
      const transaction = new MysqlTransaction(session, resultOf);
      try {
        const result = await work(transaction);
        await transaction.end();
        const [, told] = await session.ask("commit");
        return { result, position: await positionAfter(session, told) };
      } catch (error) {
        await transaction.end().catch(() => undefined); // It has failed already.
        await session.ask("rollback").catch(() => undefined);
        throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** What the answer said, of what was committed; else all that is committed by now. */
async function positionAfter({ connected, hasIds }: MysqlSession, told: Told | null): Promise<Position> {
  const own = hasIds && told !== null && told.ids !== null ? parsed(told.ids) : null;
  if (own?.kind === "set" || own?.kind === "domains") return positionOf(own.ids);
  return (await readPrimaryLog(connected.session, connected.server.flavour, hasIds)).end;
}

function isGoodbye(error: unknown, place: string): boolean {
  if (error instanceof Error && "errno" in error && ENDED.includes(error.errno)) return true;
  return hasCode(toReplicationError(error, place), "connection-lost");
}

/** Of the results of a procedure the last that has rows. */
function resultOf<R extends object>(answer: unknown): ClientResult<R> {
  const results: readonly unknown[] = isOfMany(answer) ? answer : [answer];
  const rows = results.findLast((result) => isRows<R>(result));
  const last = results.at(-1);
  const count =
    typeof last === "object" && last !== null && "affectedRows" in last ? last.affectedRows : null;
  if (isRows<R>(rows)) return { rows, rowCount: rows.length };
  return { rows: [], rowCount: typeof count === "number" ? count : null };
}

function isOfMany(answer: unknown): answer is readonly unknown[] {
  return Array.isArray(answer) && answer.some((result) => Array.isArray(result));
}

function isRows<R extends object>(result: unknown): result is readonly R[] {
  return Array.isArray(result);
}

function leftOpen(): ReplicationError {
  return new ReplicationError("config-invalid", "the statement left a transaction open; it was rolled back", {
    fix: "use transaction(async (tx) => …) instead of BEGIN and COMMIT as statements of their own",
  });
}
