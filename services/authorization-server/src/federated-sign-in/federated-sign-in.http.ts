import type { Instant } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Proof } from "../assurance/index.ts";
import { type Conversation, type Interrupt, limit, members, Uid } from "../conversation/index.ts";
import type { Identities } from "../identities/index.ts";
import {
  callbackOf,
  callbackPath,
  type IdentityProvider,
  providerById,
  type Upstream,
} from "../identity-providers/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { Offers } from "../sign-in/index.ts";
import type { Tickets } from "../tickets/index.ts";
import { linkOffer, linkPage } from "./link.http.ts";
import { offersFor, organizationPages } from "./offers.http.ts";
import { pendingPage, stalePage, troublePage } from "./views.ts";
import { type Begun, cookieOf, type Returned, type Visits } from "./visits.ts";

/** Somebody who has shown one thing so far: what an identity provider said of them. */
type First = {
  readonly asked: SignInAsked;
  readonly account: Account;
  readonly provenAt: Instant;
  readonly first: Proof;
};

export type FederatedDeps = {
  readonly db: Database;
  readonly issuer: string;
  readonly accounts: Accounts;
  readonly identities: Identities;
  readonly upstream: Upstream;
  readonly visits: Visits;
  readonly tickets: Tickets;
  readonly conversation: Conversation;
  /** Goes on as after a password: whoever has a second factor is asked for it. */
  readonly afterFirst: (call: PageCall, shown: First) => Promise<PageAnswer>;
  readonly counted: (outcome: string) => void;
};

export type FederatedSignIn = {
  readonly pages: readonly Page[];
  /** The ways out to a provider, for the sign-in page. */
  offers(asked: SignInAsked): Promise<Offers>;
  /** Asks somebody who has just signed in whether to link what they came with; undefined when there is nothing. */
  readonly offerLink: Interrupt;
};

export const createFederatedSignIn = (deps: FederatedDeps): FederatedSignIn => ({
  pages: [startPage(deps), callbackPage(deps), arrivalPage(deps), linkPage(deps), ...organizationPages(deps)],
  offers: (asked) => offersFor(deps, asked),
  offerLink: (call, asked, shown) => linkOffer(deps, call, { asked, ...shown }),
});

const path = "/oauth/interactions/:uid";
const ProviderPath = z.strictObject({ ...Uid.shape, id: idOf("provider") });

/** Out to the provider. A link and not a form: a page's policy would have to name wherever the provider leads to. */
const startPage = (deps: FederatedDeps): Page =>
  page({
    method: "GET",
    path: `${path}/identity-providers/:id`,
    params: ProviderPath,
    query: z.strictObject({ login_hint: members.email.optional(), again: z.literal("1").optional() }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid, id }, query }) => {
      const asked = await deps.conversation.read(call, uid);
      const provider = await activeProvider(deps, id);
      const begun = await deps.visits.begin({
        provider: id,
        uid,
        now: call.now,
        asked: {
          redirectUri: callbackOf(deps.issuer, id),
          fresh: asked.fresh || query.again !== undefined,
          second: asked.wanted.aal > 1,
          loginHint: query.login_hint,
        },
      });
      try {
        const location = await deps.upstream.authorizationUrl(provider, begun.question);
        return { status: 303, location, setCookies: [cookieFor(deps, begun)], headers: kept };
      } catch (error) {
        return trouble(deps, call, { error, provider, uid });
      }
    },
  });

const kept = { "cache-control": "no-store" };

const activeProvider = async (
  { db }: FederatedDeps,
  id: IdentityProvider["id"],
): Promise<IdentityProvider> => {
  const provider = await providerById(db, id);
  if (provider === undefined)
    throw new Problem("not_found", { detail: "This way to sign in is not offered any more." });
  return provider;
};

/** Lax: the provider sends the browser back from another site. The path keeps it from every other page. */
function cookieFor({ issuer }: FederatedDeps, { question, browser }: Begun): string {
  const secure = issuer.startsWith("https:");
  const rights = `Path=/oauth/identity-providers/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
  return `${cookieOf(question.state, secure)}=${browser}; Max-Age=600; ${rights}`;
}

const Answer = z.looseObject({ state: z.string().min(1).max(128) });

/**
 * Back from the provider (OIDC Core §3.1.2.5). The state is used up first and only by the browser that asked, so that
 * nobody is signed in with an answer that somebody else got (login CSRF, RFC 6749 §10.12).
 */
const callbackPage = (deps: FederatedDeps): Page =>
  page({
    method: "GET",
    path: callbackPath,
    params: z.strictObject({ id: idOf("provider") }),
    query: Answer,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { id }, query: { state } }) => {
      const { now } = call;
      const browser = cookieIn(call, cookieOf(state, deps.issuer.startsWith("https:")));
      const returned = browser && (await deps.visits.take({ provider: id, state, browser, now }));
      if (!returned)
        throw new Problem("invalid_request", {
          detail: "This sign-in was used, has expired, or was begun in another browser. Begin again.",
        });
      const provider = await activeProvider(deps, id);
      return received(deps, call, { provider, returned });
    },
  });

async function received(
  deps: FederatedDeps,
  call: PageCall,
  { provider, returned: { question, uid } }: { provider: IdentityProvider; returned: Returned },
): Promise<PageAnswer> {
  try {
    const said = await deps.upstream.redeem(provider, question, new URL(call.url));
    const visit = await deps.visits.keep({ state: question.state, uid, said, now: call.now });
    return { status: 303, location: `${interactionPath(uid)}/identity/${visit}`, headers: kept };
  } catch (error) {
    return trouble(deps, call, { error, provider, uid });
  }
}

const cookieIn = ({ cookies = "" }: PageCall, name: string): string | undefined =>
  cookies
    .split("; ")
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);

/** A page with ways on for whatever went wrong at the provider; what is our fault goes on. */
function trouble(
  { counted }: FederatedDeps,
  call: PageCall,
  { error, provider, uid }: { error: unknown; provider: IdentityProvider; uid: string },
): PageAnswer {
  if (!(error instanceof Problem)) throw error;
  const { code, status, private: why } = error;
  counted(code);
  // Without its cause: what openid-client throws holds the answer, and with it codes and claims of a person.
  call.log.warn({ code, provider: provider.id, private: why }, "a federated sign-in failed");
  return troublePage({ uid, provider, code, status });
}

const VisitPath = z.strictObject({ ...Uid.shape, visit: z.string().regex(/^[\w-]{43}$/) });

/** Whom the provider has named, back in the conversation and its browser. */
const arrivalPage = (deps: FederatedDeps): Page =>
  page({
    method: "GET",
    path: `${path}/identity/:visit`,
    params: VisitPath,
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid, visit } }) => {
      const asked = await deps.conversation.read(call, uid);
      const { now } = call;
      const waiting = await deps.visits.find({ visit, uid, now });
      if (waiting === undefined)
        throw new Problem("invalid_request", { detail: "This page has expired. Go back and begin again." });
      const provider = await activeProvider(deps, waiting.provider);
      const came = { provider, said: waiting.said };
      const arrival = await deps.identities.arrive(came, { known: asked.known !== undefined, now });
      if (arrival.kind === "pending") {
        deps.counted(arrival.because);
        if (arrival.mayLink) await deps.visits.waitToLink(visit, now);
        return pendingPage(deps.conversation, { ...arrival, asked, provider });
      }
      const { account } = arrival;
      const { provenAt } = waiting;
      // What the provider asked before its person got back in here counts no more, also when it is used only now.
      if ((await deps.accounts.byId(account.id, provenAt)) === undefined) return stalePage({ uid, provider });
      const second = await deps.identities.vouchesForSecond(came, account);
      deps.counted("signed_in");
      const first = { kind: "federated", second } as const;
      return deps.afterFirst(call, { asked, account, provenAt, first });
    },
  });

/** The table of this room, by the kind of protection it has. */
export const federatedSignInTables = { provider_visits: "global" } as const;
