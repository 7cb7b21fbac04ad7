import { type Id, newId } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Accounts } from "../accounts/index.ts";

export type AskableDeps = {
  readonly db: Database;
  readonly accounts: Pick<Accounts, "identify" | "isMember">;
  readonly mandates: {
    wasGivenBy(
      tx: TenantTx,
      of: { readonly principal: Id<"account">; readonly agent: Id<"agent"> },
    ): Promise<boolean>;
  };
};

/**
 * Whom an agent may ask (CIBA §7.1): people of its own tenant, and people who gave it a mandate before. Everybody else
 * is nobody, and so is a stranger: the same questions are put for both, so that the answer takes as long (A18).
 */
export async function askable(
  { db, accounts, mandates }: AskableDeps,
  asked: { readonly hint: string; readonly agent: Id<"agent">; readonly agentTenant: Id<"tenant"> },
): Promise<Id<"account"> | undefined> {
  const { hint, agent, agentTenant } = asked;
  const known = hint.length > 254 ? undefined : await accounts.identify(hint);
  const person = known ?? { id: newId("account"), home: newId("tenant") };
  const isMember = await db.of(agentTenant).transaction((tx) => accounts.isMember(tx, person.id));
  const of = { principal: person.id, agent };
  const gave = await db.of(person.home).transaction((tx) => mandates.wasGivenBy(tx, of));
  return known !== undefined && (isMember || gave) ? known.id : undefined;
}
