import type { Duplex } from "node:stream";
import type { Client } from "pg";
import type { LogicalReplicationService } from "pg-logical-replication";
import { ReplicationError } from "@lockstep/core";
import { quoteIdentifier, quoteLiteral } from "../connection.ts";
import { parseTimelineHistory, type TimelineFork } from "./timeline.ts";

/** What IDENTIFY_SYSTEM answers; `flushed` is how far the server's own log is durable. */
export interface SystemIdentity {
  readonly systemIdentifier: string;
  readonly timeline: string;
  readonly flushed: string;
  readonly database: string;
  /** Where its history left earlier timelines. */
  readonly forks: readonly TimelineFork[];
  /** The walsender's process on the server. */
  readonly processId: number;
}

export interface ReplicationPluginOptions {
  readonly publication: string;
  /** The connection's bytes are the caller's from now on; whole messages it does not want go to `forward`. */
  onSocket(socket: Duplex, forward: (message: Buffer) => void): void;
  onStarted(identity: SystemIdentity): void;
}

type Plugin = Parameters<LogicalReplicationService["subscribe"]>[0];

/**
 * The output plugin that `pg-logical-replication` 2.5.0 starts: instead of parsing for it, it issues its own
 * START_REPLICATION and takes the socket over. The library's acknowledgements, options, parser and flow
 * control lose or alter data (each has a regression test); its connection handling does not.
 */
export function replicationPlugin(options: ReplicationPluginOptions): Plugin {
  return {
    name: "lockstep",
    options: {},
    parse: (buffer: Buffer) => buffer,
    start: async (client: Client, slot: string) => {
      const identity = await identifySystem(client);
      client.connection.once("replicationStart", () => options.onStarted(identity));
      takeOver(client.connection.stream, options);
      const publication = quoteLiteral(quoteIdentifier(options.publication));
      await client.query(
        `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL 0/0 ` +
          `(proto_version '1', publication_names ${publication})`,
      );
    },
  };
}

/** Here the connection is idle: the library's parser holds no half of a message. */
function takeOver(socket: Duplex, options: ReplicationPluginOptions): void {
  const parsers = socket.listeners("data");
  if (parsers.length !== 1) {
    throw new ReplicationError("internal", `pg has ${parsers.length} listeners on its socket instead of 1`, {
      fix: "install the versions of pg and pg-logical-replication that lockstep pins",
    });
  }
  socket.removeAllListeners("data");
  options.onSocket(socket, (message) =>
    parsers.forEach((parser) => void Reflect.apply(parser, socket, [message])),
  );
}

async function identifySystem(client: Client): Promise<SystemIdentity> {
  const { rows } = await client.query<{
    systemid: string;
    timeline: string;
    xlogpos: string;
    dbname: string;
  }>("IDENTIFY_SYSTEM");
  const { rows: backends } = await client.query<{ pid: number }>("select pg_catalog.pg_backend_pid() as pid");
  const [row] = rows;
  const [backend] = backends;
  if (row === undefined || backend === undefined) {
    throw new ReplicationError("protocol-violation", "the primary did not identify itself");
  }
  return {
    systemIdentifier: row.systemid,
    timeline: String(row.timeline),
    flushed: row.xlogpos,
    database: row.dbname,
    forks: Number(row.timeline) > 1 ? await readTimelineHistory(client, row.timeline) : [],
    processId: backend.pid,
  };
}

async function readTimelineHistory(client: Client, timeline: string): Promise<TimelineFork[]> {
  const { rows } = await client.query<{ content: string }>({
    text: `TIMELINE_HISTORY ${Number(timeline)}`,
    types: { getTypeParser: () => (content: string) => content }, // The server sends a bytea as plain text here.
  });
  return parseTimelineHistory(rows[0]?.content ?? "");
}
