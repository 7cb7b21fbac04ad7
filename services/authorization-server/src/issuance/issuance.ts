import type { Clock, Instant } from "@remit/kernel";
import { toNumericDate } from "@remit/kernel";
import { createBatches } from "@remit/platform/batches";
import type { Database } from "@remit/platform/sql";
import { isScope, mayBeBearer, type RemitEvent } from "@remit/protocol";
import {
  type Authenticated,
  type Client,
  type ClientAuthentication,
  confirmAll,
  type Entries,
  type KnownClients,
  type PlainRequest,
} from "../clients/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import type { PlannedToken, TokenRules } from "../oidc/index.ts";
import type { Quotas } from "../quotas/index.ts";
import { issuedEvents } from "./issued-events.ts";
import { checkProof, nextNonce, type Proof } from "./proof.ts";
import { createSigner, type Signer } from "./signer.ts";

/** Gives tokens in front of the core: the same answers, for a fraction of the work. */
export type Issuance = {
  /** The answer to a plain request; undefined for everything else, of which nothing has been claimed. */
  answer(request: PlainRequest): Promise<TokenAnswer | undefined>;
};

export type TokenAnswer = {
  readonly status: 200 | 400 | 401;
  readonly body: Readonly<Record<string, unknown>>;
  /** The nonce to use next, when it is another than the one that was used. */
  readonly nonce: string | undefined;
  /** Headers that say what is left of the client's quota. */
  readonly limits?: Readonly<Record<string, string>>;
};

export type IssuanceDeps = {
  readonly db: Database;
  /** What the log and the outbox get of events. */
  readonly entriesOf: (events: readonly RemitEvent[]) => Entries;
  readonly clock: Clock;
  readonly issuer: string;
  readonly keys: IssuerKeys;
  readonly rules: TokenRules;
  readonly known: KnownClients;
  readonly authentication: ClientAuthentication;
  readonly quotas: Quotas;
};

/** A request that is in order, as far as this process knows. */
export type InOrder = {
  readonly authenticated: Authenticated;
  readonly planned: PlannedToken;
  readonly proof: Proof | undefined;
  readonly jti: string;
  readonly now: Instant;
};

/** Clients' tokens for themselves (RFC 6749 §4.4). */
export function createIssuance(deps: IssuanceDeps): Issuance {
  const signer = createSigner(deps);
  const confirmations = createBatches({
    commit: (requests: readonly InOrder[]) => commit(deps, requests),
  });
  return {
    async answer(request) {
      // A client that has changed since this process read it is read again and asks again; nothing was claimed.
      for (let attempt = 1; attempt <= 2; attempt++) {
        const inOrder = await check(deps, request, signer.newJti());
        if (inOrder === undefined) return undefined;
        const limits =
          attempt === 1 ? await deps.quotas.take("tokens", inOrder.authenticated.known.client) : {};
        const { changed, used } = await confirmations.add(inOrder);
        if (!changed)
          return used.length === 0
            ? { ...(await issued(signer, inOrder, deps)), limits }
            : { ...replayed(inOrder, used, deps), limits };
        deps.known.forget(inOrder.authenticated.known.client.id);
      }
      return undefined;
    },
  };
}

async function check(
  { clock, authentication, rules, issuer }: IssuanceDeps,
  request: PlainRequest,
  jti: string,
): Promise<InOrder | undefined> {
  const now = clock.now();
  const { authorization, form } = request;
  const authenticated = await authentication.authenticate({ authorization, form }, now);
  if (authenticated === undefined) return undefined;
  const { client } = authenticated.known;
  const planned = rules.decide(client, { scope: form["scope"], resource: form["resource"] });
  if (planned === undefined) return undefined;
  // RFC 9449 §5, §10.1: who signs assertions has a registered key, and its tokens are bound to that one.
  if (authenticated.method === "client_secret" && request.dpop === undefined)
    return mayBeUnbound(client, planned) ? { authenticated, planned, proof: undefined, jti, now } : undefined;
  if (client.kind !== "agent" && authenticated.method === "client_secret") return undefined;
  const registered = client.dpopThumbprint;
  if (request.dpop === undefined || registered === undefined) return undefined;
  const asked = { proof: request.dpop, issuer, client: client.id, registered, rules, now };
  const proof = checkProof(asked);
  if (proof === undefined || proof.firstUse === authenticated.firstUse) return undefined;
  return { authenticated, planned, proof, jti, now };
}

/** An agent has tokens that are bound to no key if its tenant says so, and for little (design section 5). */
const mayBeUnbound = ({ kind, bearer }: Client, { scope }: PlannedToken): boolean =>
  kind !== "agent" ||
  (bearer === true && scope.split(" ").every((name) => isScope(name) && mayBeBearer(name)));

/** One statement for all: who still is as known, which first uses are first, and what was issued because of it. */
function commit({ db, clock, entriesOf }: IssuanceDeps, requests: readonly InOrder[]) {
  const now = clock.now();
  const asked = requests.map((request) => {
    const { known, firstUse } = request.authenticated;
    return {
      request,
      known,
      firstUses: [firstUse, request.proof?.firstUse].filter((use) => use !== undefined),
    };
  });
  return confirmAll(db.single, asked, {
    now,
    entriesOf: (confirmed) =>
      entriesOf(
        issuedEvents(
          confirmed.map(({ request }) => request),
          now,
        ),
      ),
  });
}

async function issued(signer: Signer, request: InOrder, deps: IssuanceDeps): Promise<TokenAnswer> {
  const { authenticated, planned, proof, jti, now } = request;
  const { client } = authenticated.known;
  const { audience, scope, lifeS, kid } = planned;
  const iat = toNumericDate(now);
  const token = await signer.sign(kid, {
    ...deps.rules.claims(client),
    jti,
    sub: client.id,
    iat,
    exp: iat + lifeS,
    scope,
    client_id: client.id,
    iss: deps.issuer,
    aud: audience,
    ...(proof === undefined ? {} : { cnf: { jkt: proof.thumbprint } }),
  });
  const type = proof === undefined ? "Bearer" : "DPoP";
  const body = { access_token: token, expires_in: lifeS, scope, token_type: type };
  return { status: 200, body, nonce: nextNonce(deps.rules, proof) };
}

/** As the core refuses an assertion (RFC 7523 §3: `invalid_client`) or a proof (`invalid_grant`) that was used before. */
function replayed(
  { authenticated, proof }: InOrder,
  used: readonly string[],
  deps: IssuanceDeps,
): TokenAnswer {
  if (authenticated.firstUse !== undefined && used.includes(authenticated.firstUse)) {
    const body = { error: "invalid_client", error_description: "client authentication failed" };
    return { status: 401, body, nonce: undefined };
  }
  const body = { error: "invalid_grant", error_description: "grant request is invalid" };
  return { status: 400, body, nonce: nextNonce(deps.rules, proof) };
}
