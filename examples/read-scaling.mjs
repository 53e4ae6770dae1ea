/** Read scaling: reads go to the replicas, and yet everybody sees what they have written themselves. */
import { DatabaseReplicationManager, LoadBalancedDatabase, ReplicatedDatabase } from "lockstep";
import { databases } from "./databases.mjs";

const manager = new DatabaseReplicationManager(databases);
await manager.start();
const db = new ReplicatedDatabase(manager);
const reads = new LoadBalancedDatabase(manager, { policy: "least-lag", maxLagSeconds: 5 });

const everywhere = { replicas: databases.replicas.length };
await manager.waitFor((await db.execute("select 1")).token, everywhere); // They are through their first copy.
const names = new Map(databases.replicas.map(({ name, url }) => [new URL(url).port, name]));
const served = new Map();
for (let customer = 1; customer <= 100; customer++) {
  const { token } = await db.execute("insert into orders (customer_id, total) values ($1, 10)", [customer]);
  const statement = "select customer_id, current_setting('port') as port from orders where customer_id = $1";
  const order = await reads.fetchOne(statement, [customer], { after: token }); // Without `after` it may miss it.
  if (order === null) throw new Error(`customer ${customer} does not see the order`);
  const server = names.get(order.port) ?? "the primary";
  served.set(server, (served.get(server) ?? 0) + 1);
}
console.log("everybody has seen their own order");
for (const [server, count] of served) console.log(`${server} has served ${count} reads`);
await manager.stop();
