import { execFile } from "node:child_process";
import { cp, readFile, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "lockstep";
import { LockstepProcess, startPostgresServers, type PostgresServer } from "@lockstep/testkit";
import { parse } from "yaml";
import { createDatabases, Scenario } from "./scenario.ts";

/* What is installed from packages instead of a clone, and what is run in containers. */
const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKED = [
  "core",
  "engine-mysql",
  "engine-postgres",
  "log-kafka",
  "log-embedded",
  "pipeline",
  "lockstep",
];

let folder: string;
let servers: PostgresServer[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lockstep-packed-"));
  servers = await startPostgresServers(2);
});
afterAll(async () => {
  await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true, force: true });
});

test("packed and installed into a folder of its own, the command and the library work", async () => {
  const workspaces = PACKED.flatMap((name) => ["-w", `packages/${name}`]);
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", folder, ...workspaces], {
    cwd: ROOT,
  });
  const packs = stdout.trim().split("\n");
  expect(packs).toHaveLength(PACKED.length);
  await writeFile(join(folder, "package.json"), '{ "name": "scratch", "private": true, "type": "module" }');
  const quietly = ["--omit=dev", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...quietly, ...packs.map((name) => `./${name}`)], { cwd: folder });

  const bin = join(folder, "node_modules", ".bin", "lockstep");
  const help = await run(bin, ["--help"]);
  for (const command of ["run", "status", "wait", "tail", "pause", "resume", "remove"])
    expect(help.stdout).toMatch(new RegExp(`^ +${command}`, "m"));
  await writeFile(
    join(folder, "use.js"),
    'import { DatabaseReplicationManager } from "lockstep"; console.log(DatabaseReplicationManager.name);',
  );
  expect((await run(process.execPath, ["use.js"], { cwd: folder })).stdout).toBe(
    "DatabaseReplicationManager\n",
  );
  const schema = createRequire(join(folder, "use.js")).resolve("lockstep/lockstep.schema.json");
  expect(JSON.parse(await readFile(schema, "utf8"))).toMatchObject({ title: "lockstep.yaml" });

  const scenario = await Scenario.create({ urls: await createDatabases(servers) });
  await scenario.onPrimary("create table items (id int primary key); insert into items values (1)");
  await using process_ = new LockstepProcess(["run", "-c", scenario.configPath], {}, bin);
  await process_.waitForLog("tables are live");
  await scenario.onPrimary("insert into items values (2)");
  await scenario.expectEqual();
});

test("the command is bundled from nothing but what the Dockerfile copies", async () => {
  const context = join(folder, "context");
  const [build = ""] = (await readFile(join(ROOT, "Dockerfile"), "utf8")).split(/^FROM (?!.* AS build)/m);
  const copied = [...build.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, names = ""]) => names.split(" "));
  expect(copied).toContain("packages");
  const left = new Set(["node_modules", "bundle"]); // What `tsc -b` makes there is there already.
  for (const name of copied)
    await cp(join(ROOT, name), join(context, name), {
      recursive: true,
      filter: (path) => !left.has(basename(path)),
    });
  await symlink(join(ROOT, "node_modules"), join(context, "node_modules"));
  await run(process.execPath, ["packages/lockstep/bundle.mjs"], { cwd: context });
  const { stdout } = await run(process.execPath, ["packages/lockstep/bin/lockstep.js", "--help"], {
    cwd: context,
  });
  expect(stdout).toContain("follow the primary into every replica");
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("a PostgreSQL, MySQL or MariaDB primary");
  const terms = await readFile(join(context, "packages/lockstep/bundle/LICENSES.txt"), "utf8");
  for (const one of terms.split(`${"-".repeat(80)}\n`)) expect(one).toMatch(/copyright[^]*warrant/i);
});

test("the configurations of README load, of any engine", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const [whole = "", places = "", ...others] = [...readme.matchAll(/^```yaml\n([^]*?)^```/gm)].map(
    ([, text = ""]) => text,
  );
  expect(others).toEqual([]);
  const enginesOf = async (text: string): Promise<string[]> => {
    const path = join(folder, "readme.yaml");
    await writeFile(path, text);
    const passwords = { PGPASSWORD: "p", MYSQL_PASSWORD: "m", MARIADB_PASSWORD: "d" };
    const { primary, replicas } = await loadConfig(path, passwords);
    return [primary, ...replicas].map(({ engine }) => engine);
  };
  expect(await enginesOf(whole)).toEqual(["postgres", "postgres", "postgres"]);
  const log = /\(or none: `([^`]*)`\)/.exec(readme)?.[1] ?? "";
  expect(await enginesOf(`pipeline: shop\n${log}\n${places}`)).toEqual(["mysql", "mariadb", "postgres"]);
});

test("the configuration of docker-compose.yml is valid, and names the services that there are", async () => {
  const compose: unknown = parse(await readFile(join(ROOT, "docker-compose.yml"), "utf8"), { merge: true });
  const config = await loadConfig(join(ROOT, "examples/compose/lockstep.yaml"), { PGPASSWORD: "lockstep" });
  const hosts = [config.primary, ...config.replicas].map(({ url }) => new URL(url).hostname);
  expect(hosts).toEqual(["primary", "replica-1", "replica-2"]);
  const service = {
    image: "postgres:18",
    environment: { POSTGRES_PASSWORD: "lockstep", POSTGRES_DB: "shop" },
  };
  expect(compose).toMatchObject({
    services: {
      kafka: {},
      lockstep: { build: ".", environment: { PGPASSWORD: "lockstep" } },
      ...Object.fromEntries(hosts.map((host) => [host, service])),
    },
  });
});
