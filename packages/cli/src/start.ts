import { type DevFile, logsAt, runEmbedded } from "@remit/embedded";
import { bold, faint, note, print, sinceStart } from "./output.ts";
import { version, type Where } from "./where.ts";

type Level = Parameters<typeof logsAt>[0];

export type StartWish = Where & { readonly logLevel: Level };

/** Runs until it is told to stop. */
export function start(options: StartWish): Promise<void> {
  runEmbedded({
    dataDir: options.dataDir,
    ...(options.portBase === undefined ? {} : { portBase: options.portBase }),
    ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
    version,
    log: logsAt(options.logLevel),
    progress: (step) => note(faint(`Starting: ${step}`)),
    ready: (dev) => {
      print(table(dev));
      note(faint(`Running after ${sinceStart()}.`));
    },
  });
  return Promise.resolve();
}

const table = (dev: DevFile): string =>
  [
    "",
    bold(`Remit ${dev.version} is running`),
    row("portal", dev.wallet),
    row("authorization server", dev.issuer),
    row("directory", dev.directory),
    row("billing", dev.billing),
    row("gateway", dev.gateway),
    row("sandbox (Stripe, demo shop)", dev.sandbox),
    row("a paid page", dev.paid_url),
    row("sign in as", `${dev.principal.email}  ${dev.principal.password}`),
    row("letters, such as codes", `${dev.data_dir}/authorization-server/mail`),
    row("keys and ids", `${dev.data_dir}/dev.json`),
    "",
    faint("npx remit demo buys the paid page and shows every message. Ctrl-C stops everything."),
  ].join("\n");

const row = (name: string, value: string): string => `  ${name.padEnd(28)} ${value}`;
