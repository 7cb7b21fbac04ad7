import { type Instant, toNumericDate } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import {
  checkOf,
  isAhead,
  isExpired,
  type JsonObject,
  keyFor,
  newEvent,
  Problem,
  parseJws,
} from "@remit/protocol";
import { holds, randomText } from "@remit/protocol/node";
import { tokenTypes } from "../delegations/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import type { GrantAnswer, GrantCall } from "../oidc/index.ts";
import { type IdJagIssueRules, idJagTyp } from "./rules.ts";
import { stillStands, type Trust, trustsIn } from "./trusts.ts";

type Deps = { readonly db: Database; readonly keys: IssuerKeys; readonly issuer: string };

const lifeS = 300;

/**
 * Issues an identity assertion for another authorization server (draft-ietf-oauth-identity-assertion-authz-grant-04
 * §4.3) for an ID token that this very client got, if the client's tenant has allowed it for that server.
 */
export const issueIdJag =
  ({ db, keys, issuer }: Deps): ((call: GrantCall, idToken: string) => Promise<GrantAnswer>) =>
  async (call, idToken) => {
    const { client, now } = call;
    if (!client.authenticated)
      throw new Problem("unauthorized_client", { detail: "The client must authenticate." });
    const [audience, ...more] = call.list("audience");
    if (audience === undefined || more.length > 0)
      throw new Problem("invalid_target", { detail: "audience names the one other authorization server." });
    const person = readIdToken(keys.jwks(idTokenKeys).keys, { idToken, issuer, client: client.id, now });
    const jti = randomText();
    const { rules, scopes, resource } = await db.of(client.tenant).transaction(async (tx) => {
      const trusts = await trustsIn(tx, client.id, now);
      const trust = trusts.filter(isOutbound).find((one) => one.rules.audience === audience);
      if (trust === undefined || !(await stillStands(tx, trust, now)))
        throw new Problem("invalid_target", { detail: "This client may have no assertion for that server." });
      const allowed = {
        rules: trust.rules,
        scopes: scopesFor(call, trust),
        resource: resourceFor(call, trust),
      };
      const payload = { trust: trust.id, audience, scope: allowed.scopes.join(" "), token_type: "id-jag" };
      const actor = { type: "client", id: client.id } as const;
      await tx.record(newEvent("token.issued", { tenant: tx.tenant, actor, subject: jti, payload }, now));
      return allowed;
    });
    const iat = toNumericDate(now);
    const claims = {
      ...person,
      iss: issuer,
      aud: audience,
      client_id: rules.client_id,
      jti,
      iat,
      exp: iat + lifeS,
      ...(resource === undefined ? {} : { resource }),
      scope: scopes.join(" "),
    };
    return {
      access_token: await keys.sign("id", { typ: idJagTyp }, claims),
      issued_token_type: tokenTypes.idJag,
      token_type: "N_A",
      expires_in: lifeS,
      scope: scopes.join(" "),
    };
  };

type Outbound = Trust & { readonly rules: IdJagIssueRules };
const isOutbound = (trust: Trust): trust is Outbound => trust.rules.kind === "id_jag_issue";

function scopesFor(call: GrantCall, { scopes }: Trust): readonly string[] {
  const wanted = call.param("scope")?.split(" ").filter(Boolean) ?? scopes;
  if (wanted.length === 0 || !wanted.every((scope) => scopes.includes(scope)))
    throw new Problem("invalid_scope", { detail: `At most ${scopes.join(" ")}.` });
  return wanted;
}

function resourceFor(call: GrantCall, { rules }: Outbound): string | undefined {
  const [wanted, ...more] = call.list("resource");
  if (more.length > 0 || (wanted !== undefined && !rules.resources.includes(wanted)))
    throw new Problem("invalid_target", { detail: "The resource is not one of those allowed there." });
  return wanted;
}

// What the core signs ID tokens with, one key for each alg (`oidc/signing.ts`). The typ keeps them from access tokens.
const idTokenKeys = ["id", "id-eddsa"];

type Person = JsonObject & { readonly sub: string };

/** OpenID Connect §3.1.3.7, for an ID token of our own that this client was given (§4.3.1 of the draft: aud = client). */
function readIdToken(
  keys: ReturnType<IssuerKeys["jwks"]>["keys"],
  given: { idToken: string; issuer: string; client: string; now: Instant },
): Person {
  const jws = parsed(given.idToken);
  const { iss, sub, aud, exp, iat, auth_time, acr, amr } = jws.payload;
  const key = keyFor(keys, jws.header);
  if (key === undefined || !holds(checkOf(jws, key, "invalid_request")))
    throw refused("The ID token is not ours.");
  if (iss !== given.issuer || typeof sub !== "string") throw refused("The ID token is not ours.");
  const one = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (one !== given.client) throw refused("The ID token was given to another client.");
  if (
    typeof exp !== "number" ||
    typeof iat !== "number" ||
    isExpired(exp, given.now) ||
    isAhead(iat, given.now)
  )
    throw refused("The ID token has expired.");
  return {
    sub,
    ...(typeof auth_time === "number" && { auth_time }),
    ...(typeof acr === "string" && { acr }),
    ...(Array.isArray(amr) && { amr }),
  };
}

function parsed(idToken: string): ReturnType<typeof parseJws> {
  try {
    return parseJws(idToken, {
      typ: ["JWT", undefined],
      algs: ["ES256", "EdDSA"],
      refuse: "invalid_request",
    });
  } catch (error) {
    if (error instanceof Problem) throw refused("The ID token cannot be read.");
    throw error;
  }
}

// RFC 8693 §2.2.2.
const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
