import { Command, Option } from "commander";
import { ReplicationError } from "@lockstep/core";
import type { GateAction } from "./commands/gate.ts";
import type { InitOptions } from "./commands/init.ts";
import type { LoggingOptions } from "./logging.ts";
import { collect, parseCount, parseFrom, parseSeconds } from "./option-values.ts";
import { sayError } from "./said-error.ts";
import { readVersion } from "./version.ts";

interface CommonOptions {
  readonly config: string;
  readonly logLevel: string;
  readonly logFormat: string;
}

const DEFAULT_CONFIG = "lockstep.yaml";

/* Commands are loaded when they are called: `--help` and `status` need no driver of a log. */

/** Of a run whose log is JSON, its last line, too. */
let endsInJson = false;

const program = new Command("lockstep")
  .description(
    "Keeps databases in lockstep: follows the own log of a PostgreSQL, MySQL or MariaDB primary into replicas on any of these, through Kafka or a folder of this machine.",
  )
  .version(readVersion())
  .showHelpAfterError("(lockstep --help shows what there is)");

program
  .command("init")
  .description("write a configuration file")
  .option("-c, --config <file>", "the file to write", DEFAULT_CONFIG)
  .option(
    "--primary <url>",
    "the primary: postgres://user@host:5432/database, mysql://…:3306/… or mariadb://…",
  )
  .option(
    "--replica <name=url>",
    "a replica, of any of these engines; may be given several times",
    collect,
    [],
  )
  .option("--kafka <brokers>", "the event log: host:port of one or more brokers, with commas")
  .option("--embedded <folder>", "the event log: a folder of this machine, instead of Kafka")
  .option("--pipeline <name>", "default: the name of the primary's database")
  .option("--force", "overwrite a file that is there", false)
  .addHelpText(
    "after",
    "\nExamples:\n  lockstep init --primary postgres://app@db1/shop --replica reports=postgres://app@db2/shop --kafka localhost:9092\n  lockstep init --primary mysql://app@db1/shop --replica reports=mariadb://app@db2/shop --replica lake=postgres://app@db3/lake --embedded lockstep-log\n\nOn a terminal it asks for what is missing. A password does not go into the file, but a reference to a variable.",
  )
  .action(async (options: InitOptions) => {
    const { init } = await import("./commands/init.ts");
    await init(options);
  });

common(program.command("check"))
  .description("say everything that is missing for a pipeline, with the statement that sets it")
  .option("--columns", "also what type every column has, or gets, on each replica", false)
  .option("--json", "one JSON object: ok, findings, columns", false)
  .addHelpText(
    "after",
    "\nExamples:\n  lockstep check -c lockstep.yaml\n  lockstep check --json | jq -r '.findings[] | select(.sql) | .sql'\n\nChanges nothing, but for a topic that is made on the brokers for a moment. Exits with 1 for errors, 2 for a wrong file.",
  )
  .action(async (options: CommonOptions & { columns: boolean; json: boolean }) => {
    const { check } = await import("./commands/check.ts");
    const { columns, json } = options;
    process.exitCode = await check(
      options.config,
      { showsColumns: columns, isJson: json },
      loggingOf(options),
    );
  });

common(program.command("run"))
  .description("follow the primary into every replica until stopped")
  .option("--listen <address>", "serve status and metrics there, or off: instead of the file's http.listen")
  .option("--json", "the same as --log-format json", false)
  .addHelpText(
    "after",
    "\nExamples:\n  lockstep run -c lockstep.yaml\n  lockstep run -c lockstep.yaml --listen 127.0.0.1:8643   # a standby on the same machine\n\nSIGTERM or Ctrl-C finishes what is in hand; a second one ends at once.",
  )
  .action(async ({ listen, json, ...options }: CommonOptions & { listen?: string; json: boolean }) => {
    const { run } = await import("./commands/run.ts");
    const logging = loggingOf(json ? { ...options, logFormat: "json" } : options);
    endsInJson = logging.isJson;
    await run(options.config, logging, listen);
  });

program
  .command("status")
  .description("ask the running pipeline how it is")
  .option("-c, --config <file>", "configuration file, of which http.listen is read", DEFAULT_CONFIG)
  .option("--url <url>", "the running process's address, instead of the file's")
  .option("-w, --watch", "draw it anew every second until Ctrl-C", false)
  .option("--json", "one JSON object; with --watch one a line", false)
  .addHelpText(
    "after",
    "\nExamples:\n  lockstep status -c lockstep.yaml --watch\n  lockstep status --url http://127.0.0.1:8642 --json | jq .replicas",
  )
  .action(async ({ config, url, watch, json }: StatusCommandOptions) => {
    const { status } = await import("./commands/status.ts");
    await status(config, { isWatching: watch, isJson: json, ...(url === undefined ? {} : { url }) });
  });

program
  .command("wait")
  .argument("<token>", "what a write has returned")
  .description("let the running pipeline wait until replicas have what a token says")
  .option("-c, --config <file>", "configuration file, of which http.listen is read", DEFAULT_CONFIG)
  .option("--url <url>", "the running process's address, instead of the file's")
  .option("--replicas <n>", "how many; default: as many as the mode says", parseCount)
  .option("--timeout <seconds>", "how long; default: 30", parseSeconds)
  .option("--json", "one JSON object: replicas", false)
  .addHelpText(
    "after",
    '\nExample:\n  lockstep wait "$TOKEN" --replicas 2 --timeout 5\n\nExits with 1 when they do not have it by then: the write is committed on the primary all the same.',
  )
  .action(async (token: string, { config, timeout: timeoutMs, json, ...asked }: WaitCommandOptions) => {
    const { wait } = await import("./commands/wait.ts");
    await wait(config, { token, timeoutMs, isJson: json, ...asked });
  });

common(program.command("tail"))
  .description("print the events of the pipeline's topic")
  .option("--from <where>", "end, beginning, or an offset", parseFrom, "end")
  .option("--no-follow", "stop at the topic's end instead of waiting for more")
  .option("--json", "one JSON object a line", false)
  .addHelpText(
    "after",
    "\nExample:\n  lockstep tail -c lockstep.yaml --from beginning --no-follow --json | head",
  )
  .action(async (options: CommonOptions & { from: string; follow: boolean; json: boolean }) => {
    const { tail } = await import("./commands/tail.ts");
    const { from, follow, json } = options;
    await tail(options.config, { from, noFollow: !follow, isJson: json }, loggingOf(options));
  });

pausing("pause")
  .description("apply nothing to replicas until they are resumed; the event log keeps what comes meanwhile")
  .addHelpText(
    "after",
    "\nExamples:\n  lockstep pause reports        # one replica\n  lockstep pause                # all of them\n\nIt is stored in the replica: restarts of lockstep change nothing.",
  )
  .action(async (replicas: string[], options: PauseCommandOptions) => {
    await pauseOrResume("paused", replicas, options);
  });

pausing("resume")
  .description("let paused replicas go on from where they were")
  .addHelpText("after", "\nExample:\n  lockstep resume reports")
  .action(async (replicas: string[], options: PauseCommandOptions) => {
    await pauseOrResume("following", replicas, options);
  });

const gates = program
  .command("gate")
  .description("commits on the primary that wait, without a change of the application");
gating("on", "let commits on the primary wait for the log, or for the quorum");
gating("off", "let no commit wait, also while no run lives; who waits is let go");
gating("status", "say whether commits wait, and for what");

const removing = program
  .command("remove")
  .description("remove what a pipeline keeps on servers; tables and their rows stay");

removal(removing.command("pipeline"))
  .description(
    "remove the event log, what the primary has of it (PostgreSQL: slot and publication), and every replica's progress",
  )
  .addHelpText("after", "\nExample:\n  lockstep remove pipeline -c lockstep.yaml")
  .action(async (options: RemovalOptions) => {
    await removePart(null, options);
  });

removal(removing.command("replica"))
  .argument("<name>", "the replica's name in the configuration")
  .description("remove what the pipeline keeps in one replica")
  .addHelpText(
    "after",
    "\nExample:\n  lockstep remove replica reports -c lockstep.yaml\n\nStop `lockstep run` before, and take the replica out of the file afterwards.",
  )
  .action(async (name: string, options: RemovalOptions) => {
    await removePart(name, options);
  });

try {
  await program.parseAsync();
  process.exit(); // Nothing keeps a finished command: its work is done and closed.
} catch (error) {
  await sayError(error, endsInJson);
  process.exit(error instanceof ReplicationError && error.code === "config-invalid" ? 2 : 1);
}

function common(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration file", DEFAULT_CONFIG)
    .addOption(new Option("--log-level <level>").choices(["debug", "info", "warn", "error"]).default("info"))
    .addOption(
      new Option("--log-format <format>", "lines for a person, or one JSON object a line")
        .choices(["pretty", "json"])
        .default(process.stderr.isTTY ? "pretty" : "json"),
    );
}

interface StatusCommandOptions {
  readonly config: string;
  readonly url?: string;
  readonly watch: boolean;
  readonly json: boolean;
}

interface WaitCommandOptions {
  readonly config: string;
  readonly url?: string;
  readonly replicas?: number;
  /** In milliseconds. */
  readonly timeout?: number;
  readonly json: boolean;
}

interface PauseCommandOptions {
  readonly config: string;
  readonly json: boolean;
}

function pausing(name: string): Command {
  return program
    .command(name)
    .argument("[replica...]", "names in the configuration; none: every replica")
    .option("-c, --config <file>", "configuration file", DEFAULT_CONFIG)
    .option("--json", "print what was done as one JSON array", false);
}

async function pauseOrResume(
  to: "paused" | "following",
  replicas: readonly string[],
  { config, json }: PauseCommandOptions,
): Promise<void> {
  const { pause } = await import("./commands/pause.ts");
  await pause(config, { to, replicas, isJson: json });
}

function gating(action: GateAction, description: string): void {
  gates
    .command(action)
    .description(description)
    .option("-c, --config <file>", "configuration file", DEFAULT_CONFIG)
    .option("--json", "one JSON object", false)
    .addHelpText("after", `\nExample:\n  lockstep gate ${action} -c lockstep.yaml`)
    .action(async ({ config, json }: { readonly config: string; readonly json: boolean }) => {
      const { gate } = await import("./commands/gate.ts");
      await gate(config, action, { isJson: json });
    });
}

interface RemovalOptions extends CommonOptions {
  readonly yes: boolean;
  readonly skipUnreachable: boolean;
  readonly json: boolean;
}

function removal(command: Command): Command {
  return common(command)
    .option("-y, --yes", "do not ask", false)
    .option("--skip-unreachable", "leave what cannot be reached, and remove the rest", false)
    .option("--json", "print what was removed as one JSON array; needs --yes", false);
}

async function removePart(replica: string | null, options: RemovalOptions): Promise<void> {
  const { remove } = await import("./commands/remove.ts");
  const { yes: isSure, skipUnreachable: skipsUnreachable, json: isJson } = options;
  await remove(options.config, { replica, isSure, skipsUnreachable, isJson }, loggingOf(options));
}

function loggingOf({ logLevel, logFormat }: CommonOptions): LoggingOptions {
  return { level: logLevel, isJson: logFormat === "json" };
}
