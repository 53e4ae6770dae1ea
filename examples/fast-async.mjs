/** Fast: a write returns as soon as the primary has it; replicas follow within milliseconds. */
import { DatabaseReplicationManager, ReplicatedDatabase } from "lockstep";
import { databases } from "./databases.mjs";

const CLIENTS = 16;
const ORDERS_EACH = 100;

const manager = new DatabaseReplicationManager({ ...databases, mode: "async" });
await manager.start();
const db = new ReplicatedDatabase(manager, { timeoutMs: 5_000 });

async function client(id) {
  for (let order = 1; order <= ORDERS_EACH; order++)
    await db.execute("insert into orders (customer_id, total) values ($1, $2)", [id, order]);
}

const startedMs = performance.now();
await Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(id)));
const seconds = (performance.now() - startedMs) / 1_000;
console.log(`${Math.round((CLIENTS * ORDERS_EACH) / seconds)} orders a second`);

const { token } = await db.execute("insert into orders (customer_id, total) values (0, 0)");
const writtenMs = performance.now();
const replicas = await manager.waitFor(token, { replicas: databases.replicas.length });
console.log(`${replicas} replicas have the last one ${Math.round(performance.now() - writtenMs)} ms later`);
for (const [name, { state, lagSeconds }] of Object.entries(manager.status().replicas))
  console.log(`${name}: ${state}, ${lagSeconds} s behind`);
await manager.stop();
