import { setTimeout as sleep } from "node:timers/promises";
import { eventually, type LockstepProcess } from "@lockstep/testkit";
import type { Load } from "../faults/round.ts";
import { ShopLink, type Answer } from "./shop-link.ts";

/** The table of a client's own rows, one each. */
export const ITEMS = { name: "items", definition: "create table items (id int primary key, v int not null)" };

/** After a fault each client must have written and read so often again. */
const AGAIN = 2;
const GOES_ON_MS = 120_000;
const AWAY_MS = 50;

interface ReadingOptions {
  readonly clients: number;
  /** How many pairs must at least have been done in each round. */
  readonly pairsPerRound: number;
  /** Where a shop may be open now. */
  readonly runs: () => readonly LockstepProcess[];
}

/**
 * Clients of a shop, each of which writes its row and reads it at once, with the write's token and without, again and
 * again. The token is kept: whichever shop is open, however often it died since, it is good for the read.
 */
export class ReadingClients implements Load {
  /** What was read with a token and was not what had been written, or was refused. */
  readonly wrong: string[] = [];
  staleWithoutToken = 0;
  /** How often a question had to be asked again, by what stood against it. */
  readonly askedAgain = new Map<string, number>();
  readonly #options: ReadingOptions;
  /** Of each client: the last value that it read. */
  readonly #values: number[];
  #begunAt = 0;

  constructor(options: ReadingOptions) {
    this.#options = options;
    this.#values = Array.from({ length: options.clients }, () => 0);
  }

  get pairs(): number {
    return this.#values.reduce((sum, value) => sum + value, 0);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#begunAt = this.pairs;
    await Promise.all(this.#values.map(async (_, id) => await this.#client(id, signal)));
  }

  async progressed(): Promise<void> {
    const before = [...this.#values];
    const look = async (): Promise<void> => {
      const late = this.#values.filter((value, id) => value < (before[id] ?? 0) + AGAIN).length;
      if (late > 0) throw new Error(`${late} clients stand still`);
      if (this.pairs < this.#begunAt + this.#options.pairsPerRound) throw new Error("too few pairs");
      await Promise.resolve();
    };
    await eventually("clients go on", look, { timeoutMs: GOES_ON_MS });
  }

  async #client(id: number, signal: AbortSignal): Promise<void> {
    await using asking = new Asking(this.#options.runs, id, this.askedAgain);
    while (!signal.aborted) {
      const v = (this.#values[id] ?? 0) + 1;
      const written = await asking.ask({ id, v }, signal);
      if (written?.token === undefined) return;
      const read = await asking.ask({ id, after: written.token }, signal);
      if (read === null) return;
      if (read.fresh !== v) this.wrong.push(`client ${id} wrote ${v} and read ${JSON.stringify(read)}`);
      if (read.any !== v) this.staleWithoutToken += 1;
      this.#values[id] = v;
    }
  }
}

/** One client's questions, asked of whichever shop answers. */
class Asking implements AsyncDisposable {
  readonly #runs: () => readonly LockstepProcess[];
  readonly #askedAgain: Map<string, number>;
  #link: ShopLink | null = null;
  /** So that several open shops have clients each. */
  #turn: number;

  constructor(runs: () => readonly LockstepProcess[], id: number, askedAgain: Map<string, number>) {
    this.#runs = runs;
    this.#turn = id;
    this.#askedAgain = askedAgain;
  }

  /** Until it is answered, or null when the signal ends that. What is lost for good is an answer. */
  async ask(question: object, signal: AbortSignal): Promise<Answer | null> {
    while (!signal.aborted) {
      const reason = await this.#attempt(question);
      if (typeof reason !== "string") return reason;
      this.#askedAgain.set(reason, (this.#askedAgain.get(reason) ?? 0) + 1);
      await sleep(AWAY_MS);
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link?.close();
    await Promise.resolve();
  }

  /** The answer, or why there is none yet. */
  async #attempt(question: object): Promise<Answer | string> {
    try {
      this.#link ??= await this.#connect();
      const answer = await this.#link.ask(question);
      if (answer.error === undefined || isFinal(answer.error)) return answer;
      if (answer.error === "no-readable-replica" || answer.error === "not-running") this.#leave();
      return answer.error;
    } catch {
      this.#leave();
      return "shop away";
    }
  }

  async #connect(): Promise<ShopLink> {
    const ports = this.#runs().flatMap((run) => portOf(run) ?? []);
    const port = ports[this.#turn % ports.length];
    if (port === undefined) throw new Error("no shop is open");
    return await ShopLink.connect(port);
  }

  /** Another one may know more. */
  #leave(): void {
    this.#link?.close();
    this.#link = null;
    this.#turn += 1;
  }
}

/** Never to be seen, as nothing that was committed is lost and every epoch is the pipeline's own. */
function isFinal(code: string): boolean {
  return code === "write-lost" || code === "token-invalid";
}

const PORTS = new WeakMap<LockstepProcess, number>();

/** Where its shop is; null before it is open. */
function portOf(run: LockstepProcess): number | null {
  const known = PORTS.get(run);
  if (known !== undefined) return known;
  const opened = run.log.find(({ msg }) => msg === "the shop is open");
  const [, port] = /"port":(\d+)/.exec(opened?.text ?? "") ?? [];
  if (port === undefined) return null;
  PORTS.set(run, Number(port));
  return Number(port);
}
