export const ACCOUNTS = 200;
export const CARDS = 1_000;

/** Of money that is only ever moved: whoever reads another total has seen half a transaction. */
export const OPENING_BALANCE = 1_000;
export const TOTAL: string = (ACCOUNTS * OPENING_BALANCE).toFixed(2);

/** About 6 MB of PostgreSQL's log: it travels in a dozen pieces. */
export const INTEREST_ROWS: number = ACCOUNTS * ACCOUNTS;

export function cardNumber(n: number): string {
  return `4000${String(n).padStart(12, "0")}`;
}
