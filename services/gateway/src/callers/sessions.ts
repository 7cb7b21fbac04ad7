import { after, dayMs, fromNumericDate, type Instant, toNumericDate } from "@remit/kernel";
import { base64url, concatBytes, equalBytes, type Mac, Problem, utf8 } from "@remit/protocol";

/** Where a signed text is exchanged for a session, at each origin that has routes for signed-in callers. */
export const sessionPath = "/auth/verify";

export type Session = { readonly token: string; readonly wallet: string; readonly expiresAt: Instant };

const lifetimeMs = dayMs;
const prefix = "siwx_";
const addressBytes = 20;
const bodyBytes = addressBytes + 4;

/** A day in which a wallet need not sign again. Nothing is stored: the token says who and until when, under our key. */
export function openSession(
  mac: Mac,
  { origin, wallet, now }: { origin: string; wallet: string; now: Instant },
): Session {
  const expiresAt = fromNumericDate(toNumericDate(after(now, lifetimeMs)));
  const body = new Uint8Array(bodyBytes);
  body.set(Buffer.from(wallet.slice(2), "hex"));
  new DataView(body.buffer).setUint32(addressBytes, toNumericDate(expiresAt));
  const tag = mac(taggedBy(origin, body));
  return { token: prefix + base64url.encode(concatBytes(body, tag)), wallet, expiresAt };
}

export const isSessionToken = (token: string): boolean => token.startsWith(prefix);

/** The wallet of a session for this origin. */
export function walletOfSession(
  mac: Mac,
  token: string,
  { origin, now }: { origin: string; now: Instant },
): string {
  const bytes = base64url.decode(token.slice(prefix.length)) ?? new Uint8Array();
  const body = bytes.slice(0, bodyBytes);
  const isOurs = body.length === bodyBytes && equalBytes(bytes.slice(bodyBytes), mac(taggedBy(origin, body)));
  if (!isOurs) throw new Problem("sign_in_invalid", { detail: "The session is not one of this origin." });
  const until = fromNumericDate(new DataView(body.buffer).getUint32(addressBytes));
  if (until <= now) throw new Problem("sign_in_invalid", { detail: "The session has ended; sign in again." });
  return `0x${Buffer.from(body.slice(0, addressBytes)).toString("hex")}`;
}

// The origin comes last and alone: its length needs no telling.
const taggedBy = (origin: string, body: Uint8Array): Uint8Array =>
  concatBytes(body, utf8(`session ${origin}`));
