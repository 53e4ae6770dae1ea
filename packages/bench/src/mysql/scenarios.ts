import type { Scenario, ScenarioName } from "../scenarios/scenario.ts";
import { bigTransaction, catchUpBulk, snapshot } from "./items.ts";
import { latency } from "./latency.ts";
import { catchUpSmall } from "./tpc-b.ts";

/** The same work as PostgreSQL's, in the words of MySQL and MariaDB. */
export const MYSQL_SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  "catch-up-small": catchUpSmall,
  "catch-up-bulk": catchUpBulk,
  "big-transaction": bigTransaction,
  latency,
  snapshot,
};
