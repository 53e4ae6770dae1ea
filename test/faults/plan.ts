import { engineOf, type DatabaseEngine } from "@lockstep/testkit";
import type { Disturbance, Fault, LogKind } from "./fault.ts";
import { LINK_FAULTS } from "./link-faults.ts";
import { Random } from "./random.ts";
import { RUN_FAULTS } from "./run-faults.ts";
import { SERVER_FAULTS } from "./server-faults.ts";

/** Everything that goes wrong. */
const FAULTS: readonly Fault[] = [...RUN_FAULTS, ...SERVER_FAULTS, ...LINK_FAULTS];

/** In how many rounds two faults come at once, where they may. */
const TWO_AT_ONCE = 1 / 3;
const SEED = "LOCKSTEP_TEST_SEED";
const ROUNDS = "LOCKSTEP_TEST_ROUNDS";
const ENGINES = "LOCKSTEP_TEST_ENGINES";
const ALL_ENGINES: readonly DatabaseEngine[] = ["postgres", "mysql", "mariadb"];

const seed = Number(process.env[SEED] ?? Math.floor(Math.random() * 2 ** 31));

export interface Round {
  readonly faults: readonly Fault[];
  readonly random: Random;
}

interface Sample {
  /** What `npm test` may inject; default: what the fault says itself. */
  readonly isSampled?: (fault: Fault) => boolean;
  readonly most?: number;
}

/**
 * What is injected, in order: each sampled fault once, or so many of them, in an order of the seed; or, where
 * LOCKSTEP_TEST_ROUNDS asks for so many rounds, any fault, none again before all were there, and now and then a
 * second one with it. The seed is LOCKSTEP_TEST_SEED or a new one.
 */
export function planRounds(
  log: LogKind,
  { isSampled = ({ sampledOn }) => sampledOn.includes(log), most = Infinity }: Sample = {},
): readonly (readonly [name: string, round: Round])[] {
  const random = new Random(seed);
  const known = FAULTS.filter(({ logs }) => logs.includes(log));
  const rounds = process.env[ROUNDS];
  const chosen =
    rounds === undefined
      ? shuffled(
          known.filter(isSampled).map((fault): Fault[] => [fault]),
          random,
        ).slice(0, most)
      : chooseRounds(known, Number(rounds), random);
  process.stdout.write(`faults on the ${log} log: ${chosen.length} rounds, ${SEED}=${seed}\n`);
  return chosen.map((faults, index) => {
    const what = faults.map(({ name }) => name).join(" and ");
    return [`seed ${seed}, round ${index + 1}: ${what}`, { faults, random: random.part(index + 1) }];
  });
}

/** The primary's engine, then each replica's: as LOCKSTEP_TEST_ENGINES has them, or drawn from the seed. */
export function drawEngines(log: LogKind): readonly DatabaseEngine[] {
  const random = new Random(seed).part(log === "kafka" ? -1 : -2);
  const asked = process.env[ENGINES]?.split(",").map((name) => engineOf(`${name}://`));
  const engines = asked ?? [0, 1, 2].map(() => random.pick(ALL_ENGINES));
  process.stdout.write(
    `faults on the ${log} log: ${engines[0] ?? ""} into ${engines.slice(1).join(" and ")}\n`,
  );
  return engines;
}

function chooseRounds(known: readonly Fault[], rounds: number, random: Random): Fault[][] {
  const decks = Array.from({ length: Math.ceil(rounds / known.length) }, () => shuffled(known, random));
  return decks
    .flat()
    .slice(0, rounds)
    .map((first) => withAnother(first, known, random));
}

function withAnother(first: Fault, known: readonly Fault[], random: Random): Fault[] {
  if (random.next() >= TWO_AT_ONCE) return [first];
  const others = known.filter((fault) => fault.kind === "disturbance" && mayMeet(first, fault));
  return others.length === 0 ? [first] : [first, random.pick(others)];
}

function mayMeet(first: Fault, other: Disturbance): boolean {
  if (first.kind === "run") return first.mayBeDisturbed && other.isShort;
  return !other.breaks.some((part) => first.breaks.includes(part));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random.next() }))
    .sort((left, right) => left.key - right.key)
    .map(({ item }) => item);
}
