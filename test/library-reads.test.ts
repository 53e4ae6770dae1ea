import { createServer } from "node:http";
import { once } from "node:events";
import { expect, test } from "vitest";
import { eventually, execute } from "@lockstep/testkit";
import { LoadBalancedDatabase, ReplicatedDatabase, TokenCarrier } from "lockstep";
import { managed, type Managed } from "./managed.ts";
import { ownServers } from "./own-servers.ts";
import { SCALE } from "./scale.ts";
import { createDatabases } from "./scenario.ts";

const servers = ownServers(4);

async function started(more: Parameters<typeof managed>[1] = {}): Promise<Managed> {
  const scene = await managed(await createDatabases(servers), more);
  await scene.onPrimary("create table items (id int primary key, v int)");
  await scene.manager.start();
  await scene.untilLive();
  return scene;
}

/** From now on every window that it applies takes so much longer. */
async function slowDown(url: string, seconds: number): Promise<void> {
  await execute(
    url,
    `create function late() returns trigger language plpgsql as $$ begin perform pg_sleep(${seconds}); return null; end $$;
     create trigger late after insert or update on items for each statement execute function late();
     alter table items enable always trigger late`,
  );
}

const CLIENTS = 16;

test(
  "with tokens no read is stale, whatever replica is late or killed; without, in the same run, some are",
  { timeout: 900_000 },
  async () => {
    await using scene = await started();
    const [, second = "", third = ""] = scene.replicaUrls;
    await slowDown(second, 0.02);
    await slowDown(third, 0.002);
    const db = new ReplicatedDatabase(scene.manager);
    const reads = new LoadBalancedDatabase(scene.manager, {
      policy: "random",
      fallback: "error",
      timeoutMs: 60_000,
    });
    const pairs = SCALE < 10 ? 200 : 6_250; // Whole: 100,000 in all.
    const stale = { withToken: 0, without: 0 };
    const client = async (id: number): Promise<void> => {
      await db.execute("insert into items values ($1, 0)", [id]);
      for (let v = 1; v <= pairs; v++) {
        const { token } = await db.execute("update items set v = $2 where id = $1", [id, v]);
        const [without, withToken] = await Promise.all([
          reads.fetchOne("select v from items where id = $1", [id]),
          reads.fetchOne("select v from items where id = $1", [id], { after: token }),
        ]);
        if (withToken?.["v"] !== v) stale.withToken += 1;
        if (without?.["v"] !== v) stale.without += 1;
      }
    };
    const faults = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        await servers[3]?.kill();
        await servers[3]?.start();
        await scene.untilLive();
      }
    };
    await Promise.all([...Array.from({ length: CLIENTS }, async (_, id) => await client(id)), faults()]);
    expect(stale.withToken).toBe(0);
    expect(stale.without).toBeGreaterThan(0);
  },
);

test("a replica that is away, paused, halted or late is not read from; then the fallback is", async () => {
  await using scene = await started();
  const [first = "", second = "", third = ""] = scene.replicaUrls;
  const where = "select current_setting('port') as port";
  const portOf = (url: string): string => new URL(url).port;
  const reads = new LoadBalancedDatabase(scene.manager, {
    policy: "round-robin",
    maxLagSeconds: 1,
    fallback: "error",
  });
  const seen = async (): Promise<string[]> => {
    const ports = new Set<string>();
    for (let i = 0; i < 6; i++) ports.add(String((await reads.fetchOne(where))?.["port"]));
    return [...ports].toSorted();
  };
  expect(await seen()).toEqual([first, second, third].map(portOf).toSorted());
  await expect(reads.fetchAll("insert into items values (1)")).rejects.toMatchObject({ code: "25006" });
  await expect(reads.fetchAll("select nothing")).rejects.toMatchObject({ code: "42703" });

  await servers[1]?.kill(); // Also before the pipeline has noticed.
  expect(await seen()).toEqual([second, third].map(portOf).toSorted());

  await execute(second, "alter table items add check (v < 1000)");
  const db = new ReplicatedDatabase(scene.manager);
  await db.execute("insert into items values (1, 5000)");
  await eventually("only the third is left", async () => expect(await seen()).toEqual([portOf(third)]));

  await slowDown(third, 2);
  await db.execute("insert into items values (2, 1)");
  const { token } = await db.execute("insert into items values (3, 1)");
  await eventually("none is left", async () => {
    await expect(reads.fetchAll(where)).rejects.toMatchObject({
      code: "no-readable-replica",
      message: expect.stringContaining("replica-2 is halted"),
    });
  });
  const orPrimary = new LoadBalancedDatabase(scene.manager, { maxLagSeconds: 1 });
  expect(await orPrimary.fetchOne(where)).toEqual({ port: portOf(scene.primaryUrl) });
  await expect(orPrimary.fetchAll("insert into items values (4)")).rejects.toMatchObject({ code: "25006" });
  const patient = new LoadBalancedDatabase(scene.manager, { fallback: "error", timeoutMs: 30_000 });
  expect(await patient.fetchOne("select id from items where id = 3", [], { after: token })).toEqual({
    id: 3,
  });
  await servers[1]?.start();
});

test("a token travels with a browser's cookie or a header, the latest of several", async () => {
  await using scene = await started();
  const [first = ""] = scene.replicaUrls;
  await slowDown(first, 0.2);
  const db = new ReplicatedDatabase(scene.manager);
  const reads = new LoadBalancedDatabase(scene.manager, { policy: "random", timeoutMs: 10_000 });
  const carrier = new TokenCarrier(scene.manager);
  const take = carrier.express();
  let latest = "";
  const site = createServer((request, response) => {
    response.setHeader("set-cookie", "theme=dark");
    take(request, response, () => {
      const token = carrier.of(request);
      const answer = async (): Promise<unknown> => {
        if (request.method !== "POST")
          return await reads.fetchOne("select count(*)::int as n from items", [], { after: token.after });
        const earlier = await db.execute("insert into items values ($1)", [request.headers["x-id"]]);
        const later = await db.execute("select 1");
        await token.keep(later.token);
        await token.keep(earlier.token);
        latest = later.token;
        return null;
      };
      answer().then(
        (body) => response.end(JSON.stringify(body)),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const address = site.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
  try {
    for (let n = 1; n <= 5; n++) {
      const written = await fetch(url, { method: "POST", headers: { "x-id": String(n) } });
      const cookies = written.headers.getSetCookie();
      expect(cookies).toEqual([
        "theme=dark",
        expect.stringMatching(/^lockstep-token=[\w-]+; Path=\/; .*HttpOnly; SameSite=Lax; Secure$/),
      ]);
      const header = written.headers.get("lockstep-token") ?? "";
      expect(header).toBe(latest);
      const cookie = cookies.map((text) => text.split(";")[0]).join("; ");
      const shown = [
        { cookie },
        { "lockstep-token": header },
        { cookie: `lockstep-token=${header.slice(3)}`, "lockstep-token": header },
      ];
      for (const headers of shown) expect(await (await fetch(url, { headers })).json()).toEqual({ n });
    }
    const damaged = await fetch(url, { headers: { "lockstep-token": "damaged" } });
    expect(damaged.status).toBe(200); // Counts for none.
  } finally {
    site.close();
    site.closeAllConnections();
  }
});

test("in fastify a token leaves with the reply, beside the cookies of others, and only where one was written", async () => {
  await using scene = await started();
  const db = new ReplicatedDatabase(scene.manager);
  const carrier = new TokenCarrier(scene.manager, { cookie: "seen", secure: false });
  type Hook = (request: { headers: Record<string, string> }, reply: Reply) => Promise<void>;
  interface Reply {
    header(name: string, value: string): void;
  }
  const hooks = new Map<string, Hook>();
  await carrier.fastify()({ addHook: (name: string, hook: Hook) => hooks.set(name, hook) });
  const passed = async (
    headers: Record<string, string>,
    work: (request: object) => Promise<void>,
  ): Promise<string[][]> => {
    const sent: string[][] = [];
    const reply = { header: (name: string, value: string): void => void sent.push([name, value]) };
    const request = { headers };
    await hooks.get("onRequest")?.(request, reply);
    await work(request);
    await hooks.get("onSend")?.(request, reply);
    return sent;
  };
  const { token } = await db.execute("insert into items values (1)");
  const written = await passed({}, async (request) => {
    expect(carrier.of(request).after).toBeUndefined();
    await carrier.of(request).keep(token);
    expect(carrier.of(request).after).toBe(token);
  });
  const cookie = `seen=${token}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax`;
  expect(written).toEqual([
    ["lockstep-token", token],
    ["set-cookie", cookie],
  ]);
  const read = await passed({ cookie: `a=b; ${cookie}` }, async (request) => {
    await Promise.resolve(expect(carrier.of(request).after).toBe(token));
  });
  expect(read).toEqual([]);
  expect(() => carrier.of({})).toThrow("has not passed");
});
