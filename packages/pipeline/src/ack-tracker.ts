import { includes, type ComparePositions, type Position } from "@lockstep/core";
import { neededOf, type QuorumRule } from "./quorum-rule.ts";

export interface AckTrackerOptions {
  /** Those that no operator has disabled. */
  readonly replicas: readonly string[];
  readonly rule: QuorumRule;
  readonly compare: ComparePositions;
}

/** What a replica is to the quorum; its ack means everything through `acked`, null: not read yet in this term. */
type Member = { readonly kind: "counts"; readonly acked: Position | null } | { readonly kind: "copying" };

const UNREAD: Member = { kind: "counts", acked: null };

/** How far the log and the quorum are. Pure bookkeeping; SPEC.md has the rules. */
export class AckTracker {
  readonly #rule: QuorumRule;
  readonly #compare: ComparePositions;
  readonly #members = new Map<string, Member>();
  #epoch: string | null = null;
  #durable: Position | null = null;
  #position: Position | null = null;

  constructor({ replicas, rule, compare }: AckTrackerOptions) {
    this.#rule = rule;
    this.#compare = compare;
    for (const replica of replicas) this.join(replica);
  }

  /** A term begins: no replica has been read yet. Another reign's positions mean nothing here. */
  begin(epoch: string): void {
    for (const replica of this.#members.keys()) this.#members.set(replica, UNREAD);
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#durable = null;
    this.#position = null;
  }

  /** Everything through here is in the log; null: that has to be proved anew. */
  appended(position: Position | null): void {
    this.#durable = position;
    this.#tell();
  }

  /** It may lie lower than the ack before: its row was read again and is lower. */
  ack(replica: string, epoch: string, position: Position): void {
    if (epoch !== this.#epoch || !this.#members.has(replica)) return;
    this.#members.set(replica, { kind: "counts", acked: position });
    this.#tell();
  }

  /** It was read to show no whole transactions yet. */
  copying(replica: string): void {
    if (!this.#members.has(replica)) return;
    this.#members.set(replica, { kind: "copying" });
    this.#tell();
  }

  /** It counts from now on, with nothing acked. */
  join(replica: string): void {
    if (!this.#members.has(replica)) this.#members.set(replica, UNREAD);
  }

  /** An operator has disabled it. */
  leave(replica: string): void {
    if (this.#members.delete(replica)) this.#tell();
  }

  /** How many replicas must have a transaction. */
  get needed(): number {
    return neededOf(this.#rule, this.of);
  }

  /** How many count. */
  get of(): number {
    return [...this.#members.values()].filter(({ kind }) => kind === "counts").length;
  }

  /** How many there could be. */
  get enabled(): number {
    return this.#members.size;
  }

  /** As last proved in the log; null while it is not. */
  get durable(): Position | null {
    return this.#durable;
  }

  /** What the quorum has. Within a reign it never moves back, whoever joins or leaves; null before it has anything. */
  get position(): Position | null {
    return this.#position;
  }

  /** How many replicas have everything through a position. */
  count(position: Position): number {
    return this.#acks.filter((acked) => includes(this.#compare, acked, position)).length;
  }

  /** What so many replicas have now; with none needed, what is durable. */
  reachedBy(needed: number): Position | null {
    if (needed === 0) return this.#durable;
    const latestFirst = this.#acks.toSorted((left, right) => (includes(this.#compare, right, left) ? 1 : -1));
    return latestFirst[needed - 1] ?? null;
  }

  get #acks(): Position[] {
    return [...this.#members.values()].flatMap((member) =>
      member.kind === "counts" && member.acked !== null ? [member.acked] : [],
    );
  }

  #tell(): void {
    const reached = this.reachedBy(this.needed);
    if (reached === null || this.#durable === null) return;
    const told = includes(this.#compare, this.#durable, reached) ? reached : this.#durable; // P1
    if (this.#position === null || !includes(this.#compare, this.#position, told)) this.#position = told;
  }
}
