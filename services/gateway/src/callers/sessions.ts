import { after, dayMs, fromNumericDate, type Instant, toNumericDate } from "@remit/kernel";
import { base64url, concatBytes, equalBytes, type Mac, Problem, utf8 } from "@remit/protocol";

/** Where a signed text is exchanged for a session, at each origin that has routes for signed-in callers. */
export const sessionPath = "/auth/verify";

export type Session = { readonly token: string; readonly wallet: string; readonly expiresAt: Instant };

const lifetimeMs = dayMs;
const prefix = "siwx_";
const addressBytes = 20;
const endsBytes = addressBytes + 4;
/** Of a contract's wallet the id of its chain follows. */
const chainBytes = 8;
const tagBytes = 32;

/** A day in which a wallet need not sign again. Nothing is stored: the token says who and until when, under our key. */
export function openSession(
  mac: Mac,
  { origin, wallet, now }: { origin: string; wallet: string; now: Instant },
): Session {
  const expiresAt = fromNumericDate(toNumericDate(after(now, lifetimeMs)));
  const [chain, address = ""] = /^eip155:(\d+):(0x.*)$/.exec(wallet)?.slice(1) ?? [undefined, wallet];
  const body = new Uint8Array(endsBytes + (chain === undefined ? 0 : chainBytes));
  body.set(Buffer.from(address.slice(2), "hex"));
  const view = new DataView(body.buffer);
  view.setUint32(addressBytes, toNumericDate(expiresAt));
  if (chain !== undefined) view.setBigUint64(endsBytes, BigInt(chain));
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
  const body = bytes.slice(0, -tagBytes);
  const isKnownShape = body.length === endsBytes || body.length === endsBytes + chainBytes;
  if (!isKnownShape || !equalBytes(bytes.slice(-tagBytes), mac(taggedBy(origin, body))))
    throw new Problem("sign_in_invalid", { detail: "The session is not one of this origin." });
  const view = new DataView(body.buffer, body.byteOffset);
  if (fromNumericDate(view.getUint32(addressBytes)) <= now)
    throw new Problem("sign_in_invalid", { detail: "The session has ended; sign in again." });
  const address = `0x${Buffer.from(body.slice(0, addressBytes)).toString("hex")}`;
  return body.length === endsBytes ? address : `eip155:${view.getBigUint64(endsBytes)}:${address}`;
}

// The origin comes last and alone: its length needs no telling.
const taggedBy = (origin: string, body: Uint8Array): Uint8Array =>
  concatBytes(body, utf8(`session ${origin}`));
