import {
  openMysql,
  queryMysql,
  type MysqlFlavour,
  type MysqlServer,
  type MysqlSession,
} from "@lockstep/testkit";
import type { Scenario } from "../scenario.ts";

export const SEMI_SYNC = "mode: semi-sync\nminReplicasSync: 1";

/** Where commits of MySQL or MariaDB would wait too long, or would not wait as they should. */
export interface Limit {
  readonly name: string;
  /** Whose it is; default: both. */
  readonly flavours?: readonly MysqlFlavour[];
  readonly check: (rig: Rig) => Promise<void>;
}

interface Rig {
  readonly flavour: MysqlFlavour;
  /** A primary, and its replica. */
  readonly servers: readonly MysqlServer[];
  readonly primary: () => MysqlServer;
  readonly other: () => MysqlServer;
}

export async function lockItems(url: string): Promise<MysqlSession> {
  const session = await openMysql(url);
  await session.query("lock tables items write");
  return session;
}

export async function replicaHas(scenario: Scenario, id: number): Promise<boolean> {
  const [url = ""] = scenario.replicaUrls;
  return (await queryMysql(url, `select id from items where id = ${id}`)).length === 1;
}
