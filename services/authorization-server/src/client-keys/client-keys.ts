import type { Instant } from "@remit/kernel";
import type { Sql, TenantTx } from "@remit/platform/sql";
import { Problem, type PublicJwk } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import * as rows from "./client-keys.sql.ts";

/** What a client's key is for: to say who calls (RFC 7523), or to bind tokens and mandates (RFC 9449). */
export type KeyPurpose = "assertion" | "dpop";

export type ClientKey = { readonly purpose: KeyPurpose; readonly jwk: PublicJwk | undefined };

/**
 * Registers keys as this client's, in the transaction that gives them to it. A key is of one client and one purpose, in the
 * whole installation and for good (K09): else whoever has it could pass for two, and its loss would be two losses.
 * Refuses one that is anything else's already (`key_in_use`); what the client has for the same purpose it may have again.
 */
export async function claimKeys(
  tx: Sql,
  { client, keys, now }: { client: string; keys: readonly ClientKey[]; now: Instant },
): Promise<void> {
  for (const { purpose, jwk } of keys) {
    if (jwk === undefined) continue;
    const key = { thumbprint: thumbprint(jwk), client, purpose, now };
    if (!(await rows.claimKey(tx, key)))
      throw new Problem("key_in_use", {
        detail: `The ${purpose === "dpop" ? "DPoP" : "assertion"} key is registered already, for another client or purpose.`,
        private: { thumbprint: key.thumbprint },
      });
  }
}

/** Lets go of the keys of a client that is no more and leaves nothing behind that names them. */
export const releaseKeys = (tx: TenantTx, client: string): Promise<void> => rows.releaseKeys(tx, client);

/** The tables of this room, by the kind of protection each has. */
export const clientKeyTables = { client_keys: "global" } as const;
