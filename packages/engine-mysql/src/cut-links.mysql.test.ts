import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, TcpProxy } from "@lockstep/testkit";
import { connect } from "./connection.ts";

/** A link this slow takes its time for each step of a handshake, so that a cut meets every one of them. */
const DELAY_MS = 10;
const CUTS_MS: readonly number[] = Array.from({ length: 40 }, (_, index) => index * 4);

test.each(MYSQL_FLAVOURS)(
  "%s: a link that is cut at any step of connecting is a lost connection, whatever was said on it",
  async (flavour) => {
    const server = new URL(await freshMysqlDatabase(flavour));
    await using proxy = await TcpProxy.start({ targetPort: Number(server.port) });
    proxy.delay(DELAY_MS);
    const url = Object.assign(new URL(server), { port: String(proxy.port) }).href;
    const outcomes = new Set<string>();
    for (const cutMs of CUTS_MS) {
      const connecting = connect({ url }, new AbortController().signal).then(
        async (connected) => {
          await connected[Symbol.asyncDispose]();
          return "connected";
        },
        (error: unknown) =>
          error instanceof Error && "code" in error ? `${String(error.code)}` : String(error),
      );
      await sleep(cutMs);
      proxy.cut();
      outcomes.add(await connecting);
    }
    expect(outcomes).toContain("connection-lost");
    outcomes.delete("connection-lost");
    outcomes.delete("connected"); // It was quicker.
    expect([...outcomes]).toEqual([]);
  },
);
