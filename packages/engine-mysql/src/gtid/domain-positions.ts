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
    const parts = partsOf(text);
    const ids = idsOf(text);
    return ids.length < parts.length ? null : new DomainPositions(new Map(ids.map((id) => [id.domain, id])));
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

  without(domain: number): DomainPositions {
    return new DomainPositions(new Map([...this.#last].filter(([other]) => other !== domain)));
  }

  lastOf(domain: number): Last | null {
    return this.#last.get(domain) ?? null;
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

/** A transaction's id. */
export interface DomainId extends Last {
  readonly domain: number;
}

/** Every id of a list, which may name several of a domain; what is none is left out. */
export function idsOf(text: string): DomainId[] {
  return partsOf(text).flatMap((part) => {
    const [, domain, server, sequence] = ID.exec(part) ?? [];
    if (domain === undefined || server === undefined || sequence === undefined) return [];
    return [{ domain: Number(domain), server: Number(server), sequence: BigInt(sequence) }];
  });
}

function partsOf(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

const ID = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/;
