import type { Outbound } from "@remit/platform/outbound";
import type { Database, Scope } from "@remit/platform/sql";

/** What happens at each step of who may die: once a transaction is committed, or another service has answered. */
export type Mortality = {
  /** Before anything is begun: the dead begin nothing. */
  readonly begin: () => void;
  readonly step: () => Promise<void>;
};

export function mortalDatabase(database: Database, { begin, step }: Mortality): Database {
  const mortal = <T>(scope: Scope<T>): Scope<T> => ({
    transaction: async (work) => {
      begin();
      const answer = await scope.transaction(work);
      await step();
      return answer;
    },
  });
  return {
    ...database,
    of: (tenant) => ({ ...mortal(database.of(tenant)), tenant }),
    global: mortal(database.global),
    crossing: (...tenants) => mortal(database.crossing(...tenants)),
  };
}

export const mortalOutbound = (outbound: Outbound, { begin, step }: Mortality): Outbound => ({
  ...outbound,
  request: async (asked) => {
    begin();
    const answer = await outbound.request(asked);
    await step();
    return answer;
  },
});
