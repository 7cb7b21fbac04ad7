import { type Clock, fromNumericDate, minuteMs } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import type { KeySource } from "@remit/platform/outbound";
import { decodeUtf8, keyIdOf, Problem } from "@remit/protocol";
import { verifyLogoutToken } from "@remit/protocol/node";
import { clientId } from "../issuer/index.ts";
import type { Sessions } from "../sessions/index.ts";

type Deps = {
  readonly sessions: Sessions;
  readonly issuer: string;
  readonly keys: KeySource;
  readonly clock: Clock;
  /** True for the first use of a key. */
  readonly claim: (key: string, until: ReturnType<typeof fromNumericDate>) => Promise<boolean>;
};

const bytesMax = 20_000;

/** OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8: what ended at the issuer ends here. */
export const logoutRoute = ({ sessions, issuer, keys, clock, claim }: Deps): Route =>
  route({
    method: "POST",
    path: "/backchannel-logout",
    summary: "The issuer tells that a session has ended.",
    needs: "public",
    criticality: "critical",
    body: "raw",
    bodyBytesMax: bytesMax,
    limit: { count: 600, windowMs: minuteMs },
    answers: { 200: nothing, 400: "invalid_request" },
    handle: async ({ log }, { body }) => {
      const token = new URLSearchParams(decodeUtf8(body) ?? "").get("logout_token");
      if (token === null) throw new Problem("invalid_request", { detail: "logout_token is missing." });
      const said = verifyLogoutToken({
        token,
        issuer,
        clientId,
        keys: await keys(keyIdOf(token)),
        now: clock.now(),
      });
      // Ending twice is ending once: a token that comes again is answered as the first time (its answer was lost).
      const first = await claim(`logout ${said.jti}`, fromNumericDate(said.exp));
      const ended = await sessions.endAll(
        said.sid === undefined ? { account: said.sub ?? "" } : { sid: said.sid },
      );
      log.info({ ended, first }, "the issuer ended sessions");
      return { status: 200, headers: { "Cache-Control": "no-store" } };
    },
  });
