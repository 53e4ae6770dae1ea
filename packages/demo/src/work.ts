/** What the demo itself has done on the primary: transactions whose commit was answered, and the rows they changed. */
export class Work {
  #transactions = 0;
  #events = 0;

  get transactions(): number {
    return this.#transactions;
  }

  get events(): number {
    return this.#events;
  }

  /** Counts one transaction by what the server answered: one result, or one for each of its statements. */
  committed(answer: unknown): void {
    this.#transactions += 1;
    for (const result of Array.isArray(answer) ? answer : [answer]) this.#events += changedRows(result);
  }
}

function changedRows(result: unknown): number {
  if (typeof result !== "object" || result === null || !("command" in result && "rowCount" in result))
    return 0;
  const isChange = result.command === "INSERT" || result.command === "UPDATE" || result.command === "DELETE";
  return isChange && typeof result.rowCount === "number" ? result.rowCount : 0;
}
