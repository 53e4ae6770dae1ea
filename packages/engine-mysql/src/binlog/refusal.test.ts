import { expect, test } from "vitest";
import { refusal } from "./refusal.ts";

const READER = { place: "db:3306", serverId: 7 };

test.each([
  [1236, "Cannot replicate because the source purged required binary logs.", "slot-missing"],
  [1236, "Could not find first log file name in binary log index file", "slot-missing"],
  [
    1236,
    "Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old and required binlog files have been purged.",
    "slot-missing",
  ],
  [1236, "Replica has more GTIDs than the source has, using the source's SERVER_UUID", "server-changed"],
  [1236, "Client requested source to start replication from position > file size", "server-changed"],
  [
    1236,
    "A replica with the same server_uuid/server_id as this replica has connected to the source",
    "config-invalid",
  ],
  [
    1236,
    "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source",
    "setup-incomplete",
  ],
  [1236, "something new", "protocol-violation"],
  [1053, "Server shutdown in progress", "server-unavailable"],
  [1227, "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)", "permission-denied"],
])("error %d '%s' is %s", (code, message, sorted) => {
  const error = refusal(code, message, READER);
  expect(error.code).toBe(sorted);
  expect(error.message).toContain("db:3306");
  expect(error.message).toContain(message);
  expect(error.fix).toBeDefined();
});
