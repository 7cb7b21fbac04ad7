import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { type Clock, systemClock, toNumericDate } from "@remit/kernel";
import { type SandboxChain, startChain } from "./chain/index.ts";
import { createFailures } from "./failures.ts";
import { openJournal, readJournal } from "./journal.ts";
import { createKms } from "./kms/index.ts";
import { sandboxServer, sendWebhook } from "./server.http.ts";
import { type Account, createAccount, createDeliveries, type Event, wants } from "./stripe/index.ts";
import { createUpstream } from "./upstream.ts";
import { createVault, type Vault } from "./vault/index.ts";

export type SandboxOptions = {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host?: string;
  /** Where `sandbox.jsonl` stands. */
  readonly dataDir: string;
  /** Accepts only this secret key; any `sk_test_…` when absent. */
  readonly secretKey?: string;
  /** The network id to which agents grant tokens for this seller; `internal` is taken always. */
  readonly networkId?: string;
  /** Endpoints that get every event. */
  readonly webhooks?: readonly { readonly url: string; readonly secret?: string }[];
  /** Where the chain answers; 0 takes any free port. Without it there is none. */
  readonly chainPort?: number;
  readonly clock?: Clock;
};

export type Sandbox = {
  /** Known once it listens. */
  readonly origin: string;
  listen(): Promise<void>;
  close(): Promise<void>;
  readonly stripe: Account;
  readonly vault: Vault;
  /** Once it listens: the chain, or why there is none on this platform. Undefined when none was asked for. */
  readonly chain: SandboxChain | { readonly missing: string } | undefined;
};

/** Delivered webhooks and the merchant's sales stand in the journal beside Stripe's lines. */
type OtherLine =
  | { readonly kind: "delivered"; readonly event: string; readonly endpoint: string }
  | { readonly kind: "sold"; readonly calls: number };

const wait = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));

function later(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

/**
 * What stands outside Remit in development: Stripe in test mode, and a demo merchant's upstream, on one port; and a chain
 * on a port of its own.
 */
export function createSandbox(options: SandboxOptions): Sandbox {
  const clock = options.clock ?? systemClock;
  const file = path.join(options.dataDir, "sandbox.jsonl");
  const lines = readJournal(file);
  const journal = openJournal(file);
  const failures = createFailures();
  const upstream = createUpstream();
  const vault = createVault();
  const kms = createKms(clock);
  const note = (line: OtherLine): Promise<void> => journal.append(line);
  const deliveries = createDeliveries({
    send: sendWebhook,
    nowS: () => toNumericDate(clock.now()),
    later,
    delivered: (of) => note({ kind: "delivered", ...of }),
  });
  const publish = (event: Event): void => {
    for (const endpoint of account.all("webhook_endpoint"))
      if (wants(endpoint, event)) deliveries.deliver({ event, endpoint });
  };
  const account = createAccount({
    journal,
    failures,
    clock,
    wait,
    publish,
    origin: () => origin(),
    ...(options.secretKey === undefined ? {} : { secretKey: options.secretKey }),
    ...(options.networkId === undefined ? {} : { networkId: options.networkId }),
  });
  const undelivered = restore(account, (calls) => upstream.restore(calls), lines);
  const sold: Parameters<typeof sandboxServer>[0]["sold"] = (calls) => note({ kind: "sold", calls });
  const server = sandboxServer({ account, failures, upstream, vault, kms, wait, clock, sold });
  const origin = (): string => originOf(server.address(), options);
  let chain: Sandbox["chain"];
  return {
    get origin() {
      return origin();
    },
    get chain() {
      return chain;
    },
    listen: async () => {
      if (options.chainPort !== undefined)
        chain = await startChain({ port: options.chainPort, dataDir: options.dataDir });
      for (const endpoint of options.webhooks ?? []) await account.addEndpoint(endpoint);
      await new Promise<void>((done, failed) => {
        server.once("error", failed);
        server.listen(options.port, options.host ?? "127.0.0.1", done);
      });
      for (const event of undelivered()) publish(event);
    },
    close: async () => {
      await Promise.all([closed(server), deliveries.close(), stopOf(chain)]);
      await journal.close();
    },
    stripe: account,
    vault,
  };
}

function closed(server: Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  return done;
}

const stopOf = (chain: Sandbox["chain"]): Promise<void> | undefined =>
  chain !== undefined && "stop" in chain ? chain.stop() : undefined;

const originOf = (address: string | AddressInfo | null, { host, port }: SandboxOptions): string =>
  `http://${host ?? "127.0.0.1"}:${portOf(address) ?? port}`;

const portOf = (address: string | AddressInfo | null): number | undefined =>
  typeof address === "object" && address !== null ? address.port : undefined;

/** Replays the journal; tells which events had not been delivered when the sandbox stopped. */
function restore(account: Account, sold: (calls: number) => void, lines: readonly unknown[]): () => Event[] {
  // The journal holds only lines that this file and the account have written.
  const others = lines as readonly OtherLine[];
  const isOurs = (line: OtherLine): boolean => line.kind === "delivered" || line.kind === "sold";
  account.restore(lines.filter((_, index) => !(others[index] !== undefined && isOurs(others[index]))));
  const delivered = new Set<string>();
  for (const line of others) {
    if (line.kind === "sold") sold(line.calls);
    if (line.kind === "delivered") delivered.add(line.event);
  }
  const before = account.all("event").filter((event) => !delivered.has(event.id));
  const endpoints = account.all("webhook_endpoint");
  return () => before.filter((event) => endpoints.some((endpoint) => endpoint.created <= event.created));
}
