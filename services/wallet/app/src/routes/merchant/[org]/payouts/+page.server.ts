import { type RequestEvent, redirect } from "@sveltejs/kit";
import { allPages, does, oneOf, organizationApi, shopsOf, wordIn } from "#lib/console/server.ts";
import { maybe, must, refused, stepUpFor, textIn } from "#lib/server-side.ts";
import type { OrganizationAnswer } from "../../../../../../src/api/index.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

type Account = OrganizationAnswer<"payoutAccounts">["data"][number];

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const { shops, shop } = await shopsOf(event);
  if (shop === undefined) return { shops };
  const visit = oneOf(event.url, "onboarding", ["returned", "again"] as const);
  const query = { merchant: shop.id, cursor: wordIn(event.url, "cursor") };
  const [listed, books, payouts] = await Promise.all([
    allPages((cursor) =>
      must(event, api.payoutAccounts({ query: { merchant: shop.id, limit: "500", cursor } })),
    ),
    must(event, api.merchantBalances()),
    must(event, api.payouts({ query })),
  ]);
  const { accounts, asked } = await seenAnew(event, {
    accounts: listed,
    anew: visit === "returned",
  });
  const standing = await Promise.all(
    accounts.filter(({ status }) => status !== "replaced").map((account) => withBalance(event, account)),
  );
  return {
    shops,
    shop,
    visit: visit === "returned" && !asked ? ("unasked" as const) : visit,
    standing,
    replaced: accounts.filter(({ status }) => status === "replaced"),
    newest: accounts[0],
    books: books.data.filter(({ merchant }) => merchant === shop.id),
    payouts: payouts.data,
    next: payouts.next_cursor,
  };
};

type Accounts = { readonly accounts: readonly Account[]; readonly anew: boolean };

/** Who comes back from the processor sees what it says now; where it does not answer, what it said last. */
async function seenAnew(event: RequestEvent, { accounts, anew }: Accounts) {
  const [newest, ...others] = accounts;
  if (!anew || newest === undefined) return { accounts, asked: anew };
  const params = { id: newest.id };
  const seen = await maybe(event, organizationApi(event).refreshPayoutAccount({ params, body: {} }));
  return { accounts: [seen ?? newest, ...others], asked: seen !== undefined };
}

/** What stands at the processor; undefined when it cannot be asked. */
async function withBalance(event: RequestEvent, account: Account) {
  const balance = await maybe(
    event,
    organizationApi(event).payoutAccountBalance({ params: { id: account.id } }),
  );
  return { account, balance };
}

/** To the processor's page for a person, from which one comes back to this one. */
const leads = (how: "onboard" | "replacePayoutAccount") => async (event: RequestEvent) => {
  const form = await event.request.formData();
  const { origin, pathname } = event.url;
  const shop = textIn(form, "shop");
  const here = `${pathname}?${new URLSearchParams({ shop })}`;
  const answer = await organizationApi(event)[how]({
    body: {
      merchant: shop,
      country: textIn(form, "country"),
      return_url: `${origin}${here}&onboarding=returned`,
      refresh_url: `${origin}${here}&onboarding=again`,
    },
  });
  if (answer.ok) redirect(303, answer.value.url, { external: true });
  const { stepUp } = answer.refusal;
  if (stepUp !== undefined) redirect(303, stepUpFor(here, stepUp));
  return refused(event, answer.refusal);
};

export const actions = {
  onboard: leads("onboard"),
  replace: leads("replacePayoutAccount"),
  refresh: does("payoutAccountRead", ({ api, form }) =>
    api.refreshPayoutAccount({ params: { id: textIn(form, "id") }, body: {} }),
  ),
} satisfies Actions;
