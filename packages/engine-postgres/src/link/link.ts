import { Socket, isIP } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { ReplicationError, tlsFailure, type TlsNames } from "@lockstep/core";
import type { Attempt } from "./attempts.ts";

/*
 * SSLRequest: int32 length (8), int32 code (80877103).
 * Answer: one byte, S (TLS begins) or N (no TLS; the connection goes on); nothing else may come with it.
 */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

const TIMEOUT_MS = 10_000;

export const TLS_NAMES: TlsNames = {
  rootCertificates: "sslrootcert in the url",
  ownCertificate: "sslcert and sslkey in the url",
};

export interface LinkTarget {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** `host:port/database`, for messages. */
  readonly place: string;
}

/**
 * A connection to a server, TLS included, before its first message; for `pg`, which is to call its `connect`. Closed
 * by the signal until it is there. Rejects with what Node says, with `tls-failed`, or with the signal's reason.
 */
export async function openLink(target: LinkTarget, attempt: Attempt, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = new Socket();
  socket.on("error", () => undefined); // Who waits for an event is told; nobody else need be.
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  const late = setTimeout(() => socket.destroy(new Error("timeout expired")), TIMEOUT_MS);
  try {
    return readyFor(await connectSocket(socket, target, attempt));
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", abort);
  }
}

async function connectSocket(socket: Socket, target: LinkTarget, attempt: Attempt): Promise<Socket> {
  const { host, port } = target;
  socket.setNoDelay(true);
  if (host.startsWith("/")) socket.connect(`${host}/.s.PGSQL.${port}`);
  else socket.connect(port, host);
  await nextEvent(socket, "connect");
  if (attempt.kind === "plain") return socket;
  if (attempt.isDirect || (await hasTls(socket, target))) return await secure(socket, target, attempt);
  if (attempt.orPlain) return socket;
  throw new ReplicationError(
    "tls-failed",
    `${target.place}: the server takes no TLS, and the url asks for it`,
    {
      fix: "set ssl = on there, with a certificate (ssl_cert_file, ssl_key_file), or sslmode=prefer in the url",
    },
  );
}

async function hasTls(socket: Socket, { place }: LinkTarget): Promise<boolean> {
  socket.write(SSL_REQUEST);
  const answer = await nextEvent(socket, "data");
  const text = Buffer.isBuffer(answer) ? answer.toString("latin1") : "";
  if (text === "S" || text === "N") return text === "S";
  if (text.startsWith("E")) {
    // Of a server that cannot fork, e.g.; anybody could have written it, so it is not shown.
    throw new ReplicationError("server-unavailable", `${place} answers a request for TLS with an error`, {
      fix: "look into the server's log; it is tried again until it works",
    });
  }
  // What came in the clear behind the answer could be anybody's.
  const code = text.charCodeAt(0).toString(16).padStart(2, "0");
  throw new ReplicationError(
    "protocol-violation",
    `${place} answers a request for TLS with something else: ${text.length} bytes, the first of them 0x${code}`,
    { fix: "make sure that a PostgreSQL server listens there" },
  );
}

async function secure(
  socket: Socket,
  { host, place }: LinkTarget,
  { options, isDirect }: Attempt & { readonly kind: "tls" },
): Promise<Socket> {
  const all: ConnectionOptions = {
    ...options,
    socket,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}), // RFC 6066: never an address.
    ...(isDirect ? { ALPNProtocols: ["postgresql"] } : {}),
  };
  const secured = connectTls(all);
  secured.on("error", () => undefined);
  try {
    await nextEvent(secured, "secureConnect");
    return secured;
  } catch (error) {
    secured.destroy();
    throw tlsFailure(error, place, TLS_NAMES) ?? error;
  }
}

/** Rejects when the socket fails or closes first. Leaves a socket that was read paused. */
async function nextEvent(socket: Socket, name: "connect" | "data" | "secureConnect"): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const end = (): void => {
      socket.off(name, occurred);
      socket.off("error", failed);
      socket.off("close", closed);
    };
    const occurred = (value: unknown): void => {
      if (name === "data") socket.pause();
      end();
      resolve(value);
    };
    const failed = (error: Error): void => {
      end();
      reject(error);
    };
    const closed = (): void => failed(new Error("Connection terminated unexpectedly"));
    socket.on(name, occurred);
    socket.on("error", failed);
    socket.on("close", closed);
  });
}

/** `pg` connects what it is given, listens, and begins when it hears that it is connected. */
function readyFor(socket: Socket): Socket {
  const connect = (): Socket => {
    process.nextTick(() => {
      if (socket.destroyed) {
        socket.emit("error", socket.errored ?? new Error("Connection terminated unexpectedly"));
        return;
      }
      socket.resume();
      socket.emit("connect");
    });
    return socket;
  };
  return Object.assign(socket, { connect });
}
