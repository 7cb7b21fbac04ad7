import { createHmac } from "node:crypto";
import { dayMs, hourMs, type Instant, secondMs } from "@remit/kernel";
import { countedAddress } from "@remit/platform/http";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Sql } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import * as rows from "./guesses.sql.ts";

/** Something short that can be guessed, of whom, and from where the guess comes. */
export type Guess = {
  readonly kind: "password" | "code" | "mailed_code" | "mail" | "invitation";
  /** An account's id, or the digest of an address: never the address itself. */
  readonly of: string;
  /** Counted as whom it belongs to: of IPv6 a /64. Without it, guesses from everywhere count together. */
  readonly ip?: string;
};

export type Counted = { readonly kind: "open" } | { readonly kind: "locked"; readonly retryAfterS: number };

export type Guesses = {
  /** Counts one attempt; before it is judged, so that parallel guesses count too. Beyond the limit it is not judged. */
  count(guess: Guess, now: Instant): Promise<Counted>;
  /** It was right: the next one starts anew. */
  clear(tx: Sql, guess: Guess): Promise<void>;
  /** Notes in the log that it was wrong. */
  failed(guess: Guess, now: Instant): Promise<void>;
};

// Five in 900 s for one account from one address: nobody locks another out from elsewhere (A19). From everywhere a code
// is tried 20 times an hour: to get there takes the password already, and six digits must not fall to many addresses.
const perAddress = { max: 5, windowMs: 900 * secondMs };
const fromEverywhere = { max: 20, windowMs: hourMs };
// Whichever organizations ask: nobody's mailbox is filled by inviting them.
const invitations = { max: 3, windowMs: dayMs };

export function createGuesses({ db, keyring }: { db: Database; keyring: Keyring }): Guesses {
  const secret = keyring.derive("sign-in-failures");
  const keyOf = ({ kind, of, ip }: Guess): string =>
    createHmac("sha256", secret)
      .update(JSON.stringify([kind, of, ip === undefined ? null : countedAddress(ip)]))
      .digest("base64url");
  return {
    async count(guess, now) {
      const usual = guess.ip === undefined ? fromEverywhere : perAddress;
      const { max, windowMs } = guess.kind === "invitation" ? invitations : usual;
      const window = { key: keyOf(guess), now, endsMs: windowMs };
      const attempt = await db.global.transaction((tx) => rows.countAttempt(tx, window));
      if (attempt.count <= max) return { kind: "open" };
      const waitMs = Math.max(attempt.windowEnds - now, secondMs);
      return { kind: "locked", retryAfterS: Math.ceil(waitMs / secondMs) };
    },
    clear: (tx, guess) => rows.clearAttempts(tx, keyOf(guess)),
    async failed(guess, now) {
      const actor = { type: "system", id: "authorization-server" } as const;
      const facts = {
        tenant: "platform",
        actor,
        subject: keyOf(guess),
        payload: { kind: guess.kind },
      } as const;
      await db.global.transaction((tx) => tx.record(newEvent("security.sign_in_failed", facts, now)));
    },
  };
}

const windowRows = 1_000;

/** Forgets a window of ended counts; returns how many. */
export const forgetAttempts = (db: Database, now: Instant): Promise<number> =>
  db.global.transaction((tx) => rows.deleteEndedWindows(tx, now, windowRows));
