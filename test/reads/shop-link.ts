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
  readonly #lines: ReturnType<typeof createInterface>;

  static async connect(port: number): Promise<ShopLink> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_MS) });
    return new ShopLink(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket });
    for (const end of [socket, this.#lines]) end.on("error", () => undefined); // The next question finds it closed.
  }

  /** Rejects when the link is lost or no answer comes; then it is of no use any more. */
  async ask(question: object): Promise<Answer> {
    return await new Promise<Answer>((resolve, reject) => {
      const lost = (): void => {
        clearTimeout(timer);
        this.#lines.off("line", answered);
        reject(new Error("no answer"));
      };
      const answered = (line: string): void => {
        clearTimeout(timer);
        this.#socket.off("close", lost);
        const answer: Answer = JSON.parse(line);
        resolve(answer);
      };
      const timer = setTimeout(() => this.#socket.destroy(), ANSWER_MS);
      this.#lines.once("line", answered);
      this.#socket.once("close", lost);
      if (this.#socket.destroyed) lost();
      else this.#socket.write(`${JSON.stringify(question)}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
