import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConnectionOptions } from "node:tls";
import { inspect } from "node:util";
import {
  actionOf,
  retry,
  secureContextOf,
  ReplicationError,
  type EventLog,
  type Logger,
} from "@lockstep/core";
import {
  readCertificate,
  SASL_PASSWORD,
  SASL_USER,
  startSecuredKafka,
  uniqueName,
  type SecuredKafka,
} from "@lockstep/testkit";
import type { KafkaSasl } from "./client.ts";
import { createKafkaLog } from "./kafka-log.ts";

let kafka: SecuredKafka;
const logged: string[] = [];
beforeAll(async () => {
  kafka = await startSecuredKafka();
  // The first publisher of a broker's life has it make the topic of its coordinators: not now, until that is done.
  await using topic = logOf({ at: "plain" });
  await topic.prepare(signal());
  await using _ = await retry(async () => await topic.openPublisher(signal()), {}, signal());
});
afterAll(async () => {
  await kafka[Symbol.asyncDispose]();
  expect(logged.length).toBeGreaterThan(0);
  for (const line of logged) expect(line).not.toContain(SASL_PASSWORD);
});

const log = (fields: object, message: string): void => void logged.push(`${inspect(fields)} ${message}`);
const logger: Logger = { debug: log, info: log, warn: log, error: log };
const signal = (): AbortSignal => AbortSignal.timeout(30_000);

interface Connection {
  readonly at: keyof SecuredKafka["at"] | "plain";
  readonly tls?: ConnectionOptions;
  readonly sasl?: KafkaSasl;
}

function logOf({ at, tls, sasl }: Connection): EventLog {
  const brokers = at === "plain" ? kafka.broker.brokers : [kafka.at[at]];
  return createKafkaLog({ brokers, pipeline: uniqueName("connections"), logger, tls, sasl });
}

async function trusting(
  ca: string,
  own?: { readonly cert: string; readonly key: string },
): Promise<ConnectionOptions> {
  const pem = async (name: string): Promise<{ name: string; text: string }> => ({
    name,
    text: await readCertificate(name),
  });
  const ours = own === undefined ? {} : { cert: await pem(own.cert), key: await pem(own.key) };
  return { secureContext: secureContextOf({ ca: await pem(ca), ...ours }) };
}

const account = (mechanism: KafkaSasl["mechanism"], password = SASL_PASSWORD): KafkaSasl => ({
  mechanism,
  username: SASL_USER,
  password,
});

async function expectWorking(connection: Connection): Promise<void> {
  await using topic = logOf(connection);
  await topic.prepare(signal());
  const publisher = await topic.openPublisher(signal());
  await publisher.append({ headers: { kind: "test" }, value: Buffer.from("one") }, signal());
  await publisher[Symbol.asyncDispose]();
  const { first } = await topic.bounds(signal());
  const { entries } = await topic.read({ from: first, maxBytes: 1_024, maxWaitMs: 100 }, signal());
  expect(entries.map(({ value }) => value.toString())).toEqual(["one"]);
}

/** By `run` and by `tail`, which begin with different questions. */
async function expectRefused(
  connection: Connection,
  code: string,
  message: RegExp,
  fix: RegExp,
): Promise<void> {
  for (const ask of [
    async (topic: EventLog) => await topic.prepare(signal()),
    async (topic: EventLog) => await topic.bounds(signal()),
  ]) {
    await using topic = logOf(connection);
    const error: unknown = await ask(topic).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as unknown });
    expect(error instanceof ReplicationError ? error.fix : "").toMatch(fix);
    expect(actionOf(error)).toBe("operator");
    expect(inspect(error, { depth: 9 })).not.toContain(SASL_PASSWORD);
  }
}

describe.concurrent("a listener with TLS", () => {
  const own = { cert: "client.crt", key: "client.key" };

  test("takes who has a certificate that it trusts", async () => {
    await expectWorking({ at: "mutual", tls: await trusting("ca.crt", own) });
  });

  test("refuses who has none, or another authority's", async () => {
    const none: Connection = { at: "mutual", tls: await trusting("ca.crt") };
    await expectRefused(
      none,
      "tls-failed",
      /broker .*does not accept our certificate/,
      /log\.kafka\.tls\.cert/,
    );
    const stranger = await trusting("ca.crt", { cert: "stranger.crt", key: "client.key" });
    await expectRefused(
      { at: "mutual", tls: stranger },
      "tls-failed",
      /our certificate/,
      /log\.kafka\.tls\.cert/,
    );
  });

  test("is refused when its certificate is not trusted, for another name, or expired", async () => {
    const other = await trusting("other-ca.crt", own);
    await expectRefused(
      { at: "mutual", tls: other },
      "tls-failed",
      /signed by nobody/,
      /log\.kafka\.tls\.ca/,
    );
    await expectRefused({ at: "mutual", tls: {} }, "tls-failed", /signed by nobody/, /log\.kafka\.tls\.ca/);
    const tls = await trusting("ca.crt");
    await expectRefused(
      { at: "elsewhere", tls },
      "tls-failed",
      /another name: .*127\.0\.0\.1/,
      /certificate/,
    );
    await expectRefused({ at: "expired", tls }, "tls-failed", /has expired/, /renew/);
  });

  test("for another name is taken where that name is given, or nothing is to be checked", async () => {
    const tls = await trusting("ca.crt");
    await expectWorking({ at: "elsewhere", tls: { ...tls, servername: "elsewhere.invalid" } });
    await expectWorking({ at: "expired", tls: { rejectUnauthorized: false } });
  });

  test("and who speaks none; a listener without, and who speaks it", async () => {
    await expectRefused(
      { at: "mutual" },
      "tls-failed",
      /speaks TLS, and log\.kafka\.tls is not set/,
      /set log/,
    );
    await expectRefused(
      { at: "saslTls" },
      "tls-failed",
      /speaks TLS, and log\.kafka\.tls is not set/,
      /set log/,
    );
    const tls = await trusting("ca.crt");
    await expectRefused({ at: "plain", tls }, "tls-failed", /speaks no TLS/, /leave log\.kafka\.tls out/);
    const both = { tls, sasl: account("plain") };
    await expectRefused({ at: "sasl", ...both }, "tls-failed", /speaks no TLS/, /leave log\.kafka\.tls out/);
  });
});

describe.concurrent("a listener with SASL", () => {
  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("takes %s", async (mechanism) => {
    await expectWorking({ at: "sasl", sasl: account(mechanism) });
  });

  test.each(["plain", "scram-sha-256"] as const)("over TLS takes %s", async (mechanism) => {
    await expectWorking({ at: "saslTls", tls: await trusting("ca.crt"), sasl: account(mechanism) });
  });

  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
    "refuses a wrong password for %s",
    async (mechanism) => {
      const sasl = account(mechanism, `${SASL_PASSWORD}-not`);
      await expectRefused(
        { at: "sasl", sasl },
        "authentication-failed",
        /SASL .*failed/,
        /username and password/,
      );
    },
  );

  test("refuses a mechanism that it has not, and who has none", async () => {
    const tls = await trusting("ca.crt");
    const sasl = account("scram-sha-512");
    const mechanism = /sasl\.mechanism/;
    await expectRefused({ at: "saslTls", tls, sasl }, "authentication-failed", /mechanism/i, mechanism);
    await expectRefused(
      { at: "saslTls", tls },
      "authentication-failed",
      /asks for SASL/,
      /set log\.kafka\.sasl/,
    );
    await expectRefused({ at: "sasl" }, "authentication-failed", /asks for SASL/, /set log\.kafka\.sasl/);
  });

  test("is not asked of a listener without", async () => {
    const connection: Connection = { at: "plain", sasl: account("plain") };
    await expectRefused(connection, "authentication-failed", /./, /leave log\.kafka\.sasl out/);
  });
});
