import { describe } from "vitest";
import { position } from "@lockstep/core";
import {
  countLockWaits,
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  sinkSuite,
  startMysql,
} from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { createMysqlSink } from "./sink.ts";

const schemaOf = (url: string): string => new URL(url).pathname.slice(1);

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  sinkSuite(flavour, {
    freshDatabase: async () => await freshMysqlDatabase(flavour, "replica"),
    startServer: async () => {
      const server = await startMysql(flavour);
      await server.query("create database shop");
      return {
        url: server.url("shop"),
        kill: async () => await server.kill(),
        start: async () => await server.start(),
        suspend: () => server.suspend(),
        resume: () => server.resume(),
        [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
      };
    },
    schemaOf,
    query: async (url, sql) => await queryMysql(url, sql),
    openSession: async (url) => {
      const connected = await connect({ url }, new AbortController().signal);
      return Object.assign(connected, {
        run: async (sql: string) => void (await connected.session.run(sql)),
      });
    },
    countWaiting: async (url) => await countLockWaits(url, schemaOf(url)),
    sink: (options) => createMysqlSink({ ...options, replica: "r", existing: "refuse" }),
    positionAt: (step) => position(`0-1-${step + 1}`),
    words: {
      text: "varchar(100)",
      integer: "int",
      twice: "alter table items add twice int generated always as (at * 2) stored",
      otherKey: "alter table items drop primary key, modify at int not null, add primary key (at)",
    },
  });
});
