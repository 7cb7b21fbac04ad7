import { parseId, toRfc3339 } from "@remit/kernel";
import { type Page, type PageAnswer, page, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf, MembershipList } from "@remit/protocol/contracts";
import { z } from "zod";
import {
  accountPage,
  backTo,
  type Door,
  forSignedIn,
  type Outcome,
  places,
  ShownAfter,
  senderOf,
} from "../account/index.ts";
import type { Accounts } from "../accounts/index.ts";
import type { SignedIn } from "../oidc/index.ts";
import { removeMember } from "../organizations/index.ts";
import { csrf, refusalPage } from "../pages/index.ts";
import { membershipsOf } from "./memberships.ts";
import { scopesOfRole } from "./roles.ts";
import { membershipsBody } from "./views.ts";

/** What the wallet lets a person choose from; the choice itself is an exchange of its token (`acting.ts`). */
export const membershipRoute = ({
  db,
  accounts,
}: {
  readonly db: Database;
  readonly accounts: Pick<Accounts, "byId">;
}): Route =>
  route({
    method: "GET",
    path: "/api/v1/memberships",
    summary: "The organizations that a person belongs to, and what they may do for each",
    needs: { scope: "wallet:read" },
    answers: { 200: MembershipList },
    handle: async ({ caller }) => {
      const account = parseId("account", caller.subject) && (await accounts.byId(caller.subject));
      if (account === undefined) throw new Problem("forbidden", { detail: "Only a person has memberships." });
      const data = (await membershipsOf(db, account)).map((one) => ({
        organizationId: one.tenant,
        name: one.name,
        slug: one.slug,
        kind: one.kind,
        personal: one.personal,
        role: one.role,
        scopes: [...scopesOfRole[one.role]],
        since: toRfc3339(one.since),
      }));
      return { status: 200, body: { data } };
    },
  });

type Deps = Door & { readonly db: Database };

const place = "organizations";

/** Where a person belongs, and where they leave. */
export const membershipPages = (deps: Deps): Page[] => [shown(deps), left(deps)];

const shown = (deps: Deps): Page =>
  page({
    method: "GET",
    path: places[place].href,
    query: ShownAfter,
    refused: refusalPage,
    handle: (call, { query: { done } }) =>
      forSignedIn(deps, call, { page: place, show: (me) => listed(deps, me, { done }) }),
  });

type Said = { readonly done?: Outcome | undefined; readonly refused?: string; readonly status?: number };

async function listed({ db, forms }: Deps, me: SignedIn, said: Said): Promise<PageAnswer> {
  const body = membershipsBody(await membershipsOf(db, me.account), forms.field(me.conversation));
  return accountPage(place, { title: "Organizations", body, ...said });
}

const left = (deps: Deps): Page =>
  page({
    method: "POST",
    path: `${places[place].href}/leave`,
    form: z.strictObject({ csrf, organization: idOf("tenant") }),
    refused: refusalPage,
    handle: async (call, { form }) => {
      const me = await senderOf(deps, call, form);
      const { account } = me;
      if (form.organization === account.home)
        throw new Problem("forbidden", { detail: "Your own organization goes with your account." });
      const actor = { type: "account", id: account.id } as const;
      try {
        const from = { tenant: form.organization, account: account.id };
        await removeMember(deps.db, from, { actor, now: call.now });
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "last_owner") throw error;
        const refused = "You are its last owner. Make somebody else an owner first, or delete it.";
        return listed(deps, me, { refused, status: 409 });
      }
      return backTo(place, "organization-left");
    },
  });
