import { expect, test } from "vitest";
import { takeTlsSettings } from "./tls-settings.ts";

const settingsOf = (query: string, environment: NodeJS.ProcessEnv = {}): unknown =>
  takeTlsSettings(new URLSearchParams(query), environment, "h:5432/d");

test.each([
  ["", "prefer"],
  ["sslmode=", "prefer"],
  ["sslmode=verify-ca", "verify-ca"],
  ["ssl=true", "require"],
  ["sslrootcert=system", "verify-full"],
  ["sslsni=1&sslcertmode=allow&gssencmode=prefer&channel_binding=prefer", "prefer"],
  ["sslcompression=0&application_name=x", "prefer"],
])("%s: %s", (query, mode) => {
  expect(settingsOf(query)).toMatchObject({ mode });
});

test("the environment speaks where the url does not", () => {
  const environment = { PGSSLMODE: "require", PGSSLROOTCERT: "a.crt", PGSSLMINPROTOCOLVERSION: "TLSv1.3" };
  const expected = { mode: "require", rootCert: "b.crt", minVersion: "TLSv1.3" };
  expect(settingsOf("sslrootcert=b.crt", environment)).toMatchObject(expected);
  expect(() => settingsOf("", { PGSSLMODE: "no" })).toThrow("PGSSLMODE=no is not known");
});

test.each([
  [
    "sslmode=yes",
    "sslmode=yes is not known",
    "use one of disable, allow, prefer, require, verify-ca, verify-full",
  ],
  ["sslmode=no-verify", "sslmode=no-verify is not known", "use sslmode=require"],
  ["sslmode=require&sslrootcert=system", "sslmode=require is too weak for sslrootcert=system", "verify-full"],
  [
    "sslnegotiation=direct",
    "sslmode=prefer is too weak for sslnegotiation=direct",
    "sslmode=require or stronger",
  ],
  ["ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version=SSLv3 is not known", "TLSv1.2"],
  ["sslcrldir=/crls", "sslcrldir is not supported", "leave it out"],
  ["sslcertmode=require", "sslcertmode is not supported", "leave it out"],
  ["channel_binding=require", "channel_binding is not supported", "leave it out"],
  ["gssencmode=require", "gssencmode is not supported", "leave it out"],
  ["sslca=ca.crt", "sslca is not a parameter", "correct its name"],
])("%s is refused by name", (query, message, fix) => {
  expect(() => settingsOf(query)).toThrow(
    expect.objectContaining({
      code: "config-invalid",
      message: expect.stringContaining(`the url of h:5432/d: ${message}`) as unknown,
      fix: expect.stringContaining(fix) as unknown,
    }),
  );
});

test("what libpq knows of TLS is taken out of the url, for pg would read it otherwise", () => {
  const parameters = new URLSearchParams("sslmode=require&sslkey=k&sslpassword=p&options=-c%20x%3D1");
  takeTlsSettings(parameters, {}, "h");
  expect(parameters.toString()).toBe("options=-c+x%3D1");
});
