import { makeSecurityEvent } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";
import type { Stream } from "./streams.ts";
import type { Signal } from "./waiting.sql.ts";

export type SigningDeps = { readonly keys: Pick<IssuerKeys, "sign">; readonly issuer: string };

/** The token of a signal on its stream. Signed anew each time it goes out: what it says, and when it was said, stays. */
export function tokenOf(
  { keys, issuer }: SigningDeps,
  { audience }: Pick<Stream, "audience">,
  signal: Signal,
): Promise<string> {
  const { jti, txn, seq, subject, name, data, createdAt: now } = signal;
  const told = { issuer, audience, jti, txn, seq, now, subject, name, data };
  const { header, payload } = makeSecurityEvent(told);
  return keys.sign("signal", header, payload);
}
