import { describe } from "vitest";
import { applyingSuite } from "./sink/applying.ts";
import { differingSuite } from "./sink/differing.ts";
import { oneByOneSuite } from "./sink/one-by-one.ts";
import { owningSuite } from "./sink/owning.ts";
import type { SinkPlace } from "./sink/sink-place.ts";

/** What every engine's sink must do. */
export function sinkSuite(name: string, place: SinkPlace): void {
  describe(`${name} as a replica`, () => {
    applyingSuite(place);
    differingSuite(place);
    oneByOneSuite(place);
    owningSuite(place);
  });
}
