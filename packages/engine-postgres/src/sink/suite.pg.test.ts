import { position } from "@lockstep/core";
import {
  execute,
  freshDatabase,
  openSession,
  sinkSuite,
  startPostgres,
  type SinkPlaceRow,
} from "@lockstep/testkit";
import { createPostgresSink } from "./sink.ts";

sinkSuite("PostgreSQL", {
  freshDatabase: async () => await freshDatabase(1),
  startServer: async () => {
    const server = await startPostgres();
    return {
      url: server.url(),
      kill: async () => await server.kill(),
      start: async () => await server.start(),
      suspend: () => server.suspend(),
      resume: () => server.resume(),
      [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
    };
  },
  schemaOf: () => "public",
  query: async (url, sql) => await execute<SinkPlaceRow>(url, sql),
  openSession: async (url) => {
    const session = await openSession(url);
    const run = async (sql: string): Promise<void> => void (await session.query(sql));
    return { run, [Symbol.asyncDispose]: async () => await session[Symbol.asyncDispose]() };
  },
  countWaiting: async (url) => {
    const waiting = await execute(
      url,
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return waiting.length;
  },
  sink: (options) => createPostgresSink({ ...options, replica: "r", existing: "refuse" }),
  positionAt: (step) => position(`0/${(step + 1).toString(16)}`),
  words: {
    text: "text",
    integer: "integer",
    twice: "alter table items add twice int generated always as (at * 2) stored",
    otherKey: "alter table items drop constraint items_pkey, add primary key (at)",
  },
});
