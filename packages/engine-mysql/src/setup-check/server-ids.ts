import { errorFinding, type ErrorFinding } from "@lockstep/core";
import type { Server } from "../server.ts";
import { numberOf } from "../server-error.ts";
import type { Session } from "../session.ts";
import { besideIdOf, serverIdOf } from "../source/server-id.ts";

const SPECIFIC_ACCESS_DENIED = 1227;

/** By these numbers a pipeline reads the log: who comes under one of them ends the reader that has it. */
export async function findTakenIds(
  session: Session,
  { flavour }: Server,
  pipeline: string,
): Promise<ErrorFinding[]> {
  const [row] = await session.query("select @@global.server_id as own");
  const own = row?.["own"] ?? "";
  const others = await readReplicas(session, flavour === "mysql" ? "show replicas" : "show slave hosts");
  const readers = [
    [String(serverIdOf(pipeline)), "reads the log"],
    [String(besideIdOf(pipeline)), "looks up what stands elsewhere in the log"],
  ] as const;
  return readers.flatMap(([ours, does]) => {
    if (own !== ours && !others.includes(ours)) return [];
    const whose = own === ours ? "the primary's own" : "that of a replica of the primary";
    return [
      errorFinding(
        "setup-incomplete",
        `server id ${ours}, by which pipeline ${pipeline} ${does}, is ${whose}`,
        {
          fix: "give that server another server_id, or the pipeline another name",
        },
      ),
    ];
  });
}

/** Empty also where our user may not know. */
async function readReplicas(session: Session, sql: string): Promise<string[]> {
  try {
    return (await session.query(sql)).map((row) => row["Server_Id"] ?? row["Server_id"] ?? "");
  } catch (error) {
    if (numberOf(error) === SPECIFIC_ACCESS_DENIED) return [];
    throw error;
  }
}
