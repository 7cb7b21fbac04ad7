import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { ToldListing } from "@remit/protocol/contracts";
import type { Moderation } from "./listings.ts";
import { wordsOf } from "./words.ts";

type Told = NonNullable<ToldListing["agent"]>;
type Standing = ToldListing["publisher"]["standing"];

/** False for a word that is not newer than what is known. */
export async function savePublisher(
  tx: TenantTx,
  { revision, standing }: ToldListing["publisher"],
): Promise<boolean> {
  const { count } = await tx.run(sql`insert into publishers (tenant_id, revision, standing)
    values (${tx.tenant}, ${revision}, ${standing})
    on conflict (tenant_id) do update set revision = excluded.revision, standing = excluded.standing
    where publishers.revision < excluded.revision`);
  return count === 1;
}

export async function lockPublisher(tx: TenantTx): Promise<Standing> {
  const { standing } = await tx.one<{ standing: Standing }>(
    sql`select standing from publishers where tenant_id = ${tx.tenant} for update`,
  );
  return standing;
}

export async function saveStandingOfAll(tx: TenantTx, active: boolean): Promise<void> {
  await tx.run(sql`update listings set publisher_active = ${active}
    where tenant_id = ${tx.tenant} and publisher_active <> ${active}`);
}

/** Nothing that was told of its agents stays; that a listing was moderated, and how new the last word was, does. */
export async function clearAll(tx: TenantTx, now: Instant): Promise<void> {
  await tx.run(sql`delete from listing_words where tenant_id = ${tx.tenant}`);
  await tx.run(sql`update listings set listed = false, name = null, agent_type = null, version = null,
      capabilities = '{}', deployment_env = null, provider = null, did = null, did_document = null, card = null,
      published_at = null, updated_at = ${sqlTime(now)} where tenant_id = ${tx.tenant}`);
}

/**
 * False for a word that is not newer than what is known. What was published stays so dated while it stays listed, and what
 * says the same as before, under whatever signature, is not updated by being told again.
 */
export async function saveListing(
  tx: TenantTx,
  {
    id,
    revision,
    listing,
    publisherActive,
    now,
  }: Told & { readonly publisherActive: boolean; readonly now: Instant },
): Promise<boolean> {
  const at = sqlTime(now);
  const { count } = await tx.run(sql`insert into listings as l
      (tenant_id, agent_id, revision, listed, publisher_active, name, agent_type, version, capabilities,
        deployment_env, provider, did, did_document, card, published_at, updated_at)
    values (${tx.tenant}, ${id}, ${revision}, ${listing !== null}, ${publisherActive}, ${listing?.name ?? null},
      ${listing?.agentType ?? null}, ${listing?.version ?? null}, ${[...(listing?.capabilities ?? [])]}::text[],
      ${listing?.deploymentEnv ?? null}, ${listing?.provider ?? null}, ${listing?.did ?? null},
      ${json(listing?.didDocument)}::jsonb, ${json(listing?.card)}::jsonb,
      ${listing === null ? null : at}::timestamptz, ${at}::timestamptz)
    on conflict (agent_id) do update set revision = excluded.revision, listed = excluded.listed,
      publisher_active = excluded.publisher_active, name = excluded.name, agent_type = excluded.agent_type,
      version = excluded.version, capabilities = excluded.capabilities, deployment_env = excluded.deployment_env,
      provider = excluded.provider, did = excluded.did, did_document = excluded.did_document, card = excluded.card,
      published_at = case when l.listed and excluded.listed then l.published_at else excluded.published_at end,
      updated_at = case
        when (l.listed, l.name, l.agent_type, l.version, l.capabilities,
          l.deployment_env, l.provider, l.did, l.did_document, l.card - 'signatures')
          is not distinct from (excluded.listed, excluded.name, excluded.agent_type, excluded.version,
            excluded.capabilities, excluded.deployment_env, excluded.provider, excluded.did,
            excluded.did_document, excluded.card - 'signatures')
        then l.updated_at else excluded.updated_at end
    where l.revision < excluded.revision`);
  return count === 1;
}

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

export async function saveWords(tx: TenantTx, id: Id<"agent">, listing: Told["listing"]): Promise<void> {
  await tx.run(sql`delete from listing_words where tenant_id = ${tx.tenant} and agent_id = ${id}`);
  if (listing === null) return;
  await tx.run(sql`insert into listing_words (tenant_id, word, agent_id)
    select ${tx.tenant}, word, ${id} from unnest(${wordsOf(listing)}::text[]) as word`);
}

type ModerationRow = { readonly hidden_at: Instant | null; readonly hidden_reason: string | null };

export async function lockModeration(tx: TenantTx, id: Id<"agent">): Promise<Moderation | undefined> {
  const row = await tx.maybe<ModerationRow>(sql`select hidden_at, hidden_reason from listings
    where agent_id = ${id} and tenant_id = ${tx.tenant} for update`);
  if (row === undefined) return undefined;
  const { hidden_at: at, hidden_reason: reason } = row;
  return { id, hidden: at === null || reason === null ? undefined : { at, reason } };
}

export async function saveModeration(tx: TenantTx, { id, hidden }: Moderation): Promise<void> {
  const at = hidden === undefined ? null : sqlTime(hidden.at);
  await tx.run(sql`update listings set hidden_at = ${at}::timestamptz, hidden_reason = ${hidden?.reason ?? null}
    where agent_id = ${id} and tenant_id = ${tx.tenant}`);
}

export async function tenantOfListing(tx: Sql, id: Id<"agent">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.maybe<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_listing(${id}) as tenant`);
  return row?.tenant ?? undefined;
}
