/** The log did not take a record, or not soon: what was applied meanwhile is undone, and the session goes on (P1). */
export class NotAppended extends Error {
  override readonly name = "NotAppended";
}
