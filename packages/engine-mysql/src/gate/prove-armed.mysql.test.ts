import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { abortable } from "@lockstep/core";
import { eventually, MYSQL_FLAVOURS, startMysql, type MysqlServer } from "@lockstep/testkit";
import { connect, type Connected } from "../connection.ts";
import { OWN_TABLE } from "./gate-note.ts";
import { armedVariables, namesOf } from "./semi-sync-server.ts";
import { INSTALL } from "./gate-setting.ts";
import { proveArmed } from "./prove-armed.ts";

const LIMIT_MS = 30_000;

describe.each(MYSQL_FLAVOURS)("commits of %s that nobody answers", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  const started = (): MysqlServer => servers[0] ?? expect.unreachable();

  beforeAll(async () => {
    const server = await startMysql(flavour);
    servers = [server];
    if (flavour === "mysql") await server.query(INSTALL);
    for (const statement of OWN_TABLE) await server.query(statement);
    for (const [name, value] of Object.entries(armedVariables(flavour, null)))
      await server.query(`set global ${name} = ${value}`);
  });
  afterAll(async () => await servers[0]?.[Symbol.asyncDispose]());

  async function prove(signal: AbortSignal): Promise<void> {
    const options = { pipeline: "shop", flavour, hold: () => undefined, degradeAfterMs: null };
    const open = async (until: AbortSignal): Promise<Connected> =>
      await connect({ url: started().url() }, until);
    await abortable(proveArmed({ ...options, connect: open }, signal), AbortSignal.timeout(LIMIT_MS));
  }

  /** MySQL ends no such wait before it is answered, or all are let go, whoever is killed. */
  async function expectNobodyWaits(): Promise<void> {
    const enable = async (to: "ON" | "OFF"): Promise<void> =>
      void (await started().query(`set global ${namesOf(flavour).enabled} = ${to}`));
    if (flavour === "mysql") await enable("OFF");
    await eventually("nobody waits", async () => {
      const rows = await started().query(
        "select id from information_schema.processlist where command in ('Query', 'Killed') and id <> connection_id()",
      );
      expect(rows).toEqual([]);
    });
    await enable("ON");
  }

  test("a proof gives up after a while, and leaves none behind", async () => {
    await expect(prove(new AbortController().signal)).rejects.toMatchObject({ code: "gate-unavailable" });
    await expectNobodyWaits();
  });

  test("a proof that is ended leaves none behind, and stands in the way of none", async () => {
    const ended = new AbortController();
    const proof = prove(ended.signal);
    await eventually("it waits", async () => {
      const rows = await started().query(
        "select id from information_schema.processlist where state like '%semi-sync%' or state like '%commit%'",
      );
      expect(rows).not.toEqual([]);
    });
    ended.abort();
    await expect(proof).rejects.toMatchObject({ name: "AbortError" });
    await expect(prove(new AbortController().signal)).rejects.toMatchObject({ code: "gate-unavailable" });
    await expectNobodyWaits();
  });
});
