import { startMysql, startPostgresServers } from "@lockstep/testkit/servers";
import type { EngineName } from "./place.ts";

/** A server of any engine. */
export interface MemberServer extends AsyncDisposable {
  url(database: string): string;
  query(sql: string): Promise<unknown>;
  start(): Promise<void>;
  kill(): Promise<void>;
}

interface StartedMember {
  readonly engine: EngineName;
  readonly server: MemberServer;
}

/** In this order; all at once. */
export async function startMembers(engines: readonly EngineName[]): Promise<StartedMember[]> {
  const wanted = engines.filter((engine) => engine === "postgres").length;
  const [postgres, others] = await Promise.all([
    wanted === 0 ? [] : startPostgresServers(wanted),
    Promise.all(engines.map(async (engine) => (engine === "postgres" ? null : await startMysql(engine)))),
  ]);
  const left: MemberServer[] = [...postgres];
  return engines.map((engine, index) => {
    const server = others[index] ?? left.shift();
    if (server === undefined) throw new Error(`no server for ${engine}`);
    return { engine, server };
  });
}
