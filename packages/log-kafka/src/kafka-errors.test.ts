import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { toLogError } from "./kafka-errors.ts";

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

test("what kafkajs stumbles over is the broker's doing; the same in our own code is a bug", () => {
  const fromKafkajs: unknown = createRequire(import.meta.url)("kafkajs/src/utils/arrayDiff.js");
  if (typeof fromKafkajs !== "function") return expect.unreachable();
  const theirs = thrownBy(() => Reflect.apply(fromKafkajs, undefined, [null, null]));
  const ours = thrownBy(() => Reflect.get(Object(undefined).absent, "x"));
  expect(theirs).toBeInstanceOf(TypeError);
  expect(ours).toBeInstanceOf(TypeError);
  expect(toLogError(theirs, "t")).toMatchObject({ code: "log-unavailable", action: "retry" });
  expect(toLogError(ours, "t")).toBe(ours);
});

test("a disk that is full is named, and waited for", () => {
  const error = Object.assign(new Error("Disk error when trying to access log file on the disk"), {
    type: "KAFKA_STORAGE_ERROR",
  });
  const sorted = toLogError(error, "t");
  expect(sorted).toMatchObject({ code: "log-unavailable", action: "retry" });
  expect(sorted).toHaveProperty("fix", expect.stringContaining("make room on the broker's disk"));
});
