import { toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { idOf, LedgerAccounts, LedgerCheck, LedgerEntries } from "@remit/protocol/contracts";
import { z } from "zod";
import { type Check, checking } from "./check.ts";
import { accountsOf, entriesOf } from "./ledger.ts";
import { type WatchDeps, watchBooks } from "./standing.ts";

const entriesMax = 100;
const needs = { scope: "audit:read", bearer: true } as const;

const checkRoute = (checked: () => Promise<Check>): Route =>
  route({
    method: "GET",
    path: "/api/v1/ledger/check",
    summary: "Compares every balance with the sum of its postings.",
    needs,
    answers: { 200: LedgerCheck },
    limit: { count: 30, windowMs: 60_000 },
    handle: async () => {
      const books = await checked();
      return {
        status: 200,
        body: {
          balanced: books.balanced,
          assets: books.assets.map(({ asset, imbalance }) => ({ asset, imbalance: String(imbalance) })),
          accounts_checked: books.accounts,
          entries_checked: books.entries,
        },
      };
    },
  });

/** Reading the books. A tenant sees its own accounts and postings; the check sums all and shows none. */
export const ledgerRoutes = ({ db, ...deps }: WatchDeps): Route[] => [
  checkRoute(checking(() => watchBooks({ db, ...deps }))),
  route({
    method: "GET",
    path: "/api/v1/ledger/accounts",
    summary: "The accounts of the caller's organization with their balances; credits are negative.",
    needs,
    answers: { 200: LedgerAccounts },
    handle: async ({ caller }) => {
      const accounts = await accountsOf(db, caller.tenant);
      const data = accounts.map(({ code, balance, ...account }) => ({
        ...account,
        name: code,
        balance: String(balance),
      }));
      return { status: 200, body: { data } };
    },
  }),
  route({
    method: "GET",
    path: "/api/v1/ledger/entries",
    summary: "The newest entries on the accounts of the caller's organization.",
    needs,
    query: z.strictObject({ charge: idOf("charge").optional() }),
    answers: { 200: LedgerEntries },
    handle: async ({ caller }, { query }) => {
      const found = await entriesOf(db, caller.tenant, {
        limit: entriesMax,
        ...(query.charge === undefined ? {} : { charge: query.charge }),
      });
      const data = found.map(({ id, kind, charge, at, postings }) => ({
        id,
        kind,
        charge,
        posted_at: toRfc3339(at),
        postings: postings.map((posting) => ({ ...posting, units: String(posting.units) })),
      }));
      return { status: 200, body: { data } };
    },
  }),
];
