import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { ReplicationError } from "./replication-error.ts";

/** A text in PEM, and where it comes from, for messages. */
export interface Pem {
  /** E.g. `sslrootcert=/etc/ca.crt`. */
  readonly name: string;
  readonly text: string;
}

export interface PemFiles {
  readonly ca?: Pem | undefined;
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly passphrase?: string | undefined;
  readonly crl?: Pem | undefined;
  readonly minVersion?: SecureContextOptions["minVersion"];
  readonly maxVersion?: SecureContextOptions["maxVersion"];
}

/** Throws `config-invalid`, which names the file that does not do, never what is in it (S1). */
export function secureContextOf(files: PemFiles): SecureContext {
  const { ca, cert, key, passphrase, crl, minVersion, maxVersion } = files;
  if (ca !== undefined) requireCertificate(ca);
  if (cert !== undefined) requireCertificate(cert);
  if (key !== undefined) requireKey(key, passphrase);
  try {
    return createSecureContext({
      ca: ca?.text,
      cert: cert?.text,
      key: key?.text,
      passphrase,
      crl: crl?.text,
      minVersion,
      maxVersion,
    });
  } catch (error) {
    const names = [cert, key, crl].flatMap((pem) => (pem === undefined ? [] : [pem.name]));
    throw unusable(
      `${names.join(", ")} cannot be used together (${codeOf(error)})`,
      "name the certificate's own key",
    );
  }
}

function requireCertificate({ name, text }: Pem): void {
  try {
    new X509Certificate(text);
  } catch {
    throw unusable(`${name} holds no certificate`, "name a file in PEM format, with a certificate in it");
  }
}

function requireKey({ name, text }: Pem, passphrase: string | undefined): void {
  try {
    createPrivateKey({ key: text, passphrase });
  } catch (error) {
    const isEncrypted = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
    if (!isEncrypted) {
      throw unusable(
        `${name} holds no private key (${codeOf(error)})`,
        "name a file in PEM format, with a key in it",
      );
    }
    const what =
      passphrase === undefined ? "is encrypted, and no passphrase is given" : "cannot be decrypted";
    throw unusable(`${name} ${what}`, "give the passphrase of the key");
  }
}

function unusable(what: string, fix: string): ReplicationError {
  return new ReplicationError("config-invalid", what, { fix });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown format";
}
