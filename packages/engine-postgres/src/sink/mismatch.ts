/** What differs between a table of the primary and the replica's, and what to do about it. */
export class Mismatch extends Error {
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(what);
    this.name = "Mismatch";
    this.fix = fix;
  }
}
