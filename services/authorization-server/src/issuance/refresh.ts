import { randomBytes } from "node:crypto";
import type { Clock } from "@remit/kernel";
import type { Authenticated, ClientAuthentication, KnownClients, PlainRequest } from "../clients/index.ts";
import type { RotatableToken, Rotations } from "../grants/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import type { PlannedRefresh, RefreshRules, TokenRules } from "../oidc/index.ts";
import type { Quotas } from "../quotas/index.ts";
import type { Issuance, TokenAnswer } from "./issuance.ts";
import { checkProof, nextNonce, type Proof } from "./proof.ts";
import { createSigner, type Signer } from "./signer.ts";

export type RefreshingDeps = {
  readonly clock: Clock;
  readonly issuer: string;
  readonly keys: IssuerKeys;
  readonly rules: TokenRules;
  readonly refreshRules: RefreshRules;
  readonly rotations: Rotations;
  readonly known: KnownClients;
  readonly authentication: ClientAuthentication;
  readonly quotas: Quotas;
};

/**
 * Refreshes of agents in front of the core. What is plain and was never used before is answered here, in one look and one
 * transaction; reuse, the grace after it, and everything unusual is for the core, of which nothing has been claimed then.
 */
export function createRefreshing(deps: RefreshingDeps): Issuance {
  const signer = createSigner(deps);
  return {
    async answer(request) {
      // A client that has changed since this process read it is read again and asks again; nothing was claimed.
      for (let attempt = 1; attempt <= 2; attempt++) {
        const inOrder = await check(deps, request);
        if (inOrder === undefined) return undefined;
        const { known } = inOrder.authenticated;
        const { id, tenant } = known.client;
        const counted = { id, tenant, consented: true };
        const limits = attempt === 1 ? await deps.quotas.take("tokens", counted) : {};
        const made = await make(signer, inOrder);
        const rotated = await deps.rotations.rotate({ ...made, known });
        if (rotated === "rotated")
          return { status: 200, body: made.answer, nonce: nextNonce(deps.rules, inOrder.proof), limits };
        if (rotated === "not") return undefined;
        deps.known.forget(known.client.id);
      }
      return undefined;
    },
  };
}

/** 256 random bits, as the core's. */
const newRefreshToken = (): string => randomBytes(32).toString("base64url");

/** A refresh that is in order, as far as this process knows. */
type InOrder = {
  readonly authenticated: Authenticated & { readonly firstUse: string };
  readonly proof: Proof;
  readonly used: RotatableToken;
  readonly planned: PlannedRefresh;
};

async function check(deps: RefreshingDeps, request: PlainRequest): Promise<InOrder | undefined> {
  const { clock, authentication, rules, issuer } = deps;
  const now = clock.now();
  const { authorization, form, dpop } = request;
  const authenticated = await authentication.authenticate({ authorization, form }, now);
  if (authenticated?.firstUse === undefined || dpop === undefined) return undefined;
  const { client } = authenticated.known;
  const registered = client.dpopThumbprint;
  if (client.kind !== "agent" || registered === undefined) return undefined;
  const proof = checkProof({ proof: dpop, issuer, client: client.id, registered, rules, now });
  if (proof === undefined || proof.firstUse === authenticated.firstUse) return undefined;
  const used = await deps.rotations.find(form["refresh_token"] ?? "");
  const asked = used && { client, thumbprint: proof.thumbprint, used, form, now };
  const planned = asked && deps.refreshRules.decide(asked);
  if (used === undefined || planned === undefined) return undefined;
  return { authenticated: { ...authenticated, firstUse: authenticated.firstUse }, proof, used, planned };
}

/** All that comes of it, made before it counts: nobody has it until its use is committed. */
async function make(signer: Signer, { authenticated, proof, used, planned }: InOrder) {
  const { kid, claims, lifeS, scope, details, successor, successorEnds } = planned;
  const id = newRefreshToken();
  const answer: TokenAnswer["body"] = {
    access_token: await signer.sign(kid, { ...claims, jti: signer.newJti() }),
    expires_in: lifeS,
    refresh_token: id,
    scope,
    token_type: "DPoP",
    ...(details === undefined ? {} : { authorization_details: details }),
  };
  return {
    used,
    firstUses: [authenticated.firstUse, proof.firstUse],
    successor: { id, payload: { ...successor, jti: id }, expiresAt: successorEnds },
    answer,
  };
}
