/**
 * A point in one source's log, as the engine's own canonical text: an LSN (`0/16B3748`), a GTID set, a
 * cluster time with its resume token. Only the engine that wrote it can compare it.
 */
export type Position = string & { readonly [positionBrand]: true };

/** How `left` lies to `right`: `before` means left is the earlier one. */
export type PositionOrder = "before" | "same" | "after" | "unrelated";

/** An engine's order of its own positions: pure, total over what the engine wrote. */
export type ComparePositions = (left: Position, right: Position) => PositionOrder;

/** The one way to make a position out of text; the engine has already checked the text. */
export function position(text: string): Position {
  if (!isPosition(text)) throw new TypeError("a position is never empty");
  return text;
}

/** True when everything through `reached` includes `point`. */
export function includes(compare: ComparePositions, reached: Position, point: Position): boolean {
  const order = compare(point, reached);
  return order === "before" || order === "same";
}

function isPosition(text: string): text is Position {
  return text.length > 0;
}

declare const positionBrand: unique symbol;
