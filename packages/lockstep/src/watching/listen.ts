/** Where the status is served when nothing else is said. */
export const DEFAULT_LISTEN = "127.0.0.1:8642";

export interface ListenAddress {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** `host:port`, an IPv6 address in brackets; null for anything else. */
export function parseListen(text: string): ListenAddress | null {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port > 65_535 ? null : { host, port };
}

/** As `parseListen` takes it. */
export function listenText({ host, port }: ListenAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Where a client on this machine finds it. */
export function urlOf({ host, port }: ListenAddress): string {
  const reached = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${listenText({ host: reached, port })}`;
}
