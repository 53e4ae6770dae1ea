/** Cuts a pause short; rung before one, it ends the next at once. */
export class Bell {
  #isRung = false;
  #end: (() => void) | null = null;

  ring(): void {
    this.#isRung = true;
    this.#end?.();
  }

  /** Resolves after so long, or when rung. One at a time. */
  async pause(ms: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#end = null;
    this.#isRung = false;
  }
}
