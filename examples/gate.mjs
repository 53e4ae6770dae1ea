/** Commits that wait, under a program that knows nothing of it: plain `pg`, plain SQL. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { databases } from "./databases.mjs";

const file = `${databases.log.embedded.path}.yaml`; // JSON is YAML.
writeFileSync(file, JSON.stringify({ ...databases, mode: "sync", http: false }));
const lockstep = (...args) => execFileSync("npx", ["lockstep", ...args, "-c", file], { encoding: "utf8" });
const isArmed = () => JSON.parse(lockstep("gate", "status", "--json")).armed;

const run = spawn("node_modules/.bin/lockstep", ["run", "-c", file, "--log-level", "warn"], {
  stdio: "ignore",
});
const ended = once(run, "exit");
for (let isOn = false; !isOn; await sleep(500)) {
  try {
    isOn = lockstep("gate", "on") !== ""; // Refused until the run has begun.
  } catch {
    continue;
  }
}
while (!isArmed()) await sleep(200);
console.log("commits wait for every replica");

const client = new pg.Client(databases.primary.url);
await client.connect();
await client.query("set synchronous_commit = remote_apply"); // Or once: alter role … set synchronous_commit = …
await client.query("insert into orders (customer_id, total) values (1001, 599.99)");
for (const { name, url } of databases.replicas) {
  const replica = new pg.Client(url);
  await replica.connect();
  const { rows } = await replica.query("select total from orders");
  console.log(`${name} has it: ${JSON.stringify(rows)}`);
  await replica.end();
}
await client.end();
lockstep("gate", "off");
run.kill("SIGTERM");
await ended;
console.log("commits wait no longer");
