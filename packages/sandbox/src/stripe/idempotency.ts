import { createHash } from "node:crypto";
import { canonicalForm, type Form } from "./form.ts";
import { StripeRefusal } from "./refusal.ts";

/** What Stripe keeps for a key: the first answer, whatever it was, and what was asked. */
export type Kept = {
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
  /** Seconds since 1970. */
  readonly at: number;
};

const keptForS = 24 * 3600;
const keyLengthMax = 255;

export type Keys = {
  readonly kept: Map<string, Kept>;
  readonly running: Set<string>;
};

export const noKeys = (): Keys => ({ kept: new Map(), running: new Set() });

export const fingerprintOf = (method: string, path: string, form: Form): string =>
  createHash("sha256")
    .update(`${method} ${path} ${canonicalForm(form)}`)
    .digest("base64url");

/** Every connected account has keys of its own. */
export const keyWithin = (account: string | null, key: string): string =>
  account === null ? key : `${account} ${key}`;

/** The kept answer of a key, or undefined when the call is the first; refuses other parameters and a call in flight. */
export function keptAnswer(
  keys: Keys,
  key: string,
  call: { fingerprint: string; now: number },
): Kept | undefined {
  if (key.length > keyLengthMax)
    throw refusal(400, `Idempotency keys can be at most ${keyLengthMax} characters long.`);
  const kept = keys.kept.get(key);
  if (kept !== undefined && kept.at + keptForS > call.now) {
    if (kept.fingerprint !== call.fingerprint)
      throw refusal(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first used with.",
      );
    return kept;
  }
  if (keys.running.has(key))
    throw refusal(
      409,
      "There is currently another in-progress request using this Idempotent Key.",
      "idempotency_key_in_use",
    );
  return undefined;
}

const refusal = (status: number, message: string, code?: string): StripeRefusal =>
  new StripeRefusal(
    status,
    { type: "idempotency_error", message, ...(code === undefined ? {} : { code }) },
    false,
  );
