import { createHmac } from "node:crypto";
import { isIPv6 } from "node:net";
import { after, type Clock, type Instant, minuteMs, secondMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { countTry, deleteEnded, uncountTry } from "./guesses.sql.ts";

/**
 * Keeps user codes from being guessed (RFC 8628 §5.1): ten codes that are not there lock an address out for a quarter
 * of an hour. With 20^8 codes and ten thousand of them alive, a guess from one address hits once in a thousand years.
 */
export type Guesses = {
  /** Runs `look`; throws `rate_limited` without looking once too many were tried from this address. */
  counted<T>(address: string, look: () => Promise<T | undefined>): Promise<T | undefined>;
};

export const guessesMax = 10;
export const guessWindowMs = 15 * minuteMs;

type Deps = { readonly db: Database; readonly clock: Clock; readonly key: Uint8Array };

export const createGuesses = ({ db, clock, key: secret }: Deps): Guesses => ({
  async counted(address, look) {
    const key = createHmac("sha256", secret).update(networkOf(address)).digest("base64url");
    const now = clock.now();
    const window = { key, now, ends: after(now, guessWindowMs) };
    // Counted before it is looked for, so that parallel guesses count too.
    const { tried, windowEnds } = await db.global.transaction((tx) => countTry(tx, window));
    if (tried > guessesMax) {
      const waitS = Math.max(1, Math.ceil((windowEnds - now) / secondMs));
      throw new Problem("rate_limited", {
        detail: `Too many codes were tried. Try again in ${Math.ceil(waitS / 60)} minutes.`,
        headers: { "retry-after": String(waitS) },
      });
    }
    const found = await look();
    if (found !== undefined) await db.global.transaction((tx) => uncountTry(tx, key));
    return found;
  },
});

const addresses = new WeakMap<object, string>();

/** The address of whoever sent a request that the core will handle, which knows the socket's alone. */
export const keepAddress = (request: object, address: string): void => void addresses.set(request, address);

export const addressOf = (request: object): string => addresses.get(request) ?? "";

/** Whoever has an IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const [head = ""] = address.split("%");
  const [left = "", right] = head.split("::");
  const given = left === "" ? [] : left.split(":");
  const missing = right === undefined ? 0 : 8 - given.length - (right === "" ? 0 : right.split(":").length);
  return [...given, ...Array.from({ length: missing }, () => "0"), ...(right ?? "").split(":")]
    .slice(0, 4)
    .map((group) => Number.parseInt(group || "0", 16).toString(16))
    .join(":");
}

const windowRows = 1_000;

/** Forgets a window of ended counts; returns how many. */
export const forgetGuesses = (db: Database, now: Instant): Promise<number> =>
  db.global.transaction((tx) => deleteEnded(tx, now, windowRows));
