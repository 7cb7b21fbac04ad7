import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Issuer } from "../issuer/index.ts";
import type { PortalSession, Sessions, Tokens } from "../sessions/index.ts";

/** The access tokens of signed-in people. */
export type AccessTokens = {
  /** One for the service at this origin; undefined when the issuer has ended the session, which then ends here too. */
  get(session: PortalSession, origin: string): Promise<string | undefined>;
  /** For one that a service has refused: it is not handed out again. */
  renew(session: PortalSession, origin: string, refused: string): Promise<string | undefined>;
};

type Deps = { readonly sessions: Sessions; readonly issuer: Issuer; readonly clock: Clock };

// A token that expires while its request travels would be refused for nothing.
const spareMs = 15 * secondMs;

/**
 * Refreshing uses the refresh token up (it rotates), so that in one process one at a time does it for a session. Of two
 * processes the second gets the first one's successor (the issuer answers a repeat within 10 s alike), and whoever keeps
 * last finds that somebody has. A process that dies before it keeps the answer costs the person a new sign-in after that.
 */
export function createAccessTokens({ sessions, issuer, clock }: Deps): AccessTokens {
  const underWay = new Map<string, Promise<unknown>>();
  const inTurn = async <T>(session: PortalSession, work: () => Promise<T>): Promise<T> => {
    const before = underWay.get(session.id) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    underWay.set(session.id, settled);
    try {
      return await mine;
    } finally {
      if (underWay.get(session.id) === settled) underWay.delete(session.id);
    }
  };
  const refresh = (session: PortalSession, origin: string, refused: string | undefined) =>
    inTurn(session, async () => {
      const current = await sessions.again(session);
      if (current === undefined) return undefined;
      const kept = usable(current.tokens, origin, clock.now());
      if (kept !== undefined && kept !== refused) return kept;
      const fresh = await ask(issuer, { tokens: current.tokens, origin, now: clock.now() });
      if (fresh === undefined) {
        await sessions.end(current);
        return undefined;
      }
      await sessions.keep(current, fresh);
      return fresh.access[origin]?.token;
    });
  return {
    get: async (session, origin) =>
      usable(session.tokens, origin, clock.now()) ?? (await refresh(session, origin, undefined)),
    renew: (session, origin, refused) => refresh(session, origin, refused),
  };
}

function usable({ access }: Tokens, origin: string, now: Instant): string | undefined {
  const kept = access[origin];
  return kept !== undefined && kept.until - spareMs > now ? kept.token : undefined;
}

/** RFC 6749 §6 with RFC 8707 §2.2: a token for one service, and the refresh token's successor. */
async function ask(
  issuer: Issuer,
  { tokens, origin, now }: { tokens: Tokens; origin: string; now: Instant },
): Promise<Tokens | undefined> {
  const { status, body } = await issuer.post("/oauth/token", {
    grant_type: "refresh_token",
    refresh_token: tokens.refresh,
    resource: origin,
  });
  if (status === 400 && body["error"] === "invalid_grant") return undefined;
  const { access_token: token, refresh_token: refresh = tokens.refresh, expires_in: lifeS } = body;
  if (status !== 200 || typeof token !== "string" || typeof refresh !== "string" || typeof lifeS !== "number")
    throw new Problem("unavailable", {
      private: {
        because: "the issuer refreshed nothing",
        status,
        error: body["error"],
        detail: body["error_description"],
      },
    });
  const idToken = typeof body["id_token"] === "string" ? body["id_token"] : tokens.idToken;
  const until = after(now, lifeS * secondMs);
  return { refresh, idToken, access: { ...tokens.access, [origin]: { token, until } } };
}
