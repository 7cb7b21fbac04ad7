import { type Id, type Instant, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { TenantTx } from "@remit/platform/sql";
import { isJsonObject, type PublicJwk, parsePublicJwk } from "@remit/protocol";
import * as rows from "./presented.sql.ts";

/** What a merchant presented for a charge, and the key that had signed the token: nothing of it can be had later elsewhere. */
export type Presented = {
  readonly presentation: string;
  readonly accessToken: string;
  readonly merchantNonce: string;
  readonly tokenKey: PublicJwk;
};

type Sealing = { readonly keyring: Pick<Keyring, "seal" | "open"> };

const scopeOf = (tx: TenantTx): string => `presented:${tx.tenant}`;
const aadOf = (charge: Id<"charge">): string => `charge_presentations.${charge}`;

/** Keeps it with the charge, in the payer's transaction that makes the charge. */
export async function keepPresented(
  { keyring }: Sealing,
  tx: TenantTx,
  of: { readonly charge: Id<"charge">; readonly presented: Presented; readonly tokenExpiresAt: Instant },
): Promise<void> {
  const { charge, presented, tokenExpiresAt } = of;
  const plaintext = new TextEncoder().encode(JSON.stringify(presented));
  const sealed = await keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(charge) });
  rows.insertPresented(tx, { charge, sealed, tokenExpiresAt });
}

/**
 * What was presented for a charge, in the payer's transaction; `live` while the token could still be used. Undefined for a charge
 * that is older than this table, or whose payer's keys were destroyed.
 */
export async function openPresented(
  { keyring }: Sealing,
  tx: TenantTx,
  { charge, now }: { readonly charge: Id<"charge">; readonly now: Instant },
): Promise<Presented | "live" | undefined> {
  const found = await rows.findPresented(tx, charge);
  if (found === undefined) return undefined;
  if (now < found.tokenExpiresAt) return "live";
  const opened = await keyring.open(tx, scopeOf(tx), { sealed: found.sealed, aad: aadOf(charge) });
  return opened && presentedOf(JSON.parse(new TextDecoder().decode(opened)));
}

function presentedOf(value: unknown): Presented {
  invariant(isJsonObject(value), "what was sealed is an object");
  const { presentation, accessToken, merchantNonce } = value;
  const tokenKey = parsePublicJwk(value["tokenKey"]);
  const isWhole =
    typeof presentation === "string" && typeof accessToken === "string" && typeof merchantNonce === "string";
  invariant(isWhole && tokenKey !== undefined, "what was sealed is whole");
  return { presentation, accessToken, merchantNonce, tokenKey };
}
