import {
  decodeToken,
  encodeToken,
  includes,
  ReplicationError,
  tokenInvalid,
  type EpochRef,
  type Position,
  type Source,
} from "@lockstep/core";

export interface TokensOptions {
  /** The pipeline's name. */
  readonly pipeline: string;
  readonly epochs: { readEpoch(signal: AbortSignal): Promise<EpochRef | null> };
  readonly positions: Pick<Source, "compare" | "isPosition">;
}

/** A pipeline's own read-your-writes tokens: made of positions, and taken for nobody else's. */
export class Tokens {
  readonly #options: TokensOptions;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** How to make tokens of positions. Rejects with `not-running` where nobody has begun the pipeline yet. */
  async maker(signal: AbortSignal): Promise<(position: Position) => string> {
    const { pipeline, epochs } = this.#options;
    const epoch = await epochs.readEpoch(signal);
    if (epoch === null) {
      throw new ReplicationError("not-running", `no run has begun pipeline ${pipeline} yet`, {
        fix: "wait until one publishes: lockstep status says so",
      });
    }
    return (position) => encodeToken({ pipeline, epochId: epoch.id, position });
  }

  /** Rejects with `token-invalid` for what is damaged, of another pipeline, or of a history that is none of its. */
  async read(token: string, signal: AbortSignal): Promise<TokenPosition> {
    const { pipeline, epochs, positions } = this.#options;
    if (typeof token !== "string") throw tokenInvalid("the token is no text");
    const said = decodeToken(token);
    if (said.pipeline !== pipeline) {
      throw tokenInvalid(
        `the token is of pipeline ${said.pipeline}, and this is ${pipeline}`,
        `use it with ${said.pipeline}, or read without it`,
      );
    }
    if (!positions.isPosition(said.position)) throw tokenInvalid("the token's position is none");
    const epoch = await epochs.readEpoch(signal);
    if (epoch?.id !== said.epochId) {
      throw tokenInvalid(
        `the token is of an epoch that pipeline ${pipeline} does not know`,
        "read without it: the pipeline was made anew since, or the token is of another one of this name",
      );
    }
    return { epoch, position: said.position };
  }

  /** Whether a replica that is so far has what a token says. */
  isReached(token: TokenPosition, reached: Position): boolean {
    return includes(this.#options.positions.compare, reached, token.position);
  }
}

export interface TokenPosition {
  readonly epoch: EpochRef;
  readonly position: Position;
}
