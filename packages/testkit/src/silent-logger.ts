import type { Logger } from "@lockstep/core";

const nothing = (): void => undefined;

/** For what logs and is tested by what it does. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
