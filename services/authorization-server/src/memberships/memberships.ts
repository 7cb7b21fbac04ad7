import type { Id } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { Account } from "../accounts/index.ts";
import { findMembership, type MembershipHere, tenantsOfMember } from "../organizations/index.ts";

export type Membership = MembershipHere & { readonly tenant: Id<"tenant">; readonly personal: boolean };

const shownMax = 200;

/** The organizations that a person belongs to and that act, their own first. */
export async function membershipsOf(
  db: Database,
  { id, home }: Pick<Account, "id" | "home">,
): Promise<Membership[]> {
  const found: Membership[] = [];
  for (const tenant of await tenantsOfMember(db.single, id, shownMax)) {
    const here = await db.of(tenant).transaction((tx) => findMembership(tx, id));
    // It may have ended since the tenants were listed.
    if (here?.status === "active") found.push({ ...here, tenant, personal: tenant === home });
  }
  return found.toSorted((a, b) => Number(b.personal) - Number(a.personal) || a.name.localeCompare(b.name));
}
