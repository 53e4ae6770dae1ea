import type { Client } from "pg";
import { readSetting, type GateNames } from "./gate-setting.ts";
import { waitsFor, withoutStandby } from "./standby-names.ts";

interface Walsender {
  readonly name: string | null;
  /** It streams, and its standby has everything through a position. */
  readonly has: boolean;
}

/** The standbys that commits wait for besides us. */
export class OtherStandbys {
  readonly #client: Client;
  /** The setting without us; null: there are none. */
  readonly #setting: string | null;

  /** `client` never waits for a standby itself. */
  static async read(client: Client, names: GateNames): Promise<OtherStandbys> {
    const { value } = await readSetting(client, names);
    return new OtherStandbys(client, withoutStandby(value, names.standby));
  }

  private constructor(client: Client, setting: string | null) {
    this.#client = client;
    this.#setting = setting;
  }

  get areNone(): boolean {
    return this.#setting === null;
  }

  /** Writes to the log, for them to follow; returns through where. */
  async write(): Promise<string> {
    const { rows } = await this.#client.query<{ end: string }>(
      `select pg_catalog.pg_logical_emit_message(true, 'lockstep', 'gate')::text as "end"`,
    );
    return rows[0]?.end ?? "";
  }

  /** Whether all of them that are there have everything through a position; who is not there lets nobody go. */
  async have(end: string): Promise<boolean> {
    const { rows } = await this.#client.query<Walsender>(
      `select application_name as name, coalesce(state = 'streaming' and flush_lsn >= $1, false) as has
         from pg_catalog.pg_stat_replication`,
      [end],
    );
    return rows.every(({ name, has }) => has || !waitsFor(this.#setting ?? "", name ?? ""));
  }
}
