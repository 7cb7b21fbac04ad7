import { Command, InvalidArgumentError, Option } from "commander";
import { failWith } from "./output.ts";
import type { VerifyOptions } from "./receipts/index.ts";
import type { StartWish } from "./start.ts";
import { version, type Where } from "./where.ts";

/** The command `remit`, each loaded when it is called. Exit codes: 0 done, 1 failed or not verified, 2 wrong usage. */
export function createProgram(): Command {
  const program = new Command("remit")
    .description("An identity, a budget and a receipt for AI agents.")
    .version(version)
    .showHelpAfterError()
    .configureOutput({ outputError: (text, write) => write(text) });
  program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  at(program.command("start"))
    .description("start every service on this machine, and a demo to try them with")
    .addOption(
      new Option("--log-level <level>", "what to say of the work")
        .choices(["debug", "info", "warn", "error", "silent"])
        .default("warn"),
    )
    .action(act<StartWish>(async (options) => (await import("./start.ts")).start(options)));
  at(program.command("demo"))
    .description("play one purchase, from mandate to audit proof, and show every message")
    .option("--headed", "wait for you to consent in your own browser")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./demo/index.ts")).demo(options)));
  at(program.command("verify"))
    .description("check a receipt offline: a compact JWS, a file that holds one, or - for standard input")
    .argument("<receipt>")
    .option("--keys <file>", "the issuer's /.well-known/remit-keys, saved earlier")
    .option("--issuer <origin>", "an issuer that you trust; its keys are kept from then on")
    .option("--json", "print one object and nothing else")
    .action((receipt: string, options: VerifyOptions) =>
      failWith(async () => (await import("./receipts/index.ts")).verify(receipt, options)),
    );
  const ledger = program.command("ledger").description("the double-entry ledger");
  at(ledger.command("check"))
    .description("compare every balance with its postings, and every entry with zero")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./ledger.ts")).checkLedger(options)));
  const audit = program.command("audit").description("the audit log");
  at(audit.command("verify"))
    .description("recompute the whole log here, and hold it against its signed checkpoints")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./audit.ts")).verifyAudit(options)));
  at(program.command("doctor"))
    .description("look for what would stop or endanger an instance")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./doctor.ts")).doctor(options)));
  return program;
}

const at = (command: Command): Command =>
  command
    .option("--data-dir <directory>", "where the data is kept", process.env.REMIT_DATA_DIR ?? ".remit")
    .option("--port-base <number>", "ports are N, N+1, N+2, N+3, N+402 and N+900", portBase);

function portBase(text: string): number {
  const base = Number(text);
  if (!Number.isInteger(base)) throw new InvalidArgumentError("a whole number, such as 3000");
  return base;
}

// Commander hands over what the options above declare.
const act =
  <O extends Where>(work: (options: O) => Promise<void>) =>
  (options: O): Promise<void> =>
    failWith(() => work(options));
