import { toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Timestamp } from "@remit/protocol/contracts";
import { z } from "zod";
import { type IssuerKeys, issuerPurposes } from "./keys.ts";

const Jwk = z.looseObject({ kty: z.string(), kid: z.string().optional() });
const Jwks = z.object({ keys: z.array(Jwk) });
const RemitKeys = z.object({
  issuer: z.string(),
  keys: z.array(
    Jwk.extend({
      purpose: z.string(),
      state: z.enum(["next", "current", "retired", "removed"]),
      not_before: Timestamp,
      not_after: Timestamp.optional(),
      /** Why it was revoked. */
      reason: z.string().optional(),
    }),
  ),
});

// Short, so that a key that was revoked is trusted nowhere for longer than a minute (K03). A new one is published for longer
// than anybody may keep a set before it signs, so a cached set always suffices.
const cached = { "cache-control": "public, max-age=30" };

/** The public keys: as a JWK set under both its names, and with their times for what must verify for ever. */
export function keyRoutes({ keys, issuer }: { keys: IssuerKeys; issuer: string }): Route[] {
  const jwks = (path: string): Route =>
    route({
      method: "GET",
      path,
      summary: "The public keys that verify what this issuer signs (RFC 7517)",
      needs: "public",
      answers: { 200: Jwks },
      handle: () => ({
        status: 200,
        headers: cached,
        body: { keys: keys.jwks().keys.map((jwk) => ({ ...jwk })) },
      }),
    });
  const history = route({
    method: "GET",
    path: "/.well-known/remit-keys",
    summary: "Every key whose signatures are evidence, with the time in which they count",
    needs: "public",
    answers: { 200: RemitKeys },
    handle: () => ({ status: 200, headers: cached, body: evidenceKeySet(keys, issuer) }),
  });
  return [jwks("/oauth/jwks.json"), jwks("/.well-known/jwks.json"), history];
}

/** The document at `/.well-known/remit-keys`. */
export function evidenceKeySet(
  keys: Pick<IssuerKeys, "publicKeys">,
  issuer: string,
): z.input<typeof RemitKeys> {
  const published = issuerPurposes
    .filter(({ evidence }) => evidence === true)
    .flatMap(({ purpose }) =>
      keys.publicKeys(purpose).map(({ jwk, state, notBefore, notAfter, reason }) => ({
        ...jwk,
        purpose,
        state,
        not_before: toRfc3339(notBefore),
        ...(notAfter === undefined ? {} : { not_after: toRfc3339(notAfter) }),
        ...(reason === undefined ? {} : { reason }),
      })),
    );
  return { issuer, keys: published };
}
