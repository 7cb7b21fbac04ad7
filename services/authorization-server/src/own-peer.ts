import type { Clock } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { createPeer, loadPeerKeys, type Peer } from "@remit/platform/peers";
import type { AuthorizationServerConfig } from "./config.ts";
import type { IssuerKeys } from "./keys/index.ts";
import { mintOwnToken } from "./tokens/index.ts";

type Grounds = {
  readonly config: AuthorizationServerConfig;
  readonly clock: Clock;
  readonly keys: IssuerKeys;
  /** To services of ours. */
  readonly outbound: Outbound;
};

/** This server as a client of the other services: it mints its own tokens. */
export async function createOwnPeer({ config, clock, keys, outbound }: Grounds): Promise<Peer> {
  const { issuer, livemode } = config;
  const own = await loadPeerKeys(config.dataDir);
  return createPeer({
    issuer,
    clientId: "authorization-server",
    assertionKey: own.assertion,
    dpopKey: own.dpop,
    outbound,
    clock,
    mint: mintOwnToken({ keys, issuer, livemode, clock }),
  });
}
