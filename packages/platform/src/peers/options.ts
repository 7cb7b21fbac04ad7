import type { Clock, Instant } from "@remit/kernel";
import type { PrivateJwk, Scope } from "@remit/protocol";
import type { Outbound } from "../outbound/index.ts";

/** The authorization server mints its own token instead of asking itself over HTTP. */
export type MintToken = (wanted: {
  readonly audience: string;
  readonly scope: Scope;
  readonly thumbprint: string;
}) => Promise<{ readonly token: string; readonly expiresAt: Instant }>;

export type PeerOptions = {
  readonly issuer: string;
  readonly clientId: string;
  readonly assertionKey: PrivateJwk;
  readonly dpopKey: PrivateJwk;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly mint?: MintToken;
};
