import { once } from "node:events";
import { connect as connectTcp, createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS } from "@lockstep/testkit";
import { connect } from "./connection.ts";

test.each(MYSQL_FLAVOURS)(
  "a link to %s that is cut while TLS is agreed on is waited for",
  async (flavour) => {
    const url = new URL(await freshMysqlDatabase(flavour));
    for (const cut of ["resetAndDestroy", "destroy"] as const) {
      const proxy = createServer((client) => {
        const server = connectTcp(Number(url.port), url.hostname);
        let answers = 0;
        client.on("error", () => undefined);
        server.on("error", () => undefined);
        client.on("data", (bytes) => server.write(bytes));
        server.on("data", (bytes) => {
          answers += 1; // The first is the greeting, the second what the server says of TLS.
          if (answers === 1) return client.write(bytes);
          return client.write(bytes.subarray(0, 8), () => client[cut]());
        });
      });
      proxy.listen(0, "127.0.0.1");
      await once(proxy, "listening");
      const through = Object.assign(new URL(url), { port: String(portOf(proxy.address())) }).href;
      await expect(connect({ url: through }, new AbortController().signal)).rejects.toMatchObject({
        code: "connection-lost",
      });
      proxy.close();
    }
  },
);

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
