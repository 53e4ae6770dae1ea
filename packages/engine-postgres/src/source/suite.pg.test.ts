import { position } from "@lockstep/core";
import { execute, freshDatabase, silentLogger, sourceSuite, startPostgres } from "@lockstep/testkit";
import { createPostgresSource } from "./source.ts";

sourceSuite("PostgreSQL", {
  freshDatabase: async () => await freshDatabase(),
  startServer: async () => {
    const server = await startPostgres();
    return {
      url: server.url(),
      kill: async () => await server.kill(),
      start: async () => await server.start(),
      [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
    };
  },
  schemaOf: () => "public",
  run: async (url, sql) => void (await execute(url, sql)),
  source: (options) =>
    createPostgresSource({
      ...options,
      tables: { include: ["public.*"], exclude: ["*.hidden"] },
      degradeAfterMs: null,
      logger: silentLogger,
    }),
  above: () => position("FFFF/0"),
  text: "text",
});
