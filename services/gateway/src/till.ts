import { type Clock, secondMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { createCharging, createEngines, createRails, type Engines } from "./charging/index.ts";
import { keepReference, orderOf, type Worker } from "./claims/index.ts";
import type { GatewayConfig } from "./config.ts";
import type { Facilitators } from "./facilitator/index.ts";
import { createMemory, createSizes } from "./memory.ts";
import type { OfferBook } from "./offers/index.ts";
import type { TermsDeps } from "./paywall/index.ts";
import type { Upstreams } from "./proxy/index.ts";

const patienceMs = 15 * secondMs;
// As long as the authorization server may still be at work on a call that we have given up.
const captureGraceMs = 10 * secondMs;

const answerBytesMax = 512 * 1024 * 1024;

type Parts = {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Database;
  readonly outbound: Outbound;
  readonly engines?: Engines | undefined;
};

/** All that a purchase needs: claims, the rails that move money, the upstreams, and what a credential is checked with. */
export function openTill(
  { config, clock, log, db, outbound, engines }: Parts,
  rooms: {
    readonly keyring: Keyring;
    readonly upstreams: Upstreams;
    readonly book: OfferBook;
    readonly terms: TermsDeps;
    readonly by: Worker;
    readonly facilitators: Facilitators;
    readonly isClosing: () => boolean;
  },
) {
  const { issuer, livemode } = config;
  const { keyring, upstreams, book, terms, by, facilitators, isClosing } = rooms;
  const accounts = engines ?? createEngines({ clock, facilitators, offers: () => book.current() });
  const shelf = { db, keyring, clock, by, adrift: new Map(), patienceMs: config.patienceMs ?? patienceMs };
  return {
    ...shelf,
    log,
    engines: accounts,
    livemode,
    isClosing,
    memory: createMemory(config.answerBytesMax ?? answerBytesMax),
    sizes: createSizes(),
    upstreams,
    captureGraceMs: config.captureGraceMs ?? captureGraceMs,
    rails: createRails({
      charging: createCharging({ issuer, outbound, clock }),
      engines: accounts,
      orderOf: (claim) => orderOf(shelf, claim),
      keep: (claim, reference) => keepReference(shelf, claim, reference),
    }),
    verifier: { ...terms, issuerKeys: outbound.jwksOf(`${issuer}/.well-known/jwks.json`) },
    offers: () => book.current(),
  };
}
