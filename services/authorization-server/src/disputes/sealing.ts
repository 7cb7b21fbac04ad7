import type { Id } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { TenantTx } from "@remit/platform/sql";
import * as rows from "./disputes.sql.ts";

/** What people wrote in a dispute. */
export type DisputeWords = { readonly statement: string | undefined; readonly answer: string | undefined };

export type WordsDeps = { readonly keyring: Pick<Keyring, "seal" | "open"> };

const scopeOf = (tx: TenantTx): string => `disputes:${tx.tenant}`;
const aadOf = (id: Id<"dispute">, part: keyof DisputeWords): string => `disputes.${part}:${id}`;

/** Seals it for the tenant of this transaction. */
export function sealWords(
  { keyring }: WordsDeps,
  tx: TenantTx,
  of: { readonly id: Id<"dispute">; readonly part: keyof DisputeWords; readonly text: string },
): Promise<Uint8Array> {
  const plaintext = new TextEncoder().encode(of.text);
  return keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(of.id, of.part) });
}

/** What was written, as far as its keys still exist. */
export async function openWords(
  { keyring }: WordsDeps,
  tx: TenantTx,
  id: Id<"dispute">,
): Promise<DisputeWords> {
  const found = await rows.findWords(tx, id);
  const open = async (part: keyof DisputeWords): Promise<string | undefined> => {
    const sealed = found?.[part] ?? undefined;
    const opened = sealed && (await keyring.open(tx, scopeOf(tx), { sealed, aad: aadOf(id, part) }));
    return opened && new TextDecoder().decode(opened);
  };
  return { statement: await open("statement"), answer: await open("answer") };
}
