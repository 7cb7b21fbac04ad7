import { canonicalise } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import type { PaidRoute } from "../offers/index.ts";
import type { Credential } from "./credentials.ts";
import { wayOfTransfer } from "./transfer-way.ts";

/**
 * By which a payment is found again once it can be verified no more. Of a mandate the bytes as they came, presentation
 * and token: who has both is who paid. Of a token or a signed transfer what it says, however it is spelled: chain,
 * token, payer and nonce are what a contract takes once. Undefined for a transfer that this route never sold for.
 */
export function digestOfCredential(credential: Credential, route: PaidRoute): string | undefined {
  switch (credential.rail) {
    case "mandate":
      return sha256b64url(`${credential.presentation}.${credential.accessToken}`);
    case "card":
      return sha256b64url(canonicalise(["spt", credential.spt]));
    case "x402": {
      const way = wayOfTransfer(route, credential);
      if (way === undefined) return undefined;
      const { from, nonce } = credential.transfer.authorization;
      // A permit's nonce is its payer's, whatever the token: Permit2 takes it once for all of them.
      if (way.scheme === "upto") return sha256b64url(canonicalise(["permit2", way.network, from, nonce]));
      return sha256b64url(
        canonicalise(["eip3009", way.network, way.asset.address.toLowerCase(), from, nonce]),
      );
    }
  }
}
