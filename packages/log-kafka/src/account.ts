import { offset, type LogBounds, type Offset } from "@lockstep/core";
import { bytesOfRecordUpTo, type Message } from "./fragments.ts";

/*
 * Kafka says how large a topic's files are, and files are only deleted whole: long after records in them were. So
 * each message says for itself how many bytes the topic took before its record. What has no such word is older than
 * the account, and counts nothing.
 */
const ACCOUNT_HEADER = "before";
/** What a message takes beside its value and headers, about. */
const OVERHEAD_BYTES = 100;

export function costOf({ headers, value }: Message): number {
  let bytes = value.length + OVERHEAD_BYTES;
  for (const [name, text] of Object.entries(headers)) {
    if (name !== ACCOUNT_HEADER) bytes += name.length + text.length;
  }
  return bytes;
}

/** How many bytes the topic took before the message's record. */
function bytesBefore({ headers }: Message): number {
  return Number(headers[ACCOUNT_HEADER] ?? 0);
}

export function withAccount(message: Message, before: number): Message {
  return { ...message, headers: { ...message.headers, [ACCOUNT_HEADER]: String(before) } };
}

/** As it was appended: what we note in it is nobody else's affair. */
export function withoutAccount<T extends Message>(message: T): T {
  const { [ACCOUNT_HEADER]: _, ...headers } = message.headers;
  return { ...message, headers };
}

export interface Account {
  readonly bounds: LogBounds;
  /** The first message at or behind an offset; null at the end. */
  readonly at: (from: Offset) => Promise<(Message & { readonly offset: Offset }) | null>;
}

/** How many bytes the topic took until now. */
export async function bytesUntilNow({ bounds, at }: Account): Promise<number> {
  const last = bounds.next > bounds.first ? await at(offset(bounds.next - 1n)) : null;
  return last === null ? 0 : bytesBefore(last) + bytesOfRecordUpTo(last) + costOf(last);
}

/** Where the last records begin that take no more than so many bytes together; never within one. */
export async function offsetOfLast(account: Account, bytes: number): Promise<Offset> {
  const { first, next } = account.bounds;
  const surplus = (await bytesUntilNow(account)) - bytes;
  const isKept = async (from: bigint): Promise<boolean> => {
    const message = await account.at(offset(from));
    return message === null || bytesBefore(message) >= surplus;
  };
  if (surplus <= 0 || next === first || (await isKept(first))) return first;
  let [low, high] = [first as bigint, next as bigint]; // Not kept, kept.
  while (low + 1n < high) {
    const middle = (low + high) / 2n;
    if (await isKept(middle)) high = middle;
    else low = middle;
  }
  return offset(high);
}
