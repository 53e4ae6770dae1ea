/** What of a terminal is needed. */
export interface Terminal {
  readonly columns: number;
  write(text: string): unknown;
}

/** The last lines of a terminal: what is logged goes above them. */
export class BottomLines {
  readonly #terminal: Terminal;
  #lines: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get columns(): number {
    return this.#terminal.columns;
  }

  /** Writes whole lines above. */
  write(text: string): void {
    this.#terminal.write(`${this.#erase()}${text}${this.#text()}`);
  }

  show(lines: readonly string[]): void {
    if (lines.length === 0 && this.#lines.length === 0) return;
    const erase = this.#erase();
    this.#lines = lines;
    this.#terminal.write(`${erase}${this.#text()}`);
  }

  #text(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  /** To the beginning of the first of them, and clear to the end of the screen. */
  #erase(): string {
    return this.#lines.length === 0 ? "" : `\u001B[${this.#lines.length}F\u001B[0J`;
  }
}
