import type { Id } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { SignedIn } from "../oidc/index.ts";
import { csrf, type Html, refusalPage } from "../pages/index.ts";
import { endOwnSession, endSessionsOf, type Sessions } from "../sessions/index.ts";
import { endGrantOfPerson, type GrantsOfPerson, grantsOfPerson } from "./applications.ts";
import { type Door, forSignedIn, senderOf } from "./door.ts";
import { recentEvents } from "./events.ts";
import { accountPage, backTo, hrefOf, type Outcome, type Place, places, ShownAfter } from "./frame.ts";
import { applicationsBody, eventsBody, overviewBody, sessionsBody } from "./views.ts";

type Deps = GrantsOfPerson & Door & { readonly db: Database; readonly sessions: Sessions };

const SignedInQuery = z.looseObject({
  state: z.string().max(64).optional(),
  error: z.string().max(64).optional(),
});

/** What a person sees and ends of their own account. A GET only shows; what counts is a POST from our own page. */
export function accountPages(deps: Deps): Page[] {
  const { db, sessions } = deps;
  return [
    shown(deps, "overview", async (me) => {
      const { home, id } = me.account;
      const many = {
        sessions: (await sessions.list(home, id)).length,
        applications: (await grantsOfPerson(deps, me.account)).length,
      };
      return { title: "Your account", body: overviewBody(me, many) };
    }),
    shown(deps, "sessions", async (me, check) => {
      const views = await sessions.list(me.account.home, me.account.id);
      return { title: "Sessions", body: sessionsBody(me, views, check) };
    }),
    shown(deps, "applications", async (me, check) => ({
      title: "Applications",
      body: applicationsBody(await grantsOfPerson(deps, me.account), check),
    })),
    shown(deps, "events", async (me) => ({
      title: "Activity",
      body: eventsBody(await recentEvents(db, me.account)),
    })),
    signedIn(deps),
    done(
      deps,
      { path: "/account/sessions/end", form: z.strictObject({ csrf, id: idOf("session") }) },
      endSession,
    ),
    done(deps, { path: "/account/sessions/end-others", form: z.strictObject({ csrf }) }, endOthers),
    done(deps, { path: "/account/applications/end", form: GrantForm }, endApplication),
  ];
}

const GrantForm = z.strictObject({ csrf, grant: z.string().regex(/^[\w-]{43}$/) });

type Doing<F> = (
  deps: Deps,
  me: SignedIn,
  given: { form: F; call: PageCall },
) => Promise<readonly [Place, Outcome]>;

const endSession: Doing<{ id: Id<"session"> }> = async (
  { db },
  { account },
  { form: { id }, call: { now } },
) => {
  const actor = { type: "account", id: account.id } as const;
  const end = { id, account: account.id, because: "revoked_by_person", actor, now } as const;
  await db.of(account.home).transaction((tx) => endOwnSession(tx, end));
  return ["sessions", "session-ended"];
};

const endOthers: Doing<unknown> = async ({ db }, { account, sid }, { call: { now } }) => {
  const actor = { type: "account", id: account.id } as const;
  const why = { because: "revoked_by_person", actor, now, except: sid } as const;
  await db.of(account.home).transaction((tx) => endSessionsOf(tx, account.id, why));
  return ["sessions", "others-ended"];
};

const endApplication: Doing<{ grant: string }> = async (deps, { account }, { form, call: { now } }) => {
  await endGrantOfPerson(deps, account, { digest: form.grant, now });
  return ["applications", "application-ended"];
};

/** A page for whoever is signed in; anybody else is sent to sign in, and back. */
const shown = (
  { access, forms }: Deps,
  place: Place,
  render: (me: SignedIn, check: Html) => Promise<{ title: string; body: Html }>,
): Page =>
  page({
    method: "GET",
    path: places[place].href,
    query: ShownAfter,
    refused: refusalPage,
    handle: (call, { query }) =>
      forSignedIn({ access }, call, {
        page: place,
        show: async (me) =>
          accountPage(place, { ...(await render(me, forms.field(me.conversation))), done: query.done }),
      }),
  });

/** Something done by the person in front of it: the form is ours, of this browser's session (A17). */
function done<F extends z.ZodType<{ csrf: string }>>(
  deps: Deps,
  { path, form: schema }: { path: string; form: F },
  work: Doing<z.output<F>>,
): Page {
  return page({
    method: "POST",
    path,
    form: schema,
    refused: refusalPage,
    handle: async (call, { form }): Promise<PageAnswer> => {
      const me = await senderOf(deps, call, form);
      // The edge has parsed it by this schema; a generic one's parsed type the compiler cannot follow.
      const [place, outcome] = await work(deps, me, { form: form as z.output<F>, call });
      return backTo(place, outcome);
    },
  });
}

/** The way back from signing in. The code in the address is left to expire: the session is what was wanted. */
const signedIn = ({ access }: Door): Page =>
  page({
    method: "GET",
    path: "/account/signed-in",
    query: SignedInQuery,
    refused: refusalPage,
    handle: async (call, { query: { state = "", error } }) => {
      if (error === undefined) return { status: 303, location: hrefOf(state) };
      // Whoever was asked to show it once more and went back is still signed in.
      if ((await access.current(call.raw)) !== undefined)
        return { status: 303, location: places["sign-in-methods"].href };
      throw new Problem("access_denied", { detail: "You are not signed in. Open your account again." });
    },
  });
