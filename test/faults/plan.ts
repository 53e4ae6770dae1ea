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

export interface Round {
  readonly faults: readonly Fault[];
  readonly random: Random;
}

/**
 * What is injected, in order: each sampled fault once, in an order of the seed; or, where LOCKSTEP_TEST_ROUNDS
 * asks for so many rounds, any fault, and now and then two. The seed is LOCKSTEP_TEST_SEED or a new one.
 */
export function planRounds(log: LogKind): readonly (readonly [name: string, round: Round])[] {
  const seed = Number(process.env[SEED] ?? Math.floor(Math.random() * 2 ** 31));
  const random = new Random(seed);
  const known = FAULTS.filter(({ logs }) => logs.includes(log));
  const rounds = process.env[ROUNDS];
  const chosen =
    rounds === undefined
      ? shuffled(
          known.filter(({ sampledOn }) => sampledOn.includes(log)).map((fault): Fault[] => [fault]),
          random,
        )
      : Array.from({ length: Number(rounds) }, () => chooseFaults(known, random));
  process.stdout.write(`faults on the ${log} log: ${chosen.length} rounds, ${SEED}=${seed}\n`);
  return chosen.map((faults, index) => {
    const what = faults.map(({ name }) => name).join(" and ");
    return [`seed ${seed}, round ${index + 1}: ${what}`, { faults, random: random.part(index + 1) }];
  });
}

function chooseFaults(known: readonly Fault[], random: Random): Fault[] {
  const first = random.pick(known);
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
