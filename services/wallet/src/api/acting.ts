import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import { Problem, type ProblemCode } from "@remit/protocol";
import type { Issuer, IssuerAnswer } from "../issuer/index.ts";
import type { PortalSession } from "../sessions/index.ts";
import type { AccessTokens } from "./tokens.ts";

export type ActingFor = { readonly organization: string; readonly origin: string };

/** The tokens by which signed-in people act for organizations (docs/decisions/0057). */
export type ActingTokens = {
  /**
   * One for the service at `origin`, other than the one that was refused; undefined when the session is over. An
   * organization that the person does not act for is not found, like one that there is not.
   */
  get(session: PortalSession, wanted: ActingFor, refused?: string): Promise<string | undefined>;
};

type Deps = { readonly issuer: Issuer; readonly tokens: AccessTokens; readonly clock: Clock };
type Kept = { readonly token: string; readonly until: Instant };

const spareMs = 15 * secondMs;
const keptMax = 5_000;

/**
 * Kept by this process alone: an exchange uses nothing up, so that two processes may each have one, and what is lost with a
 * process is one more exchange. A session that ended is not looked up, and its tokens are refused wherever they are known.
 */
export function createActingTokens({ issuer, tokens, clock }: Deps): ActingTokens {
  const kept = new Map<string, Kept>();
  const underWay = new Map<string, Promise<string | undefined>>();
  const exchange = async (session: PortalSession, wanted: ActingFor): Promise<Kept | undefined> => {
    const own = await tokens.get(session, issuer.origin);
    if (own === undefined) return undefined;
    const first = await ask(issuer, own, wanted);
    if (first.status < 400) return keptOf(first, clock.now());
    if (first.body["error"] !== "invalid_request") throw refusalOf(first);
    // The person's own token counts no more (RFC 8693 §2.2.2): it is renewed once.
    const renewed = await tokens.renew(session, issuer.origin, own);
    if (renewed === undefined) return undefined;
    const second = await ask(issuer, renewed, wanted);
    if (second.status >= 400) throw refusalOf(second);
    return keptOf(second, clock.now());
  };
  const fetched = async (key: string, asked: Promise<Kept | undefined>): Promise<string | undefined> => {
    const fresh = await asked;
    if (fresh === undefined) return undefined;
    kept.delete(key);
    kept.set(key, fresh);
    const oldest = kept.keys().next().value;
    if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
    return fresh.token;
  };
  return {
    async get(session, wanted, refused) {
      const key = `${session.id} ${wanted.organization} ${wanted.origin}`;
      const known = kept.get(key);
      if (known !== undefined && known.token !== refused && known.until - spareMs > clock.now())
        return known.token;
      const running = underWay.get(key);
      if (running !== undefined) return running;
      const mine = fetched(key, exchange(session, wanted)).finally(() => underWay.delete(key));
      underWay.set(key, mine);
      return mine;
    },
  };
}

/** RFC 8693 §2.1, with the organization beside it. */
const ask = (issuer: Issuer, token: string, { organization, origin }: ActingFor): Promise<IssuerAnswer> =>
  issuer.post("/oauth/token", {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: token,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    organization_id: organization,
    resource: origin,
  });

function keptOf({ body }: IssuerAnswer, now: Instant): Kept {
  const { access_token: token, expires_in: lifeS } = body;
  if (typeof token !== "string" || typeof lifeS !== "number")
    throw new Problem("unavailable", { private: { because: "the issuer exchanged nothing" } });
  return { token, until: after(now, lifeS * secondMs) };
}

const codes: Readonly<Record<string, ProblemCode>> = { invalid_target: "not_found" };

function refusalOf({ status, body }: IssuerAnswer): Problem {
  const error = typeof body["error"] === "string" ? body["error"] : "";
  return new Problem(codes[error] ?? "unavailable", {
    private: { because: "the issuer exchanged nothing", status, error, detail: body["error_description"] },
  });
}
