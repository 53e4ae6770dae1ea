import { cp } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  certificateFolder,
  eventually,
  KEY_PASSPHRASE,
  LockstepProcess,
  readCertificate,
  SASL_PASSWORD,
  SASL_USER,
  showCertificate,
  startPostgres,
  startSecuredKafka,
  withAdmin,
  type PostgresServer,
  type SecuredKafka,
} from "@lockstep/testkit";
import { createDatabases, Scenario } from "./scenario.ts";
import { get } from "./status-of.ts";

/* Databases that demand TLS, a certificate and a password; a broker that demands TLS and SASL. */
/** As it is: it is we who encode it. */
const PASSWORD = "p@ss/of:the#role?50%";
const HBA = [
  "host all postgres 127.0.0.1/32 trust",
  "hostssl all lockstep 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
];
const TLS = "sslmode=verify-full&sslrootcert=ca.crt&sslcert=client.crt&sslkey=client-encrypted.key";
const SECRETS = { PASSWORD, KEY_PASSPHRASE, SASL_PASSWORD };

const PAGES = ["/status", "/metrics", "/healthz", "/readyz"];
/** What a person may call beside a run. */
const COMMANDS = [
  ["check", "--columns", "--log-level", "debug"],
  ["check", "--json"],
  ["status"],
  ["status", "--json"],
  ["tail", "--from", "beginning", "--no-follow", "--log-level", "debug"],
  ["pause", "replica-1"],
  ["resume", "replica-1"],
  ["gate", "status"],
];

let servers: PostgresServer[];
let kafka: SecuredKafka;
beforeAll(async () => {
  const databases = [1, 2].map(async () => await startPostgres({ tls: true, hba: HBA }));
  [kafka, servers] = await Promise.all([startSecuredKafka(), Promise.all(databases)]);
  for (const server of servers) {
    await server.query(`create role lockstep superuser login replication password '${PASSWORD}'`);
  }
});
afterAll(async () => {
  await Promise.all([kafka, ...servers].map(async (server) => await server[Symbol.asyncDispose]()));
});

async function securedScenario(): Promise<Scenario> {
  const urls = await createDatabases(servers);
  const reachedAs = urls.map((url) => {
    const place = url.slice(url.indexOf("@") + 1);
    return `postgres://lockstep:\${PASSWORD}@${place}?${TLS}&sslpassword=\${KEY_PASSPHRASE}`;
  });
  const sasl = `{ mechanism: scram-sha-256, username: ${SASL_USER}, password: "\${SASL_PASSWORD}" }`;
  const log = `{ kafka: { brokers: ["${kafka.at.saslTls}"], tls: { ca: ca.crt }, sasl: ${sasl} } }`;
  const scenario = await Scenario.create({ urls, reachedAs, log });
  await cp(await certificateFolder(), dirname(scenario.configPath), { recursive: true });
  await scenario.everywhere("create table items (id int primary key, label text)");
  return scenario;
}

/** Also of what it serves, while it lives. */
async function expectNoSecret(run: LockstepProcess): Promise<void> {
  const [, keyLine = PASSWORD] = (await readCertificate("client-encrypted.key")).split("\n");
  const served = run.hasExited ? [] : PAGES.map(async (page) => await (await get(run, page)).text());
  const pages = await Promise.all(served);
  const text = [...pages, ...run.output, ...run.log.map((line) => line.text)].join("\n");
  expect(text.length).toBeGreaterThan(0);
  for (const secret of [...Object.values(SECRETS), encodeURIComponent(PASSWORD), keyLine])
    expect(text).not.toContain(secret);
}

test("all that lockstep sends goes over TLS, with a certificate, and arrives; no secret is logged", async () => {
  const scenario = await securedScenario();
  await scenario.onPrimary("insert into items select g, 'copied' from generate_series(1, 1000) g");
  await using run = scenario.run(SECRETS, ["--log-level", "debug"]);
  await run.waitForLog("following");
  await scenario.onPrimary(
    "insert into items select g, repeat('x', 1000) from generate_series(1001, 5000) g",
  );
  await scenario.onPrimary("update items set label = 'changed' where id % 7 = 0");
  await scenario.expectEqual();
  const sessions = await Promise.all(
    servers.map(
      async (server) =>
        await server.query<{ kind: string; ssl: boolean; subject: string }>(
          `select backend_type as kind, ssl, client_dn as subject
             from pg_stat_ssl join pg_stat_activity using (pid) where application_name like 'lockstep_%'`,
        ),
    ),
  );
  const all = sessions.flat();
  expect(all.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["walsender", "client backend"]));
  for (const session of all) expect(session).toMatchObject({ ssl: true, subject: "/CN=lockstep" });
  const groupId = `lockstep.${scenario.pipeline}.replica-1`;
  await eventually("the group's offset is there", async () => {
    const [topic] = await withAdmin(
      kafka.broker.brokers,
      async (admin) => await admin.fetchOffsets({ groupId, topics: [`lockstep.${scenario.pipeline}`] }),
    );
    expect(Number(topic?.partitions[0]?.offset)).toBeGreaterThan(0);
  });
  await expectNoSecret(run);
  for (const args of COMMANDS) {
    const address = args[0] === "status" ? ["--url", await run.url()] : [];
    await using command = new LockstepProcess([...args, ...address, "-c", scenario.configPath], SECRETS);
    expect([args, await command.exited]).toEqual([args, { code: 0, signal: null }]);
    await expectNoSecret(command);
  }
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  await expectNoSecret(run);
  const args = ["remove", "pipeline", "--yes", "-c", scenario.configPath];
  await using removal = new LockstepProcess(args, SECRETS);
  await removal.exited;
  expect(
    await scenario.onPrimary("select from pg_replication_slots where database = current_database()"),
  ).toEqual([]);
  await expectNoSecret(removal);
});

test.each([
  ["a wrong password of the role", { PASSWORD: "wrong" }, 1, "127.0.0.1"],
  [
    "a wrong passphrase of the key",
    { KEY_PASSPHRASE: "wrong" },
    2,
    "client-encrypted.key cannot be decrypted",
  ],
  ["a wrong password of the broker", { SASL_PASSWORD: "wrong" }, 1, "topic"],
])("%s ends the run, named, and shows no secret", async (_, wrong, code, message) => {
  const scenario = await securedScenario();
  await using run = scenario.run({ ...SECRETS, ...wrong }, ["--log-level", "debug"]);
  expect(await run.exited).toEqual({ code, signal: null });
  const last: unknown = JSON.parse(run.log.at(-1)?.text ?? "");
  const is = code === 2 ? "config-invalid" : "authentication-failed";
  expect(last).toMatchObject({ err: { code: is, message: expect.stringContaining(message) } });
  await expectNoSecret(run);
});

test("a certificate that expires meanwhile halts the replica whose it is; the primary's ends the run", async () => {
  const scenario = await securedScenario();
  const [primary, replica] = servers;
  if (primary === undefined || replica === undefined) return expect.unreachable();
  {
    await using run = scenario.run(SECRETS);
    await run.waitForLog("following");
    await showCertificate(replica, "expired.crt");
    await endSessions(replica, scenario);
    await scenario.onPrimary("insert into items values (1, 'published, not applied')");
    await run.waitForLog("has expired");
    expect(run.hasExited).toBe(false);
    await expectNoSecret(run);
    await showCertificate(primary, "expired.crt");
    await endSessions(primary, scenario);
    expect(await run.exited).toEqual({ code: 1, signal: null });
    const last: unknown = JSON.parse(run.log.at(-1)?.text ?? "");
    const err = { code: "tls-failed", message: expect.stringContaining("127.0.0.1") };
    expect(last).toMatchObject({ level: "error", msg: "the run ended", err });
  }
  await Promise.all(servers.map(async (server) => await showCertificate(server, "server.crt")));
  await using next = scenario.run(SECRETS);
  await next.waitForLog("following");
  await scenario.expectEqual();
});

async function endSessions(server: PostgresServer, { pipeline }: Scenario): Promise<void> {
  await server.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lockstep_${pipeline}'`,
  );
}
