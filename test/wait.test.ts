import { expect, test } from "vitest";
import { LockstepProcess } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { get } from "./status-of.ts";
import { tokenNow } from "./token-now.ts";

const servers = ownServers(3);

async function post(run: LockstepProcess, body: unknown): Promise<{ status: number; said: unknown }> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await get(run, "/wait", { method: "POST", body: text });
  return { status: response.status, said: await response.json() };
}

test("whoever asks the running process waits: over HTTP and by the command", async () => {
  const scenario = await Scenario.create({ urls: await createDatabases(servers) });
  await scenario.onPrimary("create table items (id int primary key)");
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  await scenario.onPrimary("insert into items values (1)");
  const token = await tokenNow(scenario, run);
  expect(await post(run, { token, replicas: 2 })).toEqual({ status: 200, said: { replicas: 2 } });
  expect((await post(run, { token })).status).toBe(200);

  const refused = { code: "token-invalid", message: expect.any(String), fix: expect.any(String) };
  expect(await post(run, { token: token.slice(2) })).toEqual({ status: 400, said: refused });
  expect(await post(run, { token, replicas: 9 })).toMatchObject({
    status: 400,
    said: { code: "config-invalid" },
  });
  for (const body of ["", "[]", '{"token": 1}', { token, more: 1 }, { token, timeoutMs: -1 }])
    expect(await post(run, body)).toMatchObject({ status: 400, said: { code: "config-invalid" } });
  expect(await post(run, "x".repeat(100_000))).toMatchObject({ status: 413 });
  const got = await get(run, "/wait");
  expect([got.status, got.headers.get("allow")]).toEqual([405, "POST"]);

  const command = async (...args: string[]): Promise<{ code: number | null; text: string }> => {
    await using child = new LockstepProcess(["wait", ...args, "--url", await run.url()]);
    const { code } = await child.exited;
    return { code, text: [...child.output, ...child.log.map((line) => line.text)].join("\n") };
  };
  expect(await command(token, "--replicas", "2")).toEqual({ code: 0, text: "2 replicas have it" });
  expect(await command(token, "--replicas", "1", "--json")).toEqual({ code: 0, text: '{"replicas":2}' });
  expect(await command("nonsense")).toMatchObject({
    code: 1,
    text: expect.stringContaining("token-invalid"),
  });
  expect(await command(token, "--timeout", "soon")).toMatchObject({ code: 2 });

  servers[2]?.suspend();
  try {
    await scenario.onPrimary("insert into items values (2)");
    const later = await tokenNow(scenario, run);
    const late = await post(run, { token: later, replicas: 2, timeoutMs: 300 });
    expect(late).toEqual({
      status: 408,
      said: { code: "quorum-not-reached", message: expect.any(String), fix: expect.any(String), replicas: 1 },
    });
    const timedOut = await command(later, "--replicas", "2", "--timeout", "0.3");
    expect(timedOut).toMatchObject({ code: 1, text: expect.stringContaining("quorum-not-reached") });
    expect(await command(later, "--replicas", "1")).toMatchObject({ code: 0 });
    const again = command(later, "--replicas", "2");
    servers[2]?.resume();
    expect(await again).toMatchObject({ code: 0 });
  } finally {
    servers[2]?.resume();
  }
  expect((await run.stop()).code).toBe(0);
});
