import { ReplicationError } from "./replication-error.ts";

/** What the keys are called with which a user says whom to trust and who we are, for messages. */
export interface TlsNames {
  readonly rootCertificates: string;
  readonly ownCertificate: string;
}

const EXPIRED: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
};
const UNKNOWN_AUTHORITY =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*(?:CERT|SIGNATURE).*)$/;
const REVOCATION = /CRL|^CERT_REVOKED$/;
/** What the other side said of our certificate, or of having none. */
const ABOUT_OURS =
  /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|(?:UNSUPPORTED_)?CERTIFICATE|DECRYPT_ERROR|ACCESS_DENIED)/;
const OTHER_REFUSAL = /^(?:ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|INVALID_CA$|INVALID_PURPOSE$|HOSTNAME_MISMATCH$)/;

/** Sorts what Node says of TLS, by its codes, wherever it stands among the causes; null for anything else. */
export function tlsFailure(error: unknown, place: string, names: TlsNames): ReplicationError | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    const found = describe(code, cause, names);
    if (found !== null) {
      return new ReplicationError("tls-failed", `${place}: ${found.what}`, { cause: error, fix: found.fix });
    }
  }
  return null;
}

function describe(code: string, error: Error, names: TlsNames): { what: string; fix: string } | null {
  const expired = EXPIRED[code];
  if (expired !== undefined) {
    return { what: expired, fix: "renew the server's certificate, or set the clocks right" };
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const reason = "reason" in error ? String(error.reason) : error.message;
    return {
      what: `its certificate is for another name: ${reason}`,
      fix: "connect by a name that the certificate is for, or issue one for this name",
    };
  }
  if (UNKNOWN_AUTHORITY.test(code)) {
    return {
      what: `its certificate is signed by nobody we trust (${code})`,
      fix: `give the certificate of the authority that signed it as ${names.rootCertificates}`,
    };
  }
  if (REVOCATION.test(code)) {
    return {
      what: `its certificate is revoked, or the revocation list does not do (${code})`,
      fix: "renew the server's certificate, or the revocation list",
    };
  }
  if (ABOUT_OURS.test(code)) {
    return {
      what: `it does not accept our certificate, or that we have none (${code})`,
      fix: `give a certificate that it trusts, and its key, as ${names.ownCertificate}`,
    };
  }
  if (!OTHER_REFUSAL.test(code)) return null;
  return {
    what: `TLS cannot be agreed on (${code})`,
    fix: `make sure that it speaks TLS there, in a version that both sides have; if it wants a certificate of ours, give ${names.ownCertificate}`,
  };
}
