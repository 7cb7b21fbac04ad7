import { type Instant, parseId } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account, Accounts, NewPassword } from "../accounts/index.ts";
import { createTenant, newTenantId } from "../tenants/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";

/** Who signs up: the address is proven once this stands in a ticket of the second purpose. */
export const Person = z.strictObject({ id: z.string(), name: z.string(), email: z.string() });
export type Person = z.output<typeof Person>;

export function idOf({ id: text }: Person): Account["id"] {
  const id = parseId("account", text);
  if (id === undefined) throw new Problem("invalid_request");
  return id;
}

/** Tenant, account and way in, in one transaction: nobody is left with half of it. */
export async function createPerson<T>(
  { db, accounts, tickets }: { db: Database; accounts: Accounts; tickets: Tickets },
  now: Instant,
  given: {
    person: Ticket<Person>;
    password?: NewPassword;
    add: (tx: TenantTx, account: Account) => Promise<T>;
  },
): Promise<{ account: Account; more: T }> {
  const { person, password, add } = given;
  return db.of(newTenantId()).transaction(async (tx) => {
    await tickets.claim(tx, person);
    await createTenant(tx, { name: person.content.name, kind: "personal", now });
    const wanted = {
      ...person.content,
      id: idOf(person.content),
      ...(password === undefined ? {} : { password }),
    };
    const account = await accounts.create(tx, wanted, now);
    return { account, more: await add(tx, account) };
  });
}
