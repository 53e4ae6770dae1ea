import type { MysqlFlavour, MysqlServer } from "@lockstep/testkit/servers";

/** A flavour's own replication, in its own words: by GTID, with one thread that applies. */
export interface OwnReplication {
  /** Of replicas, when they start. */
  readonly settings: Readonly<Record<string, string>>;
  /** A query for where the primary is. */
  readonly position: string;
  /** Makes a replica that has never applied anything begin at a position. */
  beginAt(position: string): string;
  follow(primary: MysqlServer): string;
  readonly start: string;
  readonly stop: string;
  readonly forget: string;
  /** A query for whether a replica has applied what the primary had at a position: `1`. */
  hasApplied(position: string): string;
}

/** Nobody follows a replica; both sides commit to it at the same cost. */
const WITHOUT_BINLOG = { "log-bin": "OFF", "skip-log-bin": "ON" };

export const OWN_REPLICATION: Readonly<Record<MysqlFlavour, OwnReplication>> = {
  mysql: {
    settings: { ...WITHOUT_BINLOG, "replica-parallel-workers": "1" },
    position: "select replace(@@global.gtid_executed, '\\n', '') as position",
    beginAt: (position) => `reset binary logs and gtids; set global gtid_purged = '${position}'`,
    follow: (primary) => {
      const { user, password } = accountOf(primary);
      return `change replication source to source_host = '127.0.0.1', source_port = ${primary.port},
        source_user = '${user}', source_password = '${password}', source_auto_position = 1, get_source_public_key = 1`;
    },
    start: "start replica",
    stop: "stop replica",
    forget: "reset replica all",
    hasApplied: (position) => `select gtid_subset('${position}', @@global.gtid_executed) as applied`,
  },
  mariadb: {
    settings: { ...WITHOUT_BINLOG, "slave-parallel-threads": "0" },
    position: "select @@global.gtid_binlog_pos as position",
    beginAt: (position) => `set global gtid_slave_pos = '${position}'`,
    follow: (primary) => {
      const { user, password } = accountOf(primary);
      return `change master to master_host = '127.0.0.1', master_port = ${primary.port}, master_user = '${user}',
        master_password = '${password}', master_use_gtid = slave_pos, master_ssl_verify_server_cert = 0`;
    },
    start: "start slave",
    stop: "stop slave",
    forget: "reset slave all",
    hasApplied: (position) => `select @@global.gtid_slave_pos = '${position}' as applied`,
  },
};

function accountOf(primary: MysqlServer): { readonly user: string; readonly password: string } {
  const { username, password } = new URL(primary.url());
  return { user: username, password };
}
