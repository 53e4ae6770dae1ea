/**
 * How far MariaDB's log has come: of each domain the last id, `domain-server-sequence`. Along one domain sequences
 * rise.
 *
 *     0-1-100,1-2-50
 */
export class DomainPositions {
  readonly #last: ReadonlyMap<number, Last>;
  #text: string | null = null;

  constructor(last: ReadonlyMap<number, Last> = new Map()) {
    this.#last = last;
  }

  /** Null where the text is none. An empty text is the beginning. */
  static parse(text: string): DomainPositions | null {
    const last = new Map<number, Last>();
    for (const part of text.split(",")) {
      if (part.trim() === "") continue;
      const [, domain, server, sequence] = ID.exec(part.trim()) ?? [];
      if (domain === undefined || server === undefined || sequence === undefined) return null;
      last.set(Number(domain), { server: Number(server), sequence: BigInt(sequence) });
    }
    return new DomainPositions(last);
  }

  /** Another server's id at the same place of a domain is another history. */
  contains(other: DomainPositions): boolean {
    for (const [domain, { server, sequence }] of other.#last) {
      const own = this.#last.get(domain);
      if (own === undefined || own.sequence < sequence) return false;
      if (own.sequence === sequence && own.server !== server) return false;
    }
    return true;
  }

  /** As `contains`, for one id. */
  has(domain: number, server: number, sequence: bigint): boolean {
    const own = this.#last.get(domain);
    return (
      own !== undefined && (own.sequence > sequence || (own.sequence === sequence && own.server === server))
    );
  }

  with(domain: number, server: number, sequence: bigint): DomainPositions {
    return new DomainPositions(new Map(this.#last).set(domain, { server, sequence }));
  }

  toString(): string {
    this.#text ??= [...this.#last]
      .sort(([left], [right]) => left - right)
      .map(([domain, { server, sequence }]) => `${domain}-${server}-${sequence}`)
      .join(",");
    return this.#text;
  }
}

interface Last {
  readonly server: number;
  readonly sequence: bigint;
}

const ID = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/;
