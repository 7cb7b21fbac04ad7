import type { Id, Instant } from "@remit/kernel";
import { type Sql, type SqlValue, type Statement, sql } from "@remit/platform/sql";
import type { Filter, Listing, Window } from "./listings.ts";
import { wordOfCapability, wordsIn } from "./words.ts";

type Row = {
  readonly agent_id: Id<"agent">;
  readonly name: string;
  readonly agent_type: Listing["agentType"];
  readonly version: string;
  readonly capabilities: string[];
  readonly deployment_env: Listing["deploymentEnv"];
  readonly provider: string | null;
  readonly did: string;
  readonly did_document: Listing["didDocument"];
  readonly card: Listing["card"];
  readonly published_at: Instant;
  readonly updated_at: Instant;
};

const columns = `l.agent_id, l.name, l.agent_type, l.version, l.capabilities, l.deployment_env, l.provider, l.did,
  l.did_document, l.card, l.published_at, l.updated_at`;
// As the policy has it for everybody, so that the partial indexes serve.
const seen = "l.listed and l.publisher_active and l.hidden_at is null";

const listingOf = (row: Row): Listing => ({
  id: row.agent_id,
  name: row.name,
  agentType: row.agent_type,
  version: row.version,
  capabilities: row.capabilities,
  deploymentEnv: row.deployment_env,
  provider: row.provider,
  did: row.did,
  didDocument: row.did_document,
  card: row.card,
  publishedAt: row.published_at,
  updatedAt: row.updated_at,
});

export async function findListing(tx: Sql, id: Id<"agent">): Promise<Listing | undefined> {
  const row = await tx.maybe<Row>(sql`select l.agent_id, l.name, l.agent_type, l.version, l.capabilities,
      l.deployment_env, l.provider, l.did, l.did_document, l.card, l.published_at, l.updated_at
    from listings l where l.agent_id = ${id} and l.listed and l.publisher_active and l.hidden_at is null`);
  return row && listingOf(row);
}

export async function listListings(
  tx: Sql,
  filter: Filter,
  { limit, before, offset }: Window,
): Promise<Listing[]> {
  const built = conditions(filter);
  const page = before === undefined ? "" : ` and l.agent_id < ${built.value(before)}`;
  const rest = `order by l.agent_id desc limit ${built.value(limit)} offset ${built.value(offset)}`;
  const found = await tx.many<Row>(built.statement(`select ${columns} ${built.from}${page} ${rest}`));
  return found.map(listingOf);
}

export async function countListings(tx: Sql, filter: Filter): Promise<number> {
  const built = conditions(filter);
  const { count } = await tx.one<{ count: bigint }>(
    built.statement(`select count(*) as count ${built.from}`),
  );
  return Number(count);
}

const facets = {
  agentType: "l.agent_type",
  deploymentEnv: "l.deployment_env",
  capability: "unnest(l.capabilities)",
} as const;
const valuesMax = 50;

/** The commonest values of a member among what a filter lets through. */
export async function countBy(
  tx: Sql,
  filter: Filter,
  facet: keyof typeof facets,
): Promise<{ value: string; count: number }[]> {
  const built = conditions(filter);
  const found = await tx.many<{ value: string; count: bigint }>(
    built.statement(`select value, count(*) as count from (select ${facets[facet]} as value ${built.from}) as found
      group by value order by count(*) desc, value limit ${valuesMax}`),
  );
  return found.map(({ value, count }) => ({ value, count: Number(count) }));
}

type Built = {
  readonly from: string;
  value(value: SqlValue): string;
  statement(text: string): Statement;
};

const wordsMax = 8;

/** Put together from the filter's members alone, and without a name: planned for the values at hand. */
function conditions(filter: Filter): Built {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  const where = [seen];
  if (filter.agentType !== undefined) where.push(`l.agent_type = ${value(filter.agentType)}`);
  if (filter.deploymentEnv !== undefined) where.push(`l.deployment_env = ${value(filter.deploymentEnv)}`);
  if (filter.capability !== undefined)
    where.push(hasWord(`w.word = ${value(wordOfCapability(filter.capability))}`));
  const words = filter.text === undefined ? undefined : wordsIn(filter.text).slice(0, wordsMax);
  // A text without a word is found nowhere.
  if (words?.length === 0) where.push("false");
  // In the "C" order of bytes: everything that begins so stands between it and it with the last character there is.
  for (const word of words ?? [])
    where.push(hasWord(`w.word between ${value(word)} and ${value(`${word}\u{10ffff}`)}`));
  return {
    from: `from listings l where ${where.join(" and ")}`,
    value,
    statement: (text) => ({ text, values, name: "" }),
  };
}

const hasWord = (condition: string): string =>
  `exists (select from listing_words w where w.agent_id = l.agent_id and ${condition})`;
