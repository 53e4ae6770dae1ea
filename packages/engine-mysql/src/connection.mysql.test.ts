import { getEventListeners } from "node:events";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  certificateFolder,
  eventually,
  freePort,
  freshMysqlDatabase,
  KEY_PASSPHRASE,
  MYSQL_FLAVOURS,
  queryMysql,
  startMysql,
  uniqueName,
  type MysqlServer,
} from "@lockstep/testkit";
import { connect, type Connected } from "./connection.ts";

const never = (): AbortSignal => new AbortController().signal;

/** What connecting comes to: how, or the error. */
async function arrival(url: string, folder?: string): Promise<unknown> {
  try {
    await using connected = await connect({ url, folder }, never());
    const [row] = await connected.session.query("show session status like 'Ssl_cipher'");
    return row?.["Value"] === "" ? "plain" : "tls";
  } catch (error) {
    return error;
  }
}

function changed(
  url: string,
  change: Partial<Record<"username" | "password" | "port" | "pathname", string>>,
): string {
  return Object.assign(new URL(url), change).href;
}

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  let url: string;

  beforeAll(async () => (url = await freshMysqlDatabase(flavour)));

  test("says what it is", async () => {
    await using connected = await connect({ url }, never());
    expect(connected.server.flavour).toBe(flavour);
    expect(connected.server.label).toMatch(flavour === "mysql" ? /^MySQL 9\./ : /^MariaDB 11\./);
    expect(connected.server.maxPacketBytes).toBe(64 * 1024 * 1024);
  });

  test("rows are the server's own text, statements say what they met, and more than one are sent at once", async () => {
    await using connected = await connect({ url }, never());
    const { session } = connected;
    await session.run("create table t (id bigint unsigned primary key, v double, d decimal(20,10), n int)");
    const inserted = await session.run(
      "insert into t values (18446744073709551615, 0.1, 1.5, null), (1, 2, 3, 4); update t set n = 4; delete from t where n = 5",
    );
    expect(inserted).toEqual([
      { rows: 2, warnings: 0 },
      { rows: 2, warnings: 0 }, // One of them had it already.
      { rows: 0, warnings: 0 },
    ]);
    expect(await session.query("select * from t order by id desc limit 1")).toEqual([
      { id: "18446744073709551615", v: "0.1", d: "1.5000000000", n: "4" },
    ]);
    expect(await session.query("select id from t where id = 2")).toEqual([]);
  });

  test.each([
    ["a wrong password", { password: "s3cret" }, "authentication-failed"],
    ["a user that is not there", { username: "nobody", password: "s3cret" }, "authentication-failed"],
    ["a database that is not there", { pathname: "/absent" }, "setup-incomplete"],
  ])("%s is refused, and the password is not said (S1)", async (_, change, code) => {
    const error = await arrival(changed(url, change));
    expect(error).toMatchObject({ code, fix: expect.any(String) as unknown });
    expect(inspect(error, { depth: 9 })).not.toContain("s3cret");
  });

  test("the scheme of another flavour is refused by name", async () => {
    const other = flavour === "mysql" ? "mariadb" : "mysql";
    expect(await arrival(url.replace(flavour, other))).toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(new RegExp(`is M.*, and not ${other}`)) as unknown,
      fix: `use engine ${flavour}, and a url that begins with ${flavour}://`,
    });
  });

  test("a server that is not there is a lost connection, and nobody is left listening", async () => {
    const signal = never();
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(
        connect({ url: changed(url, { port: String(await freePort()) }) }, signal),
      ).rejects.toMatchObject({ code: "connection-lost" });
    }
    await (await connect({ url }, signal))[Symbol.asyncDispose]();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("what is refused says nothing of the statement, which holds rows (S1)", async () => {
    await using connected = await connect({ url }, never());
    await connected.session.run("create table narrow (v varchar(3))");
    const refused = await connected.session
      .run("insert into narrow values ('s3cret')")
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: "ServerError", number: 1406, sqlState: "22001" });
    expect(inspect(refused, { depth: 9 })).not.toContain("s3cret");
  });

  test("an abort closes the session, also in the middle of a statement", async () => {
    const stopping = new AbortController();
    await using connected = await connect({ url }, stopping.signal);
    const sleeping = connected.session.query("select sleep(30)").catch((error: unknown) => error);
    const { id } = connected.session;
    await eventually("it sleeps", async () => {
      const rows = await queryMysql(
        url,
        `select 1 from information_schema.processlist where id = ${id} and info like '%sleep%'`,
      );
      expect(rows).toHaveLength(1);
    });
    stopping.abort(new Error("stopped"));
    expect(await sleeping).toBeInstanceOf(Error);
    await eventually("it is lost", async () => {
      expect(connected.lost.aborted).toBe(true);
    });
    await expect(connect({ url }, stopping.signal)).rejects.toThrow("stopped");
  });

  test("a session that is ended by the server is lost", async () => {
    await using connected = await connect({ url }, never());
    await queryMysql(url, `kill ${connected.session.id}`);
    await eventually("it is lost", async () => {
      expect(connected.lost.aborted).toBe(true);
    });
    expect(connected.lost.reason).toMatchObject({ code: "connection-lost" });
  });
});

describe.each(MYSQL_FLAVOURS)("a server of %s with settings of its own", (flavour) => {
  let server: MysqlServer;
  let folder: string;

  beforeAll(async () => {
    folder = await certificateFolder();
    server = await startMysql(flavour, {
      settings: {
        "ssl-ca": join(folder, "ca.crt"),
        "ssl-cert": join(folder, "server.crt"),
        "ssl-key": join(folder, "server.key"),
        "sql-mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT",
        "default-time-zone": "+05:30",
        "character-set-server": "latin1",
        "transaction-isolation": "SERIALIZABLE",
      },
    });
    await server.query("create user strict@'%' identified by '' require ssl");
    await server.query("create user known@'%' identified by '' require x509");
  });

  afterAll(async () => await server[Symbol.asyncDispose]());

  const urlOf = (parameters: Readonly<Record<string, string>>, username = "root"): string => {
    const url = new URL(server.url());
    url.username = username;
    if (username !== "root") url.password = "";
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.href;
  };

  test("pins what gives text its meaning (V1)", async () => {
    await using connected: Connected = await connect(
      { url: server.url(), settings: { foreign_key_checks: "0" } },
      never(),
    );
    const { session } = connected;
    const isolation = flavour === "mysql" ? "@@transaction_isolation" : "@@tx_isolation";
    const [row] = await session.query(
      `select @@sql_mode as mode, @@time_zone as zone, @@character_set_client as client, @@foreign_key_checks as fk,
              @@character_set_results as results, @@collation_connection as collation, ${isolation} as isolation,
              'a\\'b\\\\' as quoted, hex('€𝄞') as hex, '€𝄞' as text`,
    );
    expect({ ...row, mode: new Set(row?.["mode"]?.split(",")) }).toEqual({
      mode: new Set([
        "STRICT_ALL_TABLES",
        "NO_AUTO_VALUE_ON_ZERO",
        "NO_ENGINE_SUBSTITUTION",
        "ALLOW_INVALID_DATES",
      ]),
      zone: "+00:00",
      client: "utf8mb4",
      fk: "0",
      results: "utf8mb4",
      collation: "utf8mb4_bin",
      isolation: "READ-COMMITTED",
      quoted: "a'b\\",
      hex: "E282ACF09D849E",
      text: "€𝄞",
    });
  });

  test.each([
    ["nothing", {}, "tls"],
    ["ssl-mode=DISABLED", { "ssl-mode": "DISABLED" }, "plain"],
    ["ssl-mode=REQUIRED", { "ssl-mode": "required" }, "tls"],
    ["VERIFY_CA and the authority", { "ssl-mode": "VERIFY_CA", "ssl-ca": "ca.crt" }, "tls"],
    ["VERIFY_IDENTITY and the authority", { "ssl-mode": "VERIFY_IDENTITY", "ssl-ca": "ca.crt" }, "tls"],
    ["another authority, which is not asked", { "ssl-mode": "REQUIRED", "ssl-ca": "other-ca.crt" }, "tls"],
  ])("with %s the url is taken", async (_, parameters, expected) => {
    expect(await arrival(urlOf(parameters), folder)).toBe(expected);
  });

  test.each([
    [
      "another authority",
      { "ssl-mode": "VERIFY_CA", "ssl-ca": "other-ca.crt" },
      "tls-failed",
      "nobody we trust",
    ],
    ["the system's authorities", { "ssl-mode": "VERIFY_CA" }, "tls-failed", "nobody we trust"],
    ["no file", { "ssl-ca": "absent.crt" }, "config-invalid", "absent.crt"],
    ["a key in place of a certificate", { "ssl-ca": "client.key" }, "config-invalid", "holds no certificate"],
  ])("%s is refused", async (_, parameters, code, message) => {
    expect(await arrival(urlOf(parameters), folder)).toMatchObject({
      code,
      message: expect.stringContaining(message) as unknown,
      fix: expect.any(String) as unknown,
    });
  });

  test("a user who needs TLS, or a certificate, is let in with it alone", async () => {
    const ours = { "ssl-mode": "REQUIRED", "ssl-cert": "client.crt", "ssl-key": "client-encrypted.key" };
    const plain = await arrival(urlOf({ "ssl-mode": "DISABLED" }, "strict"), folder);
    expect(plain).toMatchObject({ code: "authentication-failed" });
    expect(await arrival(urlOf({}, "strict"), folder)).toBe("tls");
    expect(await arrival(urlOf({}, "known"), folder)).toMatchObject({ code: "authentication-failed" });
    const secret = await arrival(urlOf({ ...ours, "ssl-passphrase": "an0ther" }, "known"), folder);
    expect(secret).toMatchObject({ code: "config-invalid" });
    expect(inspect(secret, { depth: 9 })).not.toContain("an0ther");
    expect(await arrival(urlOf({ ...ours, "ssl-passphrase": KEY_PASSPHRASE }, "known"), folder)).toBe("tls");
  });

  test("a server that is full, and one that is killed, are waited for", async () => {
    const url = server.url();
    const name = uniqueName("full");
    await server.query(`create user ${name}@'%' identified by '' with max_user_connections 1`);
    await using first = await connect({ url: urlOf({}, name) }, never());
    expect(await arrival(urlOf({}, name))).toMatchObject({ code: "server-unavailable" });
    await using connected = await connect({ url }, never());
    const sleeping = connected.session.query("select sleep(30)").catch((error: unknown) => error);
    await server.kill();
    expect(await sleeping).toBeInstanceOf(Error);
    await eventually("both are lost", async () => {
      expect([first.lost.aborted, connected.lost.aborted]).toEqual([true, true]);
    });
    expect(await arrival(url)).toMatchObject({ code: "connection-lost" });
    await server.start();
    expect(await arrival(url)).toBe("tls");
  });
});
