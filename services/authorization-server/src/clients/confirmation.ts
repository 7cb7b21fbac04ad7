import { after, type Instant } from "@remit/kernel";
import { firstUseDigest } from "@remit/platform/once";
import type { Sql } from "@remit/platform/sql";
import * as rows from "./authentication.sql.ts";
import { replayMemoryMs } from "./authentication.ts";
import type { KnownClient } from "./known-clients.ts";

/** A request whose client proved itself, and what that used up. */
export type ToConfirm = { readonly known: KnownClient; readonly firstUses: readonly string[] };

/** `changed`: nothing was claimed, and the client is to be read anew. `used`: the first uses that somebody else had before. */
export type Confirmation = { readonly changed: boolean; readonly used: readonly string[] };

/** What the log and the outbox get of requests that are confirmed: rows in JSON. */
export type Entries = { readonly audit: string; readonly events: string };

type How<T> = { readonly now: Instant; readonly entriesOf: (confirmed: readonly T[]) => Entries };

export const noEntries: Entries = { audit: "[]", events: "[]" };

/**
 * The database's word on requests whose clients proved themselves, for many in one statement: whether each client still
 * is as it was known, and which first uses are really first. Of two requests that claim the same, here or in another
 * process, one has it. What is recorded of those that are confirmed is committed when this returns.
 */
export async function confirmAll<T extends ToConfirm>(
  db: Sql,
  requests: readonly T[],
  how: How<T>,
): Promise<Confirmation[]> {
  const changed = new Set<string>();
  for (;;) {
    const current = requests.filter(({ known }) => !changed.has(known.client.id));
    const owners = ownersOf(current);
    const contested = current.some((each) => each.firstUses.some((use) => owners.get(use) !== each));
    const entries = contested || current.length === 0 ? noEntries : how.entriesOf(current);
    const said = await ask(db, current, { uses: [...owners.keys()], now: how.now, entries });
    // Nothing was claimed: those that are as they were ask again without the others, at most once for each client.
    for (const id of said.changed) changed.add(id);
    if (said.changed.length > 0) continue;
    const usedOf = ({ firstUses }: T, of: T): string[] =>
      firstUses.filter((use) => owners.get(use) !== of || !said.claimed.has(use));
    const confirmed = current.filter((each) => usedOf(each, each).length === 0);
    const recorded = !contested && confirmed.length === current.length;
    if (!recorded && confirmed.length > 0)
      await ask(db, [], { uses: [], now: how.now, entries: how.entriesOf(confirmed) });
    return requests.map((each) =>
      changed.has(each.known.client.id)
        ? { changed: true, used: [] }
        : { changed: false, used: usedOf(each, each) },
    );
  }
}

/** Of requests that claim the same use, the first has it. */
function ownersOf<T extends ToConfirm>(requests: readonly T[]): Map<string, T> {
  const owners = new Map<string, T>();
  for (const each of requests) for (const use of each.firstUses) if (!owners.has(use)) owners.set(use, each);
  return owners;
}

type Asked = { readonly uses: readonly string[]; readonly now: Instant; readonly entries: Entries };

async function ask(
  db: Sql,
  requests: readonly ToConfirm[],
  { uses, now, entries }: Asked,
): Promise<{ readonly changed: readonly string[]; readonly claimed: ReadonlySet<string> }> {
  const clients = new Map(requests.map(({ known }) => [`${known.client.id} ${known.stamp}`, known]));
  const digests = new Map(uses.map((use) => [firstUseDigest(use), use]));
  const { changed, claimed } = await rows.confirm(db, {
    clients: [...clients.values()].map(({ client: { tenant, id }, stamp }) => ({ tenant, id, stamp })),
    uses: [...digests.keys()],
    keepUntil: after(now, replayMemoryMs),
    ...entries,
  });
  return { changed, claimed: new Set(claimed.map((digest) => digests.get(digest) ?? "")) };
}
