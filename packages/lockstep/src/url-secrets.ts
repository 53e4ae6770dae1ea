/** Where a reference to a secret stands in a url: as user or password, or as the value of such a parameter. */
export function isInCredentials(text: string, index: number): boolean {
  // What a reference is called is no part of the url.
  const url = text.replace(/\$\{[^}]*\}/g, (reference) => "x".repeat(reference.length));
  const [authority = ""] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(url) ?? [];
  if (authority === "") return false;
  return (
    index < authority.lastIndexOf("@") ||
    /[?&](?:user|(?:ssl)?password|ssl-passphrase)=[^&#]*$/i.test(url.slice(0, index))
  );
}

const ENCODED = /%[0-9a-f]{2}/i;
/** What an encoded text never holds. */
const RAW = /[@/?#]|%(?![0-9a-f]{2})/i;

/** Percent-encodes a secret for a url; one that is encoded already stays as it is. */
export function encodedSecret(secret: string): string {
  return ENCODED.test(secret) && !RAW.test(secret) ? secret : encodeURIComponent(secret);
}
