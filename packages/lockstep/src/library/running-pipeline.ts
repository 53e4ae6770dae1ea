import { setMaxListeners } from "node:events";
import { Deferred, ReplicationError } from "@lockstep/core";
import { buildPipeline, runPipeline, type BuildOptions, type BuiltPipeline } from "../built-pipeline.ts";
import { clientCreatorOf } from "../engines.ts";
import { Clients } from "./clients.ts";

/** A pipeline from its start to its stop, with the sessions of the application that started it. */
export class RunningPipeline {
  readonly built: BuiltPipeline;
  readonly clients: Clients;
  /** Resolves after a stop; rejects with what ended it before. */
  readonly ended: Promise<void>;
  readonly #stop: AbortController;

  /** Resolves when it publishes or stands by. Rejects with what only a person can mend, or when it is stopped before. */
  static async start(
    options: Omit<BuildOptions, "onState">,
    { maxSessions, signal }: { readonly maxSessions: number; readonly signal: AbortSignal },
  ): Promise<RunningPipeline> {
    const { config, folder } = options;
    const create = await clientCreatorOf(config);
    const begun = new Deferred<void>();
    const built = await buildPipeline({
      ...options,
      onState: (state) => (state === "starting" ? undefined : begun.resolve()),
    });
    const running = new RunningPipeline(built, new Clients({ config, folder, maxSessions, create }));
    const abort = (): void => void running.stop();
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    running.ended.then(() => begun.reject(stopped()), begun.reject.bind(begun));
    try {
      await begun.promise;
      return running;
    } catch (error) {
      await running.stop();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  private constructor(built: BuiltPipeline, clients: Clients) {
    this.built = built;
    this.clients = clients;
    this.#stop = new AbortController();
    setMaxListeners(0, this.#stop.signal); // One for each wait, as many as the application has.
    this.ended = this.#run();
    this.ended.catch(() => undefined); // Whoever wants to know awaits it.
  }

  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  /** Finishes what is in hand. May be called again. */
  async stop(): Promise<void> {
    this.#stop.abort(stopped());
    await this.ended.catch(() => undefined);
    await this.clients[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    await using built = this.built;
    try {
      await runPipeline(built, this.#stop.signal);
    } catch (error) {
      built.options.logger.error({ err: error }, "the pipeline has ended");
      throw error;
    }
  }
}

export function stopped(): ReplicationError {
  return new ReplicationError("not-running", "the manager was stopped", {
    fix: "start a new DatabaseReplicationManager",
  });
}
