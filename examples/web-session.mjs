/** A web session: a cookie carries the token, so that a page shows what the form before it has written. */
import { once } from "node:events";
import { createServer } from "node:http";
import { DatabaseReplicationManager, LoadBalancedDatabase, ReplicatedDatabase, TokenCarrier } from "lockstep";
import { databases } from "./databases.mjs";

const manager = new DatabaseReplicationManager(databases);
await manager.start();
const db = new ReplicatedDatabase(manager);
const reads = new LoadBalancedDatabase(manager);
const carrier = new TokenCarrier(manager);
const carry = carrier.express(); // express: app.use(carrier.express()); fastify: app.register(carrier.fastify())

async function answer(request) {
  const session = carrier.of(request);
  if (request.method === "POST") {
    const { token } = await db.execute("insert into orders (customer_id, total) values (7, 42)");
    await session.keep(token);
    return { ordered: true };
  }
  return await reads.fetchAll("select total from orders where customer_id = 7", [], { after: session.after });
}

const site = createServer((request, response) => {
  carry(request, response, () => {
    answer(request).then(
      (body) => response.end(JSON.stringify(body)),
      () => response.writeHead(500).end(),
    );
  });
});
site.listen(0, "127.0.0.1");
await once(site, "listening");

/* A browser. */
const url = `http://127.0.0.1:${site.address().port}`;
const ordered = await fetch(url, { method: "POST" });
const [cookie] = ordered.headers.getSetCookie()[0].split(";");
console.log(`ordered, and got the cookie ${cookie.slice(0, 30)}…`);
const page = await fetch(url, { headers: { cookie } });
console.log(`the next page shows ${await page.text()}`);

site.close();
site.closeAllConnections();
await manager.stop();
