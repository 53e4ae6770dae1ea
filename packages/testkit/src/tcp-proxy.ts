import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface TcpProxyOptions {
  readonly targetPort: number;
  readonly listenPort?: number;
}

/** A link that can be broken: connections go through to the target until told otherwise. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** The client's ends of connections that carry nothing any more. */
  readonly #forgotten = new Set<Socket>();
  #isRefusing = false;
  #isBlackHole = false;
  #delayMs = 0;

  static async start({ targetPort, listenPort = 0 }: TcpProxyOptions): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(listenPort, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    return new TcpProxy(server, address.port, targetPort);
  }

  private constructor(server: Server, port: number, targetPort: number) {
    this.port = port;
    this.#server = server;
    this.#targetPort = targetPort;
    server.on("connection", (client) => this.#connect(client));
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Ends every connection, as a router that restarts does. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Cuts, and lets nobody in until `accept`. */
  refuse(): void {
    this.#isRefusing = true;
    this.cut();
  }

  accept(): void {
    this.#isRefusing = false;
  }

  /** Everything arrives so much later, in order. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Swallows both directions and closes nothing, as a firewall that forgot does. */
  blackHole(): void {
    this.#isBlackHole = true;
  }

  /** The same for the connections that there are; new ones go through, as behind a router that restarted. */
  forget(): void {
    for (const [client] of this.#pairs) this.#forgotten.add(client);
  }

  /** Undoes everything. What was swallowed is lost, so connections that lost something are cut. */
  heal(): void {
    this.#isRefusing = false;
    this.#delayMs = 0;
    if (this.#isBlackHole || this.#forgotten.size > 0) this.cut();
    this.#isBlackHole = false;
    this.#forgotten.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    this.#server.close();
    await once(this.#server, "close");
  }

  #connect(client: Socket): void {
    client.on("error", () => undefined);
    if (this.#isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ host: "127.0.0.1", port: this.#targetPort, allowHalfOpen: true });
    target.on("error", () => undefined);
    const pair = [client, target] as const;
    this.#pairs.add(pair);
    const isOpen = (): boolean => !this.#isBlackHole && !this.#forgotten.has(client);
    this.#carry(client, target, isOpen);
    this.#carry(target, client, isOpen);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("close", () => {
        this.#pairs.delete(pair);
        this.#forgotten.delete(client);
        for (const other of pair) other.destroy();
      });
    }
  }

  /** One direction. What is delayed keeps its order, the end included, also when the delay changes. */
  #carry(from: Socket, to: Socket, isOpen: () => boolean): void {
    let queue: Promise<void> | null = null;
    const inTurn = (act: () => void): void => {
      if (this.#delayMs === 0 && queue === null) return act();
      const dueMs = performance.now() + this.#delayMs;
      const turn = (queue ?? Promise.resolve())
        .then(async () => await sleep(Math.max(0, dueMs - performance.now())))
        .then(act)
        .then(() => {
          if (queue === turn) queue = null;
        });
      queue = turn;
    };
    const write = (chunk: Buffer): void => {
      if (to.destroyed || !isOpen() || to.write(chunk)) return;
      from.pause();
      to.once("drain", () => from.resume());
    };
    from.on("data", (chunk: Buffer) => inTurn(() => write(chunk)));
    from.on("end", () => {
      inTurn(() => {
        if (isOpen() && !to.destroyed) to.end();
      });
    });
  }
}
