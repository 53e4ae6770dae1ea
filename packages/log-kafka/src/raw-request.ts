import protocolErrors from "kafkajs/src/protocol/error.js";
import { ReplicationError } from "@lockstep/core";

/*
 * Requests that we encode ourselves, on connections that kafkajs makes, authenticates, watches and times out. Its own
 * way from a request to its bytes takes three times as much of a processor as everything else of an append together.
 */

/** What is used of kafkajs's connections; held by kafkajs-internals.kafka.test.ts. */
export interface Connection {
  readonly clientId: string;
  readonly socket: { readonly destroyed: boolean; write(bytes: Buffer): unknown } | null;
  readonly requestQueue: RequestQueue;
  isConnected(): boolean;
  isAuthenticated(): boolean;
  /** Nothing to do without SASL. */
  authenticate(): Promise<void>;
  nextCorrelationId(): number;
}

interface RequestQueue {
  push(request: {
    readonly entry: RequestName & {
      readonly correlationId: number;
      readonly resolve: (answer: { readonly payload: Buffer }) => void;
      readonly reject: (error: unknown) => void;
    };
    readonly expectResponse: true;
    readonly requestTimeout: null;
    readonly sendRequest: () => void;
  }): void;
  maybeThrottle(ms: number): void;
}

interface RequestName {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
}

/** Sends one request and resolves with its answer, from behind the correlation id on. Rejects as kafkajs does. */
export async function exchange(
  connection: Connection,
  name: RequestName,
  encode: (header: { readonly correlationId: number; readonly clientId: string }) => Buffer,
): Promise<Buffer> {
  if (!connection.isAuthenticated()) await connection.authenticate();
  return await new Promise<Buffer>((resolve, reject) => {
    const correlationId = connection.nextCorrelationId();
    const bytes = encode({ correlationId, clientId: connection.clientId });
    connection.requestQueue.push({
      entry: { ...name, correlationId, resolve: ({ payload }) => resolve(payload), reject },
      expectResponse: true,
      requestTimeout: null,
      // A connection that is being given up takes requests, and never answers or ends them.
      sendRequest: () => {
        const { socket } = connection;
        if (socket === null || socket.destroyed || !connection.isConnected()) reject(notConnected());
        else socket.write(bytes);
      },
    });
  });
}

function notConnected(): Error {
  return new Error("the connection was given up");
}

/** What kafkajs throws for an error of the protocol. */
export function protocolError(errorCode: number): unknown {
  if (!hasErrorsByCode(protocolErrors))
    throw new ReplicationError("internal", "kafkajs has no createErrorFromCode", {
      fix: "install kafkajs 2.2.4 exactly",
    });
  return protocolErrors.createErrorFromCode(errorCode);
}

function hasErrorsByCode(module: unknown): module is { createErrorFromCode: (code: number) => unknown } {
  return typeof module === "object" && module !== null && "createErrorFromCode" in module;
}
