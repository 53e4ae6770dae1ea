/** Text without the passwords of any URL in it. */
export function withoutSecrets(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@]*@/gi, "$1:[secret]@")
    .replace(/([?&](?:(?:ssl)?password|ssl-passphrase)=)[^\s&#]*/gi, "$1[secret]");
}
