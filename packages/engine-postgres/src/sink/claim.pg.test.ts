import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { freePort, silentLogger } from "@lockstep/testkit";
import { never } from "./replica.fixture.ts";
import { createPostgresSink } from "./sink.ts";

test("a replica that is away, tried again and again, leaves nobody listening", async () => {
  const sink = createPostgresSink({
    replica: "away",
    url: `postgres://postgres@127.0.0.1:${await freePort()}/shop`,
    pipeline: "shop",
    onConflict: { kind: "primary_wins" },
    existing: "refuse",
    logger: silentLogger,
  });
  const signal = never();
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(sink.claim("owner", true, signal)).rejects.toMatchObject({ code: "connection-lost" });
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
