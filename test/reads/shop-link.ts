import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** Longer than the shop lets a read wait; a process that was stopped in its tracks never answers. */
const ANSWER_MS = 10_000;

/** What a shop answers: see shop.mjs. */
export interface Answer {
  readonly token?: string;
  readonly fresh?: number | null;
  readonly any?: number | null;
  readonly error?: string;
}

/** A client's connection to a shop: one question at a time. */
export class ShopLink {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  static async connect(port: number): Promise<ShopLink> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_MS) });
    return new ShopLink(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => undefined); // The next question finds it closed.
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** Rejects when the link is lost or no answer comes; then it is of no use any more. */
  async ask(question: object): Promise<Answer> {
    const timer = setTimeout(() => this.#socket.destroy(), ANSWER_MS);
    try {
      this.#socket.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error("no answer");
      const answer: Answer = JSON.parse(value);
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
