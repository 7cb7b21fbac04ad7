import { parseId, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { RecoveryCodes, SignInMethods } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Factors } from "./factors.ts";

type Deps = { readonly db: Database; readonly accounts: Accounts; readonly factors: Factors };

/** A person's own ways to sign in, for the wallet. */
export const factorRoutes = (deps: Deps): Route[] => [methodsRoute(deps), codesRoute(deps)];

const methodsRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/account/sign-in-methods",
    summary: "How the caller's person may sign in",
    needs: { scope: "wallet:read" },
    answers: { 200: SignInMethods, 404: "not_found" },
    handle: async ({ caller }) => {
      const account = await personOf(deps, caller);
      const methods = await deps.factors.methodsOf(account.id);
      const body = {
        password: methods.password,
        passkeys: methods.passkeys.map(({ key, name, deviceBound, createdAt, lastUsedAt }) => ({
          key,
          name,
          device_bound: deviceBound,
          created_at: toRfc3339(createdAt),
          last_used_at: lastUsedAt === undefined ? null : toRfc3339(lastUsedAt),
        })),
        authenticator_app: methods.app,
        recovery_codes_left: methods.recoveryCodesLeft,
      };
      return { status: 200, body };
    },
  });

const codesRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/account/recovery-codes",
    summary: "Make ten new recovery codes; the former no longer work",
    // What lets somebody in without any other factor is not given to whoever finds a browser open (RFC 9470).
    needs: {
      scope: "wallet:write",
      stepUp: { acrValues: ["urn:remit:aal2", "urn:remit:aal3"], maxAgeS: 300 },
    },
    body: z.strictObject({}),
    answers: { 200: RecoveryCodes, 404: "not_found" },
    handle: async ({ caller, now }) => {
      const account = await personOf(deps, caller);
      const codes = await deps.db
        .of(account.home)
        .transaction((tx) => deps.factors.codes.makeRecoveryCodes(tx, account, { notify: true, now }));
      return { status: 200, headers: { "cache-control": "no-store" }, body: { recovery_codes: codes } };
    },
  });

async function personOf({ accounts }: Deps, { subject }: Caller): Promise<Account> {
  const id = parseId("account", subject);
  const account = id && (await accounts.byId(id));
  if (account === undefined) throw new Problem("not_found");
  return account;
}
