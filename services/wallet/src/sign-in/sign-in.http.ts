import { minuteMs, secondMs } from "@remit/kernel";
import { type Page, type PageAnswer, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { clientId } from "../issuer/index.ts";
import type { Sessions } from "../sessions/index.ts";
import type { Cookies } from "./cookies.ts";
import { type SignIns, signInMs } from "./sign-in.ts";

type Deps = {
  readonly signIns: SignIns;
  readonly sessions: Sessions;
  readonly cookies: Cookies;
  readonly issuer: string;
  readonly origin: string;
};

const limit = { count: 60, windowMs: minuteMs };
const aal = z.enum(["urn:remit:aal1", "urn:remit:aal2", "urn:remit:aal3"]);
const Start = z.strictObject({
  to: z.string().max(500).optional(),
  acr: aal.optional(),
  max_age: z.coerce.number().int().min(0).max(86_400).optional(),
});
// RFC 6749 §4.1.2: members that are not known are passed over.
const Answer = z.object({
  state: z.string().max(200),
  iss: z.string().max(300).optional(),
  code: z.string().max(500).optional(),
  error: z.string().max(100).optional(),
});

/** The way in and out. What the person sees of it are the issuer's pages, and the portal's own for what went wrong. */
export const signInPages = (deps: Deps): Page[] => [startPage(deps), callbackPage(deps), signOutPage(deps)];

const startPage = ({ signIns, cookies, origin }: Deps): Page =>
  page({
    method: "GET",
    path: "/sign-in",
    query: Start,
    limit,
    refused: toRefusal,
    handle: async (call, { query }) => {
      const started = await signIns.start({
        to: ownPath(query.to, origin),
        // Two tabs sign in at once, and this browser has one cookie: neither may take the other's away.
        browserSecret: cookies.signIn.read(call.cookies),
        ...(query.acr === undefined ? {} : { acr: query.acr }),
        ...(query.max_age === undefined ? {} : { maxAgeS: query.max_age }),
      });
      const setCookies = [cookies.signIn.set(started.browserSecret, signInMs / secondMs)];
      return { status: 303, location: started.location, setCookies };
    },
  });

const callbackPage = ({ signIns, sessions, cookies }: Deps): Page =>
  page({
    method: "GET",
    path: "/callback",
    query: Answer,
    limit,
    refused: toRefusal,
    handle: async (call, { query: { state, iss, code, error } }) => {
      const secret = cookies.signIn.read(call.cookies);
      const finished = await signIns.finish({ state, iss, code, error }, secret);
      if ("refused" in finished) {
        call.log.info({ because: finished.refused }, "nobody was signed in");
        return refusal(finished.refused);
      }
      // A new secret with every sign-in: whoever knew the one before knows nothing (session fixation).
      const opened = await sessions.open(finished.session, cookies.session.read(call.cookies));
      return { status: 303, location: finished.to, setCookies: [cookies.session.set(opened)] };
    },
  });

/** RP-Initiated Logout 1.0 §2: ours ends at once, or has; the issuer asks whether all is to end. */
const signOutPage = ({ sessions, cookies, issuer, origin }: Deps): Page =>
  page({
    method: "POST",
    path: "/sign-out",
    criticality: "critical",
    form: z.strictObject({}),
    limit,
    handle: async (call) => {
      assertOwnForm(call, origin);
      const session = await sessions.find(cookies.session.read(call.cookies) ?? "");
      if (session !== undefined) await sessions.end(session);
      const location = new URL("/oauth/end-session", issuer);
      location.search = new URLSearchParams({
        ...(session === undefined ? { client_id: clientId } : { id_token_hint: session.tokens.idToken }),
        post_logout_redirect_uri: `${origin}/signed-out`,
      }).toString();
      return { status: 303, location: location.href, setCookies: [cookies.session.clear()] };
    },
  });

/** Fetch Metadata and Origin: a form that another site posts is not the person's will. */
export function assertOwnForm(call: { header(name: string): string | undefined }, origin: string): void {
  const site = call.header("sec-fetch-site");
  const from = call.header("origin");
  if (from === origin && (site === undefined || site === "same-origin")) return;
  throw new Problem("invalid_request", { detail: "The form is not one of this portal." });
}

/**
 * Only a path of ours is gone to afterwards; never another site (open redirect). A path may begin with two slashes once its
 * dots are resolved (`/.//elsewhere`), and would then name a host.
 */
function ownPath(to: string | undefined, origin: string): string {
  const url = to === undefined || !to.startsWith("/") ? null : URL.parse(to, origin);
  if (url === null || url.origin !== origin || url.pathname.startsWith("//")) return "/";
  return url.pathname + url.search;
}

const toRefusal = (problem: Problem): PageAnswer => refusal(problem.code);

const refusal = (because: string): PageAnswer => ({
  status: 303,
  location: `/not-signed-in?because=${encodeURIComponent(because)}`,
});
