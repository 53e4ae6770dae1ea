import { styleText } from "node:util";

export type Paint = "bold" | "dim" | "green" | "red" | "yellow";

/** What the demo says: lines that stay, and below them, on a terminal, lines that are drawn over. */
export class Screen {
  readonly isTerminal: boolean;
  readonly #stream: NodeJS.WriteStream;
  #drawn = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY;
  }

  say(line = ""): void {
    this.#stream.write(`${this.#erase()}${line}\n`);
    this.#drawn = 0;
  }

  /** Lines of plain text, cut to the terminal's width: a broken line could not be drawn over. */
  draw(lines: readonly string[]): void {
    if (!this.isTerminal) return;
    const text = lines.map((line) => `${line.slice(0, this.#stream.columns - 1)}\n`).join("");
    this.#stream.write(`${this.#erase()}${text}`);
    this.#drawn = lines.length;
  }

  paint(paint: Paint, text: string): string {
    return this.isTerminal && this.#stream.hasColors() ? styleText(paint, text) : text;
  }

  #erase(): string {
    return this.#drawn === 0 ? "" : `\u001B[${this.#drawn}F\u001B[0J`;
  }
}
