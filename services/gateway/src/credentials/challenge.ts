import type { Instant } from "@remit/kernel";
import {
  base64url,
  type Challenge,
  canonicalise,
  checkChallenge,
  type JsonObject,
  type Mac,
  Problem,
} from "@remit/protocol";
import { bindingFor, bindingOf, contentDigestOf, type Wanted } from "../paywall/index.ts";

type Macs = { readonly macs: (now: Instant) => readonly [Mac, ...Mac[]] };

/** A challenge that we made for this very request and that has not expired; nothing to say where the protocol has none. */
export function answersChallenge(
  { macs }: Macs,
  wanted: Wanted,
  { challenge, now }: { readonly challenge: Challenge | undefined; readonly now: Instant },
): void {
  if (challenge === undefined) return;
  const digest = contentDigestOf(wanted);
  checkChallenge({
    challenge,
    macs: macs(now),
    realm: new URL(wanted.route.merchant.origin).host,
    now,
    binding: bindingOf(wanted),
    ...(digest !== undefined && { digest }),
  });
  // A challenge without a digest was made for a request without a body.
  if (challenge.digest !== digest) throw new Problem("content_digest_mismatch");
}

/** The challenge asks for what is asked for now, byte for byte: a price may have changed since (O12). */
export function asksAsNow(challenge: Challenge, request: JsonObject): void {
  if (challenge.request !== base64url.encode(canonicalise(request)))
    throw new Problem("offer_changed", { status: 402 });
}

/** An entry of a 402 that we made for this very request, by the member that says so. */
export function isBoundHere(
  { macs }: Macs,
  wanted: Wanted,
  { binding, now }: { readonly binding: unknown; readonly now: Instant },
): boolean {
  return macs(now).some((mac) => bindingFor(mac, wanted) === binding);
}
