import type { Instant } from "@remit/kernel";
import { type Page, type PageAnswer, type PageCall, page } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account } from "../accounts/index.ts";
import { Proof } from "../assurance/index.ts";
import { limit, members, ProvenAt, Uid } from "../conversation/index.ts";
import { providerById, stillActive } from "../identity-providers/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { refusalPage } from "../pages/index.ts";
import type { FederatedDeps } from "./federated-sign-in.http.ts";
import { linkOfferPage } from "./views.ts";

type Deps = Pick<
  FederatedDeps,
  "db" | "accounts" | "identities" | "visits" | "tickets" | "conversation" | "counted"
>;

type Shown = {
  readonly asked: SignInAsked;
  readonly account: Account;
  readonly proofs: readonly Proof[];
  readonly provenAt: Instant;
};

const purpose = "provider-link";
const Linking = z.strictObject({
  account: z.string(),
  proofs: z.array(Proof),
  provenAt: ProvenAt,
  visit: z.string(),
});

/**
 * Somebody came from a provider with an address that has an account, and has now signed in to that very account, by all
 * that it takes: the page that asks for their yes. Whoever signed in to another one goes on without it.
 */
export async function linkOffer(deps: Deps, call: PageCall, shown: Shown): Promise<PageAnswer | undefined> {
  const { visits, identities, tickets, conversation, db } = deps;
  const { asked, account, proofs, provenAt } = shown;
  const { uid } = asked;
  const { now } = call;
  const waiting = await visits.toLink({ uid, now });
  const provider = waiting && (await providerById(db, waiting.provider));
  if (waiting === undefined || provider === undefined) return undefined;
  if (!(await identities.mayLink({ provider, said: waiting.said }, account))) return undefined;
  const content = { account: account.id, proofs, provenAt, visit: waiting.visit };
  const ticket = tickets.seal({ purpose, conversation: uid, now, lifeMs: 600_000 }, content);
  return linkOfferPage(conversation, { asked, account, provider, ticket });
}

export const linkPage = (deps: Deps): Page =>
  page({
    method: "POST",
    path: "/oauth/interactions/:uid/identity/link",
    params: Uid,
    form: z.strictObject({
      csrf: members.csrf,
      ticket: members.ticket,
      decision: z.enum(["link", "skip"]),
    }),
    limit,
    refused: refusalPage,
    handle: async (call, { params: { uid }, form }) => {
      const asked = await deps.conversation.readForm(call, uid, form);
      const { now } = call;
      const ticket = deps.tickets.open({ purpose, conversation: uid, now, text: form.ticket }, Linking);
      const { proofs, provenAt, visit } = ticket.content;
      const account = await deps.accounts.byId(ticket.content.account, ticket.madeAt);
      if (account === undefined) throw begin();
      const { madeAt } = ticket;
      await answer(deps, { uid, visit, account, link: form.decision === "link", madeAt, now });
      const finished = await deps.conversation.finish(call, asked, { account, proofs, provenAt });
      if (finished === false) throw begin();
      return finished;
    },
  });

const begin = (): Problem => new Problem("invalid_request", { detail: "Begin again." });

/** The yes, with the link it is for, or the no: once, in one transaction. */
async function answer(
  deps: Deps,
  given: { uid: string; visit: string; account: Account; link: boolean; madeAt: Instant; now: Instant },
): Promise<void> {
  const { db, accounts, visits, identities, counted } = deps;
  const { account, link, madeAt, ...naming } = given;
  const waiting = await visits.find(naming);
  const provider = waiting && (await providerById(db, waiting.provider));
  if (waiting === undefined || provider === undefined) throw begin();
  const came = { provider, said: waiting.said };
  if (link && !(await identities.mayLink(came, account))) throw begin();
  await db.crossing(provider.tenant, account.home).transaction(async (tx) => {
    if (link && !(await stillActive(await tx.as(provider.tenant), provider.id))) throw begin();
    const home = await tx.as(account.home);
    await accounts.lock(home, account.id, madeAt);
    if (!(await visits.settle(home, naming))) throw begin();
    if (link) await identities.link(home, came, { account, now: given.now });
  });
  counted(link ? "linked" : "link_declined");
}
