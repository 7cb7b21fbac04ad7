import { type Route, route } from "@remit/platform/http";
import type { PeerKeys } from "@remit/platform/peers";
import { JwksBody } from "@remit/protocol/contracts";

/** Where an operator finds the key with which the portal proves itself, to register it as the wallet. */
export const jwksRoute = ({ keys }: PeerKeys["jwks"]): Route =>
  route({
    method: "GET",
    path: "/.well-known/jwks.json",
    summary: "The public keys of this service.",
    needs: "public",
    answers: { 200: JwksBody },
    handle: () => ({
      status: 200,
      headers: { "Cache-Control": "public, max-age=300" },
      body: { keys: keys.flatMap((key) => (key.kty === "RSA" ? [] : [{ ...key }])) },
    }),
  });
