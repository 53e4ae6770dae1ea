import { createInterface, type Interface } from "node:readline";
import { ReplicationError } from "@lockstep/core";

/** Asks a person, line by line; what was typed ahead is an answer, too. */
export class Questions implements Disposable {
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream) {
    this.#lines = createInterface({ input, output });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** Rejects with `config-invalid` when the person ends it (Ctrl-C, Ctrl-D). */
  async ask(question: string): Promise<string> {
    this.#lines.setPrompt(question);
    this.#lines.prompt();
    const { value, done } = await this.#answers.next();
    if (done !== true) return value.trim();
    throw new ReplicationError("config-invalid", "the questions were not answered, and nothing was written", {
      fix: "answer them, or give the options: lockstep init --help",
    });
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }
}
