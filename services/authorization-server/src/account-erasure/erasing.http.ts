import { minuteMs, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import { EraseAccount, ErasedAccount } from "@remit/protocol/contracts";
import type { Accounts } from "../accounts/index.ts";
import { requireSignInLately, requireSure, type SureDeps } from "../assurance/index.ts";
import { type ErasingDeps, eraseAccount } from "./erasing.ts";

type Deps = ErasingDeps &
  SureDeps & {
    readonly accounts: ErasingDeps["accounts"] & Pick<Accounts, "byId" | "isAddressOf">;
  };

/** What a person has done to their account as a whole. */
export const accountErasureRoutes = (deps: Deps): Route[] => [
  route({
    method: "POST",
    path: "/api/v1/account/erase",
    summary:
      "End and forget the caller: mandates, sessions, passkeys, tokens and agents at once, for ever; what was paid stays, under ids alone",
    needs: { scope: "wallet:write" },
    limit: { count: 10, windowMs: minuteMs, by: "tenant" },
    body: EraseAccount,
    answers: {
      200: ErasedAccount,
      400: "invalid_request",
      401: "insufficient_user_authentication",
      403: "forbidden",
      409: "account_owns_organizations",
    },
    handle: async (call, { body }) => {
      const { caller, now } = call;
      const account = await deps.accounts.byId(caller.subject);
      if (account === undefined || account.home !== caller.tenant)
        throw new Problem("forbidden", {
          detail: "Only a person erases an account: their own, as themselves.",
        });
      await requireSure(deps, { caller, person: account.id, now });
      // Whoever has one factor alone shows that one again: a browser left open erases nobody.
      requireSignInLately(call);
      if (!deps.accounts.isAddressOf(account, body.confirm_email))
        throw new Problem("invalid_request", { detail: "confirm_email is not the address of this account." });
      await eraseAccount(deps, account, { caller, now });
      return { status: 200, body: { account_id: account.id, erased_at: toRfc3339(now) } };
    },
  }),
];
