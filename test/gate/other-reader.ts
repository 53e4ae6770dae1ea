import type { MysqlServer } from "@lockstep/testkit";

/** It takes the log, and answers at once; it applies nothing. */
export async function readLogAsReplica(source: MysqlServer, replica: MysqlServer): Promise<void> {
  const { username, password, port } = new URL(source.url());
  if (source.flavour === "mysql") {
    await installSource(source);
    await replica
      .query("install plugin rpl_semi_sync_replica soname 'semisync_replica.so'")
      .catch(() => undefined); // It is there already.
    await replica.query(
      `set global rpl_semi_sync_replica_enabled = ON;
       change replication source to source_host = '127.0.0.1', source_port = ${port}, source_user = '${username}',
         source_password = '${password}', source_auto_position = 1, get_source_public_key = 1;
       start replica io_thread`,
    );
  } else {
    await replica.query(
      `set global rpl_semi_sync_slave_enabled = ON;
       change master to master_host = '127.0.0.1', master_port = ${port}, master_user = '${username}',
         master_password = '${password}', master_use_gtid = slave_pos, master_ssl_verify_server_cert = 0;
       start slave io_thread`,
    );
  }
}

export async function installSource(source: MysqlServer): Promise<void> {
  await source
    .query("install plugin rpl_semi_sync_source soname 'semisync_source.so'")
    .catch(() => undefined); // It is there already.
}

export async function stopReading(replica: MysqlServer): Promise<void> {
  await replica.query(
    replica.flavour === "mysql" ? "stop replica; reset replica all" : "stop slave; reset slave all",
  );
}
