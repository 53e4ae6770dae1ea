import { ReplicationError } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { Grants } from "../setup-check/grants.ts";

/** Rejects with `permission-denied`, naming every grant that our user lacks to turn the gate on or off. */
export async function expectGateRights(
  { session, server }: Connected,
  { installs }: { readonly installs: boolean },
): Promise<void> {
  const grants = await Grants.read(session, server);
  const isMariadb = server.flavour === "mariadb";
  const missing: string[] = [];
  const everywhere = (privilege: string): void => {
    if (!grants.mayEverywhere(privilege.toUpperCase(), "SUPER")) missing.push(`grant ${privilege} on *.*`);
  };
  for (const privilege of isMariadb
    ? ["replication master admin", "binlog admin"]
    : ["system_variables_admin"])
    everywhere(privilege);
  const own = ["create", "select", "insert", "update", "delete"];
  const lacked = own.filter((privilege) => !grants.may(privilege.toUpperCase(), "lockstep", null));
  if (lacked.length > 0) missing.push(`grant ${lacked.join(", ")} on lockstep.*`);
  if (installs && !grants.may("INSERT", "mysql", "plugin")) missing.push("grant insert on mysql.plugin");
  if (missing.length === 0) return;
  throw new ReplicationError(
    "permission-denied",
    `user ${grants.user} may not change what commits of the primary wait for`,
    { fix: `run on the primary: ${missing.map((grant) => `${grant} to ${grants.user}`).join("; ")}` },
  );
}
