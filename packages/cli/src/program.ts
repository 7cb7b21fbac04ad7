import { Command, Option } from "commander";
import { addAgent } from "./agent/index.ts";
import type { AuditWish } from "./audit.ts";
import { act, at } from "./command.ts";
import type { RevokeWish, RotateWish } from "./keys.ts";
import type { ExportWish } from "./ledger.ts";
import { failWith } from "./output.ts";
import type { VerifyOptions } from "./receipts/index.ts";
import { addSell } from "./sell/index.ts";
import type { VerifyOfferOptions } from "./signed-offers/index.ts";
import type { StartWish } from "./start.ts";
import { addWebhooks } from "./webhooks/index.ts";
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
    .option("--seed", "live twelve days at once instead, so that every page of the portal shows something")
    .option("--headed", "wait for you to consent in your own browser")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./demo/index.ts")).demo(options)));
  addVerifying(program);
  const ledger = program.command("ledger").description("the double-entry ledger");
  at(ledger.command("check"))
    .description("compare every balance with its postings, and every entry with zero")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./ledger.ts")).checkLedger(options)));
  addBooks(ledger);
  const audit = program.command("audit").description("the audit log");
  at(audit.command("verify"))
    .description("recompute the log here, and hold it against its signed checkpoints")
    .option("--from <time>", "only what was recorded from this day or RFC 3339 time on")
    .option("--to <time>", "only what was recorded up to it")
    .option("--json", "print one object and nothing else")
    .action(act<AuditWish>(async (options) => (await import("./audit.ts")).verifyAudit(options)));
  at(audit.command("expire"))
    .description("say, signed, which entries were kept as long as they must be, and remove their bodies")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./audit.ts")).expireAudit(options)));
  addAgent(program);
  addKeys(program);
  addWebhooks(program);
  addSell(program);
  addOffers(program);
  at(program.command("doctor"))
    .description("look for what would stop or endanger an instance")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./doctor.ts")).doctor(options)));
  return program;
}

function addBooks(ledger: Command): void {
  at(ledger.command("show"))
    .description("show an entry or an account with its postings, and where it comes from")
    .argument("<id>", "ent_…, or an account such as merchant_payable:mrc_…:USD")
    .option("--json", "print one object and nothing else")
    .action((id: string, options: Where) =>
      failWith(async () => (await import("./ledger.ts")).showLedger(id, options)),
    );
  at(ledger.command("export"))
    .description("write the entries of a period to standard output, as they are read")
    .requiredOption("--from <time>", "a month, a day or an RFC 3339 time")
    .requiredOption("--until <time>", "the same; it is no part of the period")
    .addOption(
      new Option("--format <format>", "CSV by posting, or JSON lines by entry")
        .choices(["csv", "json"])
        .default("csv"),
    )
    .option("--json", "the same as --format json")
    .action(act<ExportWish>(async (options) => (await import("./ledger.ts")).exportLedger(options)));
}

/** What is checked offline. */
function addVerifying(program: Command): void {
  at(program.command("verify"))
    .description("check a receipt offline: a compact JWS, a file that holds one, or - for standard input")
    .argument("<receipt>")
    .option("--keys <file>", "the issuer's /.well-known/remit-keys, saved earlier")
    .option("--issuer <origin>", "an issuer that you trust; its keys are kept from then on")
    .option("--json", "print one object and nothing else")
    .action((receipt: string, options: VerifyOptions) =>
      failWith(async () => (await import("./receipts/index.ts")).verify(receipt, options)),
    );
  const evidence = program.command("evidence").description("what proves a purchase");
  at(evidence.command("verify"))
    .description("check an evidence pack offline, step by step: mandate, offer, token, receipt, audit proof")
    .argument("<file>")
    .option("--keys <file>", "the issuer's /.well-known/remit-keys, saved earlier")
    .option("--issuer <origin>", "an issuer that you trust; its keys are kept from then on")
    .option("--json", "print one object and nothing else")
    .action((file: string, options: VerifyOptions) =>
      failWith(async () => (await import("./receipts/index.ts")).verifyEvidenceFile(file, options)),
    );
}

function addOffers(program: Command): void {
  const offers = program
    .command("offers")
    .description("what a gateway sells, and offers as a merchant signs them");
  offers
    .command("lint")
    .description("say what is wrong with an offers file, JSON or YAML, and where")
    .argument("<file>")
    .option("--json", "print one object and nothing else")
    .action((file: string, options: { json?: boolean }) =>
      failWith(async () => (await import("./offers.ts")).lintOffers(file, options)),
    );
  offers
    .command("sign")
    .description("sign an offer, and print the compact JWS that a 402 body or an MCP tool carries")
    .argument("<file>", "the offer as JSON; - reads it from stdin")
    .requiredOption("--key <file>", "the merchant's offer key, a private JWK with its kid")
    .action((file: string, options: { key: string }) =>
      failWith(async () => (await import("./signed-offers/index.ts")).signOfferFile(file, options)),
    );
  offers
    .command("verify")
    .description("check a signed offer offline: signature, time, origin and sums")
    .argument("<offer>", "the compact JWS, a file that holds it, or - for stdin")
    .requiredOption("--keys <file>", "the merchant's /.well-known/jwks.json, saved earlier")
    .option("--origin <origin>", "where it must be from; else the origin that it names")
    .option("--json", "print one object and nothing else")
    .action((offer: string, options: VerifyOfferOptions) =>
      failWith(async () => (await import("./signed-offers/index.ts")).verifyOfferFile(offer, options)),
    );
  offers
    .command("schema")
    .description("print its JSON Schema, for editors")
    .action(() => failWith(async () => (await import("./offers.ts")).printSchema()));
}

function addKeys(program: Command): void {
  const keys = program.command("keys").description("the keys that sign, and the key over them");
  at(keys.command("list"))
    .description("every signing key, with its state and its times")
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./keys.ts")).listKeys(options)));
  at(keys.command("rotate"))
    .description("publish the next key, which signs once every cache must know it")
    .option("--purpose <purpose>", "of this purpose alone, such as access; of all otherwise")
    .option("--json", "print one object and nothing else")
    .action(act<RotateWish>(async (options) => (await import("./keys.ts")).rotateKeys(options)));
  at(keys.command("rotate-kek"))
    .description(
      "put every data key and signing key under another key-encryption key, and destroy the former one",
    )
    .option("--json", "print one object and nothing else")
    .action(act(async (options) => (await import("./keys.ts")).rotateKek(options)));
  at(keys.command("revoke"))
    .description("end a key at once, because its private half may be known: what it signed is refused")
    .argument("<kid>")
    .requiredOption("--reason <text>", "why; published with a key whose signatures are evidence")
    .option("--json", "print one object and nothing else")
    .action((kid: string, options: RevokeWish) =>
      failWith(async () => (await import("./keys.ts")).revokeKey(kid, options)),
    );
}
