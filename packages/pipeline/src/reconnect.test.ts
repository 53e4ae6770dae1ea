import { expect, test } from "vitest";
import { NO_OBSERVER } from "./replica-observer.ts";
import { answering, Reconnect } from "./reconnect.ts";

/** What has become of a wish by now. */
async function outcomeOf(asked: Promise<void>): Promise<unknown> {
  const outcome = asked.then(
    () => "claimed",
    (error: unknown) => error,
  );
  return await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve, "open"))]);
}

test("who asks ends the session that there is, and is told of the next claim", async () => {
  const reconnect = new Reconnect();
  const first = reconnect.next();
  const asked = reconnect.ask();
  expect(first.aborted).toBe(true);
  reconnect.claimed(); // The claim that was under way: it is dropped.
  expect(await outcomeOf(asked)).toBe("open");
  expect(reconnect.next().aborted).toBe(false);
  reconnect.claimed();
  expect(await outcomeOf(asked)).toBe("claimed");
});

test("what interrupts or halts the next attempt is what the wish comes to", async () => {
  const reconnect = new Reconnect();
  const observer = answering(reconnect, NO_OBSERVER);
  const away = new Error("away");
  const both = [reconnect.ask(), reconnect.ask()];
  reconnect.next();
  observer.linked(null);
  expect(await outcomeOf(Promise.race(both))).toBe("open");
  observer.interrupted(away);
  for (const asked of both) expect(await outcomeOf(asked)).toBe(away);
  const again = reconnect.ask();
  reconnect.next();
  observer.linked(new AbortController().signal);
  expect(await outcomeOf(again)).toBe("claimed");
});

test("where nobody claims the replica any more, nobody waits for it", async () => {
  const reconnect = new Reconnect();
  reconnect.next();
  const asked = reconnect.ask();
  const over = new Error("over");
  reconnect.ended(over);
  expect(await outcomeOf(asked)).toBe(over);
});
