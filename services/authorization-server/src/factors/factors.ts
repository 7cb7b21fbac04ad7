import type { Id } from "@remit/kernel";
import type { Accounts } from "../accounts/index.ts";
import { relyingPartyOf } from "./ceremony.ts";
import { type CodeDeps, type Codes, createCodes } from "./codes.ts";
import { createPasskeys, type Passkey, type PasskeyDeps, type Passkeys } from "./passkeys.ts";

/** The ways in which somebody may show that it is them. */
export type Methods = {
  readonly password: boolean;
  readonly passkeys: readonly Passkey[];
  readonly app: boolean;
  readonly recoveryCodesLeft: number;
};

export type Factors = {
  readonly passkeys: Passkeys;
  readonly codes: Codes;
  methodsOf(account: Id<"account">): Promise<Methods>;
  /** Whether a password alone is not enough. */
  hasSecond(account: Id<"account">): Promise<boolean>;
};

type Deps = Omit<PasskeyDeps, "party"> &
  Omit<CodeDeps, "issuerName"> & { readonly issuer: string; readonly accounts: Accounts };

export function createFactors({ issuer, ...deps }: Deps): Factors {
  const passkeys = createPasskeys({ ...deps, party: relyingPartyOf(issuer) });
  const codes = createCodes({ ...deps, issuerName: `Remit (${new URL(issuer).host})` });
  return {
    passkeys,
    codes,
    methodsOf: async (account) => ({
      password: await deps.accounts.hasPassword(account),
      passkeys: await passkeys.of(account),
      app: await codes.hasApp(account),
      recoveryCodesLeft: await codes.recoveryCodesLeft(account),
    }),
    hasSecond: async (account) => (await codes.hasApp(account)) || (await passkeys.has(account)),
  };
}
