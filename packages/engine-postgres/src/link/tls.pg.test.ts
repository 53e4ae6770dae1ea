import { chmod, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { actionOf, ReplicationError } from "@lockstep/core";
import {
  certificateFolder,
  freshDatabase,
  KEY_PASSPHRASE,
  readCertificate,
  showCertificate,
  startPostgres,
  type PostgresServer,
} from "@lockstep/testkit";
import { connect } from "../connection.ts";

const PASSWORD = "password-of-a-role";
const HBA = [
  "local all either trust",
  "host all postgres 127.0.0.1/32 trust",
  "hostssl all sealed 127.0.0.1/32 scram-sha-256",
  "hostnossl all bare 127.0.0.1/32 scram-sha-256",
  "host all either 127.0.0.1/32 scram-sha-256",
  "hostssl all lockstep 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
  "hostssl all somebody 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
];

let server: PostgresServer;
let folder: string;
let secrets: readonly string[];
beforeAll(async () => {
  [server, folder] = await Promise.all([
    startPostgres({ tls: true, hba: HBA, settings: { unix_socket_directories: "." } }),
    certificateFolder(),
  ]);
  for (const role of ["sealed", "bare", "either", "lockstep", "somebody"]) {
    await server.query(`create role ${role} login password '${PASSWORD}'`);
  }
  const [, line = PASSWORD] = (await readCertificate("client.key")).split("\n");
  secrets = [PASSWORD, KEY_PASSPHRASE, line];
  vi.stubEnv("HOME", folder); // Without a .postgresql in it.
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
});

function urlOf(role: string, parameters: Readonly<Record<string, string>>, host = "127.0.0.1"): string {
  const url = new URL(server.url());
  Object.assign(url, { username: role, password: PASSWORD, hostname: host });
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.toString();
}

/** Whether the session is encrypted; or the code of the error, with nothing secret in it. */
async function arrival(
  url: string,
): Promise<"tls" | "plain" | { code: string; message: string; fix: string }> {
  try {
    await using session = await connect({ url, pipeline: "tls", folder }, new AbortController().signal);
    const { rows } = await session.client.query<{ ssl: boolean }>(
      "select ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()",
    );
    return rows[0]?.ssl === true ? "tls" : "plain";
  } catch (error) {
    expect(actionOf(error)).toBe("operator");
    if (!(error instanceof ReplicationError)) throw error;
    const { code, message, fix = "" } = error;
    for (const secret of secrets) expect(`${message} ${fix} ${inspect(error)}`).not.toContain(secret);
    return { code, message, fix };
  }
}

describe("what each sslmode does", () => {
  test.each([
    ["sealed", "disable", { code: "authentication-failed" }],
    ["sealed", "allow", "tls"],
    ["sealed", "prefer", "tls"],
    ["sealed", "", "tls"],
    ["sealed", "require", "tls"],
    ["bare", "disable", "plain"],
    ["bare", "allow", "plain"],
    ["bare", "prefer", "plain"],
    ["bare", "", "plain"],
    ["bare", "require", { code: "authentication-failed" }],
    ["either", "disable", "plain"],
    ["either", "allow", "plain"],
    ["either", "prefer", "tls"],
    ["either", "", "tls"],
  ] as const)("%s with %j: %j", async (role, sslmode, expected) => {
    const got = await arrival(urlOf(role, sslmode === "" ? {} : { sslmode }));
    if (typeof expected === "string") expect(got).toBe(expected);
    else expect(got).toMatchObject(expected);
  });

  test("both answers are told when neither way is taken", async () => {
    expect(await arrival(urlOf("nobody", { sslmode: "prefer" }))).toMatchObject({
      code: "authentication-failed",
      message: expect.stringMatching(/SSL encryption; without TLS: .*no encryption/) as unknown,
    });
  });

  test("on a server that has no TLS", async () => {
    const url = await freshDatabase();
    expect(await arrival(url)).toBe("plain");
    expect(await arrival(`${url}?sslmode=prefer`)).toBe("plain");
    expect(await arrival(`${url}?sslmode=allow`)).toBe("plain");
    expect(await arrival(`${url}?sslmode=require`)).toMatchObject({
      code: "tls-failed",
      message: expect.stringContaining("takes no TLS") as unknown,
      fix: expect.stringContaining("ssl = on") as unknown,
    });
  });

  test("the environment is asked where the url is silent", async () => {
    vi.stubEnv("PGSSLMODE", "disable");
    expect(await arrival(urlOf("either", {}))).toBe("plain");
    expect(await arrival(urlOf("either", { sslmode: "require" }))).toBe("tls");
    vi.stubEnv("PGSSLMODE", "require");
    vi.stubEnv("PGSSLNEGOTIATION", "direct");
    expect(await arrival(urlOf("sealed", {}))).toBe("tls");
    vi.stubEnv("PGSSLMODE", undefined);
    vi.stubEnv("PGSSLNEGOTIATION", undefined);
  });

  test("over a Unix socket there is none, whatever the mode", async () => {
    const host = server.dataDir;
    expect(await arrival(urlOf("either", { host, port: String(server.port), sslmode: "verify-full" }))).toBe(
      "plain",
    );
  });

  test("directly, without asking first", async () => {
    expect(await arrival(urlOf("sealed", { sslmode: "require", sslnegotiation: "direct" }))).toBe("tls");
  });
});

describe("the server's certificate", () => {
  const trusting = { sslrootcert: "ca.crt" };

  test.each([
    ["verify-full", "127.0.0.1", "ca.crt"],
    ["verify-full", "localhost", "ca.crt"],
    ["verify-ca", "127.0.0.1", "ca.crt"],
    ["require", "127.0.0.1", "ca.crt"],
  ])("is good for %s by %s", async (sslmode, host, sslrootcert) => {
    expect(await arrival(urlOf("sealed", { sslmode, sslrootcert }, host))).toBe("tls");
  });

  test.each(["require", "verify-ca", "verify-full"])(
    "of another authority is refused by %s",
    async (sslmode) => {
      expect(await arrival(urlOf("sealed", { sslmode, sslrootcert: "other-ca.crt" }))).toMatchObject({
        code: "tls-failed",
        message: expect.stringContaining("signed by nobody we trust") as unknown,
        fix: expect.stringContaining("sslrootcert") as unknown,
      });
    },
  );

  test("of another authority is no TLS for prefer, as for libpq", async () => {
    expect(await arrival(urlOf("either", { sslmode: "prefer", sslrootcert: "other-ca.crt" }))).toBe("plain");
  });

  test("of no public authority is refused with sslrootcert=system, which is verify-full", async () => {
    expect(await arrival(urlOf("sealed", { sslrootcert: "system" }))).toMatchObject({ code: "tls-failed" });
  });

  test("for another name is refused by verify-full, and by verify-full alone", async () => {
    await showCertificate(server, "elsewhere.crt");
    expect(
      await arrival(urlOf("sealed", { sslmode: "verify-full", ...trusting }, "localhost")),
    ).toMatchObject({
      code: "tls-failed",
      message: expect.stringMatching(/another name: .*localhost.*elsewhere\.invalid/) as unknown,
    });
    expect(await arrival(urlOf("sealed", { sslmode: "verify-ca", ...trusting }))).toBe("tls");
    await showCertificate(server, "server.crt");
  });

  test("is refused when it has expired", async () => {
    await showCertificate(server, "expired.crt");
    expect(await arrival(urlOf("sealed", { sslmode: "verify-ca", ...trusting }))).toMatchObject({
      code: "tls-failed",
      message: expect.stringContaining("has expired") as unknown,
    });
    await showCertificate(server, "server.crt");
  });

  test("is refused when it is revoked", async () => {
    const parameters = { sslmode: "verify-ca", ...trusting, sslcrl: "ca.crl" };
    expect(await arrival(urlOf("sealed", parameters))).toBe("tls");
    await showCertificate(server, "revoked.crt");
    expect(await arrival(urlOf("sealed", parameters))).toMatchObject({
      code: "tls-failed",
      message: expect.stringContaining("revoked") as unknown,
    });
    await showCertificate(server, "server.crt");
  });

  test("is not checked without root certificates, and verify-* wants them", async () => {
    expect(await arrival(urlOf("sealed", { sslmode: "require" }))).toBe("tls");
    expect(await arrival(urlOf("sealed", { sslmode: "verify-ca" }))).toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining(join(folder, ".postgresql/root.crt")) as unknown,
    });
  });
});

describe("our certificate", () => {
  const ours = { sslmode: "require", sslcert: "client.crt", sslkey: "client.key" };
  const encrypted = { ...ours, sslkey: "client-encrypted.key" };

  test("lets us in, also with an encrypted key", async () => {
    expect(await arrival(urlOf("lockstep", ours))).toBe("tls");
    expect(await arrival(urlOf("lockstep", { ...encrypted, sslpassword: KEY_PASSPHRASE }))).toBe("tls");
  });

  test.each([
    ["none", "lockstep", { sslmode: "require" }, "authentication-failed", "valid client certificate"],
    ["another user's", "somebody", ours, "authentication-failed", "somebody"],
    [
      "of another authority",
      "lockstep",
      { ...ours, sslcert: "stranger.crt" },
      "tls-failed",
      "our certificate",
    ],
    [
      "of another authority, in TLS 1.2",
      "lockstep",
      { ...ours, sslcert: "stranger.crt", ssl_max_protocol_version: "TLSv1.2" },
      "tls-failed",
      "our certificate",
    ],
    ["an encrypted key alone", "lockstep", encrypted, "config-invalid", "no passphrase is given"],
    [
      "a wrong passphrase",
      "lockstep",
      { ...encrypted, sslpassword: "another" },
      "config-invalid",
      "decrypted",
    ],
    [
      "another's key",
      "lockstep",
      { ...ours, sslkey: "server.key" },
      "config-invalid",
      "server.key cannot be used",
    ],
    [
      "another's encrypted key",
      "lockstep",
      { ...encrypted, sslcert: "server.crt", sslpassword: KEY_PASSPHRASE },
      "config-invalid",
      "client-encrypted.key cannot be used together",
    ],
    ["no key", "lockstep", { sslmode: "require", sslcert: "client.crt" }, "config-invalid", "has no key"],
    ["an absent file", "lockstep", { ...ours, sslcert: "absent.crt" }, "config-invalid", "absent.crt"],
    ["no certificate", "lockstep", { ...ours, sslcert: "make.sh" }, "config-invalid", "holds no certificate"],
  ] as const)("%s", async (_, role, parameters, code, message) => {
    expect(await arrival(urlOf(role, parameters))).toMatchObject({
      code,
      message: expect.stringContaining(message) as unknown,
      fix: expect.any(String) as unknown,
    });
  });

  test("of another authority is an error for prefer too, as for libpq: TLS was there", async () => {
    const stranger = { sslcert: "stranger.crt", sslkey: "client.key" };
    expect(await arrival(urlOf("either", stranger))).toMatchObject({ code: "tls-failed" });
    expect(await arrival(urlOf("either", { ...stranger, ssl_max_protocol_version: "TLSv1.2" }))).toBe(
      "plain",
    );
  });

  test("whose key others may read is refused", async () => {
    await copyFile(join(folder, "client.key"), join(folder, "shown.key"));
    await chmod(join(folder, "shown.key"), 0o644);
    expect(await arrival(urlOf("lockstep", { ...ours, sslkey: "shown.key" }))).toMatchObject({
      code: "config-invalid",
      message: expect.stringContaining("mode 0644") as unknown,
    });
  });

  test("and root certificates are found in ~/.postgresql", async () => {
    const home = join(folder, "home");
    await mkdir(join(home, ".postgresql"), { recursive: true });
    const names = { "ca.crt": "root.crt", "client.crt": "postgresql.crt", "client.key": "postgresql.key" };
    for (const [from, to] of Object.entries(names)) {
      await copyFile(join(folder, from), join(home, ".postgresql", to));
    }
    vi.stubEnv("HOME", home);
    expect(await arrival(urlOf("lockstep", { sslmode: "verify-full" }))).toBe("tls");
    await copyFile(join(folder, "other-ca.crt"), join(home, ".postgresql", "root.crt"));
    expect(await arrival(urlOf("lockstep", { sslmode: "require" }))).toMatchObject({ code: "tls-failed" });
    vi.stubEnv("HOME", folder);
  });
});
