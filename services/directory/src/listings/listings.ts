import type { Id, Instant } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { MarketplaceAgent, MarketplaceQuery, ToldListing } from "@remit/protocol/contracts";
import * as rows from "./listings.sql.ts";
import * as search from "./search.sql.ts";

type Documents = Pick<MarketplaceAgent, "didDocument" | "card">;

/** A public agent as everybody sees it in the marketplace. */
export type Listing = Documents &
  Pick<
    MarketplaceAgent,
    "name" | "agentType" | "version" | "deploymentEnv" | "provider" | "did" | "capabilities"
  > & {
    readonly id: Id<"agent">;
    readonly publishedAt: Instant;
    readonly updatedAt: Instant;
  };

/** Whether the operator hides a listing, and why. */
export type Moderation = {
  readonly id: Id<"agent">;
  readonly hidden: { readonly at: Instant; readonly reason: string } | undefined;
};

/**
 * Takes in what the authorization server says of a publisher and of one of its agents: each only if it is newer than what
 * is known, so that a word which comes twice, late, or after a newer one changes nothing (W13).
 */
export function takeIn(db: Database, { publisher, agent }: ToldListing, now: Instant): Promise<void> {
  return db.of(publisher.tenant).transaction(async (tx) => {
    // The publisher's row is locked first: whoever lists an agent sees how its publisher stands, or waits.
    const changed = await rows.savePublisher(tx, publisher);
    const standing = await rows.lockPublisher(tx);
    if (changed) await rows.saveStandingOfAll(tx, standing === "active");
    if (changed && standing === "erased") await rows.clearAll(tx, now);
    if (agent === undefined) return;
    const listing = standing === "erased" ? null : agent.listing;
    const word = { ...agent, listing, publisherActive: standing === "active", now };
    if (await rows.saveListing(tx, word)) await rows.saveWords(tx, agent.id, listing);
  });
}

export type Filter = Pick<MarketplaceQuery, "text" | "agentType" | "capability" | "deploymentEnv">;
export type Window = {
  readonly limit: number;
  readonly before: Id<"agent"> | undefined;
  readonly offset: number;
};

/** The listings that everybody may see, newest agents first. */
export const listingsOf = (db: Database, filter: Filter, window: Window): Promise<Listing[]> =>
  db.global.transaction((tx) => search.listListings(tx, filter, window));

export const countListings = (db: Database, filter: Filter): Promise<number> =>
  db.global.transaction((tx) => search.countListings(tx, filter));

export type Facets = Readonly<
  Record<"agentType" | "deploymentEnv" | "capability", { readonly value: string; readonly count: number }[]>
>;

/** What the list could be narrowed by, with how many there are of each. */
export const facetsOf = (db: Database, filter: Filter): Promise<Facets> =>
  db.global.transaction(async (tx) => ({
    agentType: await search.countBy(tx, filter, "agentType"),
    deploymentEnv: await search.countBy(tx, filter, "deploymentEnv"),
    capability: await search.countBy(tx, filter, "capability"),
  }));

/** The listing of an agent that everybody may see; `not_found` for a hidden one as for none. */
export async function listingOf(db: Database, id: Id<"agent">): Promise<Listing> {
  const found = await db.global.transaction((tx) => search.findListing(tx, id));
  if (found === undefined) throw unknown();
  return found;
}

const unknown = (): Problem =>
  new Problem("not_found", { detail: "There is no such agent in the marketplace." });

export type Moderating = {
  readonly hidden: boolean;
  readonly reason?: string | undefined;
  readonly by: Actor;
  readonly now: Instant;
};

/** Hides a listing whatever its publisher does, or shows it again. Its publisher is told by an event, without the reason. */
export async function moderate(db: Database, id: Id<"agent">, asked: Moderating): Promise<Moderation> {
  const { hidden, reason, by, now } = asked;
  const wanted = hidden ? { at: now, reason: reason ?? "" } : undefined;
  return inItsTenant(db, id, async (tx) => {
    const before = await rows.lockModeration(tx, id);
    if (before === undefined) throw unknown();
    if ((before.hidden === undefined) !== hidden && before.hidden?.reason === reason) return before;
    await rows.saveModeration(tx, { id, hidden: wanted });
    if ((before.hidden === undefined) === hidden) {
      const type = hidden ? "listing.hidden" : "listing.shown";
      await tx.record(
        newEvent(type, { tenant: tx.tenant, actor: by, subject: id, payload: { agent: id } }, now),
      );
    }
    return { id, hidden: wanted };
  });
}

/** What the operator has said of a listing, seen or not. */
export const moderationOf = (db: Database, id: Id<"agent">): Promise<Moderation> =>
  inItsTenant(db, id, async (tx) => {
    const found = await rows.lockModeration(tx, id);
    if (found === undefined) throw unknown();
    return found;
  });

async function inItsTenant<T>(db: Database, id: Id<"agent">, work: (tx: TenantTx) => Promise<T>): Promise<T> {
  const tenant = await db.global.transaction((tx) => rows.tenantOfListing(tx, id));
  if (tenant === undefined) throw unknown();
  return db.of(tenant).transaction(work);
}

/** The tables of this room, by the kind of protection each has. */
export const listingTables = { publishers: "tenant", listings: "public", listing_words: "public" } as const;
