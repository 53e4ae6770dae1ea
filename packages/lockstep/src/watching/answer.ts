/** What is answered to a request. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** The methods that would be taken. */
  readonly allow?: string;
}

export function json(status: number, value: unknown): Answer {
  return {
    status,
    contentType: "application/json; charset=utf-8",
    body: `${JSON.stringify(value, null, 2)}\n`,
  };
}
