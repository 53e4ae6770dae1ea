import { renamedCheck, renamedSink, Renaming } from "@lockstep/core";
import type {
  ClientDatabase,
  Gate,
  Pausable,
  PrimaryCheck,
  Removable,
  ReplicaCheck,
  Sink,
  Source,
} from "@lockstep/core";
import type { Config, PrimaryConfig, ReplicaConfig } from "./config-schema.ts";
import { areOneFamily, ownSchemaOf, type EngineName } from "./engine-urls.ts";
import type { CheckContext, ClientContext, Engine, EngineContext } from "./engines/engine.ts";

const postgres = async (): Promise<Engine> => (await import("./engines/postgres.ts")).POSTGRES;
const mysql = async (): Promise<Engine> => (await import("./engines/mysql.ts")).MYSQL;

/**
 * Where engines plug in: the only place that names them, beside their urls (`engine-urls.ts`), and only those in use
 * are loaded.
 */
const ENGINES: Readonly<Record<EngineName, () => Promise<Engine>>> = { postgres, mysql, mariadb: mysql };

type FileContext = Pick<EngineContext, "config" | "folder">;

export async function createGateOf(context: FileContext): Promise<Gate> {
  const { primary } = context.config;
  return (await ENGINES[primary.engine]()).gate(primary, context);
}

/** Resolves once the engines of all its databases are loaded, with what makes an application's clients of them. */
export async function clientCreatorOf({ primary, replicas }: Config): Promise<CreateClient> {
  const names = new Set([primary, ...replicas].map(({ engine }) => engine));
  const engines = await Promise.all([...names].map(async (name) => [name, await ENGINES[name]()] as const));
  const loaded = new Map(engines);
  return (database, context) => {
    const engine = loaded.get(database.engine);
    if (engine === undefined) throw new TypeError(`${database.name} is no database of the pipeline`);
    return engine.client(database, context);
  };
}

export type CreateClient = (
  database: PrimaryConfig | ReplicaConfig,
  context: ClientContext,
) => ClientDatabase;

export async function createPausables(context: FileContext): Promise<Pausable[]> {
  return await ofEach(context.config.replicas, (replica, engine) => engine.pausable(replica, context));
}

export async function createRemovable(
  database: PrimaryConfig | ReplicaConfig,
  as: "primary" | "replica",
  context: FileContext,
): Promise<Removable> {
  return (await ENGINES[database.engine]()).removable(database, as, context);
}

export async function createSource(context: EngineContext): Promise<Source> {
  const { primary } = context.config;
  return (await ENGINES[primary.engine]()).source(primary, context);
}

export async function createSinks(context: EngineContext): Promise<Sink[]> {
  return await ofEach(context.config.replicas, (replica, engine) => {
    const sink = engine.sink(replica, context);
    const renaming = renamingFor(context.config.primary, replica);
    return renaming === null ? sink : renamedSink(sink, renaming);
  });
}

export async function createPrimaryCheckOf(context: CheckContext): Promise<PrimaryCheck> {
  const { primary } = context.config;
  return (await ENGINES[primary.engine]()).primaryCheck(primary, context);
}

export async function createReplicaChecksOf(context: CheckContext): Promise<ReplicaCheck[]> {
  return await ofEach(enabledOf(context.config), (replica, engine) => {
    const check = engine.replicaCheck(replica, context);
    const renaming = renamingFor(context.config.primary, replica);
    return renaming === null ? check : renamedCheck(check, renaming);
  });
}

async function ofEach<T>(
  replicas: readonly ReplicaConfig[],
  create: (replica: ReplicaConfig, engine: Engine) => T,
): Promise<T[]> {
  return await Promise.all(replicas.map(async (replica) => create(replica, await ENGINES[replica.engine]())));
}

/** Between families the schemas of unqualified names correspond: PostgreSQL's `public`, MySQL's database of the url. */
function renamingFor(primary: PrimaryConfig, replica: ReplicaConfig): Renaming | null {
  if (areOneFamily(primary.engine, replica.engine)) return null;
  const [from, to] = [ownSchemaOf(primary.engine, primary.url), ownSchemaOf(replica.engine, replica.url)];
  return from === null || from === to ? null : new Renaming(from, to);
}

/** The others are left as they are. */
export function enabledOf({ replicas }: Config): ReplicaConfig[] {
  return replicas.filter(({ enabled }) => enabled);
}
