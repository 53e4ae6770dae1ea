import { hasCode } from "@lockstep/core";
import type { TokenPosition } from "../waiting/tokens.ts";
import type { DatabaseReplicationManager } from "./manager.ts";

export interface TokenCarrierOptions {
  /** Default: `lockstep-token`; false: no cookie. */
  readonly cookie?: string | false;
  /** Of requests and responses, for clients without cookies; default: `lockstep-token`; false: no header. */
  readonly header?: string | false;
  /** Only over TLS; default: true. Browsers take `localhost` for it. */
  readonly secure?: boolean;
  /** How long a browser keeps it: replicas are behind for no longer than that; default: 3600. */
  readonly maxAgeSeconds?: number;
}

/** The token of one client, from the request it came with to the response it leaves with. */
export interface RequestToken {
  /** For reads: everything that this client has written before. Undefined: nothing, or nothing that still holds. */
  readonly after: string | undefined;
  /** What a write has returned; of several the latest is kept. Call before the response's headers are sent. */
  keep(token: string): Promise<void>;
}

/** Carries tokens from a client's writes to its later reads, across requests and processes: for express and fastify. */
export class TokenCarrier {
  readonly #manager: DatabaseReplicationManager;
  readonly #options: Required<TokenCarrierOptions>;
  readonly #tokens = new WeakMap<object, CarriedToken>();

  constructor(manager: DatabaseReplicationManager, options: TokenCarrierOptions = {}) {
    this.#manager = manager;
    this.#options = {
      cookie: "lockstep-token",
      header: "lockstep-token",
      secure: true,
      maxAgeSeconds: 3_600,
      ...options,
    };
  }

  /** Of a request that has passed the middleware. */
  of(request: object): RequestToken {
    const token = this.#tokens.get(request);
    if (token !== undefined) return token;
    throw new TypeError("this request has not passed the token carrier: app.use(carrier.express())");
  }

  /** `app.use(carrier.express())`; takes any request and response of Node's own, too. */
  express(): (request: RequestLike, response: ResponseLike, next: (error?: unknown) => void) => void {
    return (request, response, next) => {
      this.#take(request, (token) => this.#sendBy(response, token)).then(() => next(), next);
    };
  }

  /** `app.register(carrier.fastify())`: for the whole application, whatever is registered where. */
  fastify(): FastifyPluginLike {
    const plugin = async (app: FastifyLike): Promise<void> => {
      app.addHook("onRequest", async (request) => await this.#take(request, () => undefined));
      app.addHook("onSend", async (request, reply) => await Promise.resolve(this.#reply(request, reply)));
      await Promise.resolve();
    };
    return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
  }

  async #take(request: RequestLike, send: (token: string) => void): Promise<void> {
    const carried = new CarriedToken(this.#manager, send);
    this.#tokens.set(request, carried);
    await carried.begin(this.#received(request));
  }

  /** A client that has both may have written with either. */
  #received({ headers }: RequestLike): string[] {
    const { cookie, header } = this.#options;
    const inHeader = header === false ? undefined : headers[header.toLowerCase()];
    const inCookie = cookie === false ? undefined : cookieOf(headers["cookie"], cookie);
    return [inHeader, inCookie].flatMap((token) =>
      typeof token === "string" && token !== "" ? [token] : [],
    );
  }

  /** What others have set, and will set, is left as it is. */
  #sendBy(response: ResponseLike, token: string): void {
    const { cookie, header } = this.#options;
    if (header !== false) response.setHeader(header, token);
    if (cookie === false) return;
    const others = [response.getHeader("set-cookie") ?? []].flat().map(String);
    const kept = others.filter((other) => !other.startsWith(`${cookie}=`));
    response.setHeader("set-cookie", [...kept, this.#cookieText(cookie, token)]);
  }

  /** Fastify has headers of its own until it sends them, and adds one cookie to another. */
  #reply(request: object, reply: ReplyLike): void {
    const { cookie, header } = this.#options;
    const token = this.#tokens.get(request)?.kept ?? null;
    if (token === null) return;
    if (header !== false) reply.header(header, token);
    if (cookie !== false) reply.header("set-cookie", this.#cookieText(cookie, token));
  }

  #cookieText(name: string, token: string): string {
    const { secure, maxAgeSeconds } = this.#options;
    return `${name}=${token}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
  }
}

class CarriedToken implements RequestToken {
  readonly #manager: DatabaseReplicationManager;
  readonly #send: (token: string) => void;
  #latest: { readonly token: string; readonly said: TokenPosition } | null = null;
  /** What is to leave with the response; null: nothing was written. */
  kept: string | null = null;

  constructor(manager: DatabaseReplicationManager, send: (token: string) => void) {
    this.#manager = manager;
    this.#send = send;
  }

  get after(): string | undefined {
    return this.#latest?.token;
  }

  /** What a client sends and we do not take counts for nothing: it may be older than the pipeline. */
  async begin(tokens: readonly string[]): Promise<void> {
    for (const token of tokens) {
      await this.#advance(token).catch((error: unknown) => {
        if (!hasCode(error, "token-invalid")) throw error;
      });
    }
  }

  async keep(token: string): Promise<void> {
    if (!(await this.#advance(token))) return;
    this.kept = token;
    this.#send(token);
  }

  async #advance(token: string): Promise<boolean> {
    const { built, stopping } = this.#manager.running;
    const said = await built.tokens.read(token, stopping);
    if (this.#latest !== null && built.tokens.isReached(said, this.#latest.said.position)) return false;
    this.#latest = { token, said };
    return true;
  }
}

function cookieOf(text: unknown, name: string): string | undefined {
  if (typeof text !== "string") return undefined;
  const pairs = text.split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** As far as it is used here: of Node's own `http`, of express, of fastify. */
interface RequestLike {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface ResponseLike {
  getHeader(name: string): number | string | string[] | undefined;
  setHeader(name: string, value: string | string[]): unknown;
}

interface ReplyLike {
  header(name: string, value: string): unknown;
}

interface FastifyLike {
  addHook(name: "onRequest", hook: (request: RequestLike, reply: ReplyLike) => Promise<void>): unknown;
  addHook(name: "onSend", hook: (request: RequestLike, reply: ReplyLike) => Promise<void>): unknown;
}

type FastifyPluginLike = (app: FastifyLike) => Promise<void>;
