import type { Id, Instant } from "@remit/kernel";
import type { Sql, TenantTx } from "@remit/platform/sql";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Aal } from "../assurance/index.ts";
import { changes, letters } from "../mail/index.ts";
import { relyingPartyOf } from "./ceremony.ts";
import { type CodeDeps, type Codes, createCodes } from "./codes.ts";
import * as rows from "./factors.sql.ts";
import { type CheckedPasskey, type PasskeyDeps, requirePasskey } from "./passkey-records.ts";
import { createPasskeys, type Passkey, type Passkeys } from "./passkeys.ts";

/** The ways in which somebody may show that it is them. */
export type Methods = {
  readonly password: boolean;
  readonly passkeys: readonly Passkey[];
  readonly app: boolean;
  readonly recoveryCodesLeft: number;
  /** Whether an identity provider signs them in. */
  readonly linked: boolean;
};

/** The highest assurance that these reach together: what a change of them takes. */
export function reachable({ password, passkeys, app, linked }: Methods): Aal {
  if (passkeys.some(({ deviceBound }) => deviceBound)) return 3;
  return passkeys.length > 0 || (app && (password || linked)) ? 2 : 1;
}

export type Factors = {
  readonly passkeys: Passkeys;
  readonly codes: Codes;
  methodsOf(account: Id<"account">): Promise<Methods>;
  /** Whether a password alone is not enough. */
  hasSecond(account: Id<"account">): Promise<boolean>;
  /** The same, in the transaction of what depends on it. */
  hasSecondWithin(tx: Sql, account: Id<"account">): Promise<boolean>;
  /** Whether there is a passkey, in the transaction of what depends on it. */
  readonly hasPasskeyWithin: (tx: Sql, account: Id<"account">) => Promise<boolean>;
  /** Takes the password of whoever has a passkey; refuses to take the last way to sign in. */
  removePassword(tx: TenantTx, account: Account, now: Instant): Promise<void>;
  /** Leaves only what a recovery added or proved; the new recovery codes, if a second factor is left that may be lost. */
  startOver(tx: TenantTx, account: Account, given: StartingOver): Promise<string[]>;
};

export type StartingOver = {
  readonly passkey: CheckedPasskey | undefined;
  /** When a code of the authenticator app was right. */
  readonly appProven: Instant | undefined;
  readonly now: Instant;
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
      linked: await deps.db.global.transaction((tx) => deps.linked(tx, account)),
    }),
    hasSecond: async (account) => (await codes.hasApp(account)) || (await passkeys.has(account)),
    hasSecondWithin: async (tx, account) =>
      (await rows.findApp(tx, account)) !== undefined || (await rows.passkeysOf(tx, account)).length > 0,
    hasPasskeyWithin: async (tx, account) => (await rows.passkeysOf(tx, account)).length > 0,
    removePassword: async (tx, account, now) => {
      await deps.accounts.lock(tx, account.id);
      await deps.accounts.removePassword(tx, account, now);
      await requirePasskey(tx, account.id);
      await deps.post.send(tx, letters.changed({ to: account.email, what: changes.passwordRemoved }));
    },
    startOver: async (tx, account, { passkey, appProven, now }) => {
      await passkeys.removeAllBut(tx, account, { kept: passkey, now });
      // Whoever comes back by a passkey has not shown the password: it may be what was stolen.
      const { hasPassword } = await deps.accounts.lock(tx, account.id);
      if (passkey !== undefined && hasPassword) await deps.accounts.removePassword(tx, account, now);
      const app = await codes.discard(tx, account, { proven: appProven, now });
      if (!app && passkey === undefined) return [];
      return codes.makeRecoveryCodes(tx, account, { notify: false, now });
    },
  };
}
