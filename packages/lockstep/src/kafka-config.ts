import { z } from "zod";

/** `log.kafka`. */
export interface KafkaLogConfig {
  readonly brokers: readonly string[];
  readonly tls?: KafkaTlsConfig | undefined;
  /** With credentials: never to be shown. */
  readonly sasl?: KafkaSaslConfig | undefined;
}

export interface KafkaTlsConfig {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly serverName?: string | undefined;
  readonly rejectUnauthorized: boolean;
}

interface KafkaSaslConfig {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

const pem = z.string().min(1).describe("a file in PEM format, relative to this file; or such a text itself");

const kafkaTls = z
  .strictObject({
    ca: pem
      .optional()
      .describe("authorities that may have signed the brokers' certificates; default: public ones"),
    cert: pem.optional().describe("our certificate"),
    key: pem.optional().describe("its key"),
    passphrase: z.string().min(1).optional().describe("of the key"),
    serverName: z
      .string()
      .min(1)
      .optional()
      .describe("the name in the brokers' certificates, if it is another"),
    rejectUnauthorized: z.boolean().default(true).describe("false: brokers' certificates are not checked"),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    message: "cert and key go together: name both, or none",
  })
  .refine(({ key, passphrase }) => key !== undefined || passphrase === undefined, {
    message: "passphrase is a key's: name cert and key",
  });

const kafkaSasl = z.strictObject({
  mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]).describe("how the password is proved"),
  username: z.string().min(1).describe("of the broker's account"),
  password: z.string().min(1).describe("by ${NAME} or ${file:path}, rather than as it is"),
});

export const kafkaLog: z.ZodType<KafkaLogConfig> = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^[^\s:]+:\d{1,5}$/, "must be host:port"))
      .min(1)
      .describe("host:port of one or more brokers"),
    tls: kafkaTls.optional().describe("the listener speaks TLS; {} trusts public authorities"),
    sasl: kafkaSasl.optional().describe("the listener asks for SASL"),
  })
  .describe("a topic of a Kafka cluster");
