import { describe } from "vitest";
import { position } from "@lockstep/core";
import {
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  sourceSuite,
  startMysql,
} from "@lockstep/testkit";
import { MysqlSource } from "./source.ts";

const schemaOf = (url: string): string => new URL(url).pathname.slice(1);

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  sourceSuite(flavour, {
    freshDatabase: async () => await freshMysqlDatabase(flavour),
    startServer: async () => {
      const server = await startMysql(flavour);
      await server.query("create database shop");
      return {
        url: server.url("shop"),
        kill: async () => await server.kill(),
        start: async () => await server.start(),
        [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
      };
    },
    schemaOf,
    run: async (url, sql) => void (await queryMysql(url, sql)),
    source: (options) =>
      new MysqlSource({
        ...options,
        tables: { include: [`${schemaOf(options.url)}.*`], exclude: ["*.hidden"] },
        logger: silentLogger,
      }),
    above: (reached) => position(reached.replace(/\d+$/, "999999999")),
    text: "longtext",
  });
});
