import type { Id } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { ToldListing } from "@remit/protocol/contracts";
import { agentById } from "../agents/index.ts";
import { type AgentCard, cardOfAgent, publicNameOf, signCard } from "../cards/index.ts";
import { didDocumentOfAgent, type PublishedAgent } from "../dids/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import { publisherOf, tellDirectory } from "../tenants/index.ts";
import * as rows from "./listings.sql.ts";

/** Who shows public agents to everybody. */
export type Directory = {
  /** Done once it has taken the word in; throws otherwise, and then nobody knows whether it has. */
  tell(word: ToldListing): Promise<void>;
};

export type ListingDeps = {
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly issuer: string;
  readonly directory: Directory;
};

export type Subject = { readonly tenant: Id<"tenant">; readonly agent: Id<"agent"> | undefined };

/**
 * Tells the directory how a tenant and one of its agents stand at this moment, whatever called for it. The revision is
 * taken under a lock, and what it is of is read after that: of two words the newer has the higher one, so that the
 * directory ends with the newest, in whatever order they reach it.
 */
export async function tell(deps: ListingDeps, subject: Subject): Promise<void> {
  const { db, directory } = deps;
  const seen = await db.of(subject.tenant).transaction((tx) => read(tx, subject.agent));
  const { word, kid } = await wordOf(deps, seen);
  await directory.tell(word);
  // A tenant has another name or standing: what is said of its agents is said again soon.
  if (word.agent === undefined) return db.of(subject.tenant).transaction((tx) => rows.saveStale(tx));
  const { id, revision } = word.agent;
  await db.of(subject.tenant).transaction((tx) => rows.saveTold(tx, { subject: id, revision, kid }));
}

type Seen = {
  readonly publisher: ToldListing["publisher"];
  readonly agent:
    | { readonly id: Id<"agent">; readonly revision: number; readonly found: PublishedAgent | undefined }
    | undefined;
};

async function read(tx: TenantTx, id: Id<"agent"> | undefined): Promise<Seen> {
  // Always the tenant first: two words about one tenant wait for each other, never both.
  const revision = await rows.nextRevision(tx, tx.tenant);
  const agentRevision = id === undefined ? undefined : await rows.nextRevision(tx, id);
  const { status, name, erased } = await publisherOf(tx);
  const standing = erased ? "erased" : status === "active" ? "active" : "suspended";
  const publisher = { tenant: tx.tenant, revision, standing } as const;
  if (id === undefined || agentRevision === undefined) return { publisher, agent: undefined };
  const agent = await agentById(tx, id);
  const listed = agent !== undefined && agent.isPublic && agent.status === "active";
  const found = listed ? { agent, active: true, provider: name } : undefined;
  return { publisher, agent: { id, revision: agentRevision, found } };
}

const nameCharactersMax = 120;

async function wordOf(
  { keys, issuer }: ListingDeps,
  { publisher, agent }: Seen,
): Promise<{ readonly word: ToldListing; readonly kid: string | null }> {
  if (agent === undefined) return { word: { publisher }, kid: null };
  const { id, revision, found } = agent;
  if (found === undefined) return { word: { publisher, agent: { id, revision, listing: null } }, kid: null };
  const { kid, card } = await signCard(cardOfAgent(issuer, found), { keys, issuer });
  const { agentType, version, capabilities, deploymentEnv } = found.agent;
  const didDocument = didDocumentOfAgent(issuer, found);
  const listing = {
    name: Array.from(publicNameOf(found.agent)).slice(0, nameCharactersMax).join(""),
    agentType,
    version,
    capabilities: [...capabilities],
    deploymentEnv,
    provider: found.provider ?? null,
    did: didDocument.id,
    didDocument: { ...didDocument },
    card: card as AgentCard & { name: string; signatures: [] }, // as `signCard` makes it; the directory checks it again
  };
  return { word: { publisher, agent: { id, revision, listing } }, kid };
}

const againAtOnce = { shown: 500, withdrawn: 100 };

/**
 * Tells anew of what the directory shows: when a card is signed by a key that signs no more, and once a day in any case, also
 * of what was withdrawn, so that a directory which lost what it knew comes to know it.
 */
export async function tellAgain({ db, keys }: ListingDeps, signal: AbortSignal): Promise<void> {
  const { kid } = keys.currentKey("card");
  for (const { tenant, subject } of await rows.findStale(db.single, { kid, ...againAtOnce })) {
    if (signal.aborted) return;
    await db.of(tenant).transaction((tx) => tellDirectory(tx, subject));
  }
}

/** The table of this room, by the kind of protection it has. */
export const listingTables = { listings: "global" } as const;
