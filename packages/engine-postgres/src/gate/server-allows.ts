import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";

interface Doors {
  /** PostgreSQL 17; before, every server takes it. */
  readonly takesAlterSystem: boolean;
  readonly isOnCommandLine: boolean;
}

/** Rejects with `gate-unavailable` where the server takes the setting from nobody, whatever their rights. */
export async function expectServerAllows(client: Client): Promise<void> {
  const { rows } = await client.query<Doors>(
    `select coalesce(pg_catalog.current_setting('allow_alter_system', true), 'on') = 'on' as "takesAlterSystem",
            source = 'command line' as "isOnCommandLine"
       from pg_catalog.pg_settings where name = 'synchronous_standby_names'`,
  );
  const [doors] = rows;
  if (doors?.takesAlterSystem === false) {
    throw new ReplicationError(
      "gate-unavailable",
      "the primary forbids alter system (allow_alter_system is off)",
      {
        fix: "set allow_alter_system = on in the primary's postgresql.conf and reload it; where that is not yours to do, let the caller wait instead (docs/library.md)",
      },
    );
  }
  if (doors?.isOnCommandLine === true) {
    throw new ReplicationError(
      "gate-unavailable",
      "synchronous_standby_names is on the primary's command line, where nothing else has an effect",
      { fix: "take it out there, and restart the primary" },
    );
  }
}
