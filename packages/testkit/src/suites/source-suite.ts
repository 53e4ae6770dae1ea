import { describe } from "vitest";
import { goingOnSuite } from "./source/going-on.ts";
import { readingSuite } from "./source/reading.ts";
import type { SourcePlace } from "./source/source-place.ts";

/** What every engine's source must do. */
export function sourceSuite(name: string, place: SourcePlace): void {
  describe(`${name} as a primary`, () => {
    readingSuite(place);
    goingOnSuite(place);
  });
}
