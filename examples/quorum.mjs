/** High availability: a write returns when two replicas have it, so that no single machine can lose it. */
import { DatabaseReplicationManager, hasCode, ReplicatedDatabase } from "lockstep";
import { databases } from "./databases.mjs";

const manager = new DatabaseReplicationManager({ ...databases, mode: "semi-sync", minReplicasSync: 2 });
await manager.start();
const db = new ReplicatedDatabase(manager);

const insert = "insert into orders (customer_id, total) values ($1, $2) returning id";
const { rows, token } = await db.execute(insert, [1001, "599.99"]);
console.log(`order ${rows[0].id} is on the primary and on ${await manager.waitFor(token)} replicas`);

const { result } = await db.transaction(async (tx) => {
  await tx.execute("update orders set total = total + 10 where id = $1", [rows[0].id]);
  return await tx.fetchOne("select total from orders where id = $1", [rows[0].id]);
});
console.log(`its total is ${result.total}, there too: one transaction, one wait`);

try {
  await manager.waitFor(token, { replicas: databases.replicas.length, timeoutMs: 5_000 });
  console.log("by now every replica has it");
} catch (error) {
  if (!hasCode(error, "quorum-not-reached")) throw error;
  console.log(`not every replica has it yet: ${error.message}`); // It is committed: wait again, never write again.
}
await manager.stop();
