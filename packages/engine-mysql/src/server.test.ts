import { expect, test } from "vitest";
import { serverOf } from "./server.ts";

test.each([
  ["9.7.4-2", "Debian", "MySQL 9.7.4"],
  ["8.0.36", "MySQL Community Server - GPL", "MySQL 8.0.36"],
  ["11.8.9-MariaDB-4 from Debian-log", "Debian", "MariaDB 11.8.9"],
  ["5.5.5-10.11.18-MariaDB", "", "MariaDB 10.11.18"],
  ["10.6.12", "MariaDB Server", "MariaDB 10.6.12"],
])("%s (%s) is %s", (version, comment, label) => {
  const server = serverOf(version, comment);
  expect(server.label).toBe(label);
  expect(server.flavour).toBe(label.startsWith("MariaDB") ? "mariadb" : "mysql");
  expect(server.version.join(".")).toBe(label.split(" ")[1]);
});
