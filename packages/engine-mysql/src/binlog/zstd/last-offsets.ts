/** Above these, an offset is coded as itself; they are one of the last three. */
const REPEATED = 3;

/** The last three offsets of a frame, the newest first (RFC 8878, 3.1.1.5). */
export class LastOffsets {
  #first = 1;
  #second = 4;
  #third = 8;

  /** The offset that a sequence codes so; 0 if it is none. */
  next(coded: number, literalLength: number): number {
    if (coded > REPEATED) return this.#push(coded - REPEATED);
    const which = literalLength === 0 ? coded + 1 : coded;
    if (which === 1) return this.#first;
    if (which === 3) return this.#push(this.#third);
    if (which > 3) return this.#push(this.#first - 1);
    const offset = this.#second;
    this.#second = this.#first;
    this.#first = offset;
    return offset;
  }

  #push(offset: number): number {
    this.#third = this.#second;
    this.#second = this.#first;
    this.#first = offset;
    return offset;
  }
}
