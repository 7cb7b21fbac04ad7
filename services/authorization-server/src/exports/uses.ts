import {
  after,
  type Clock,
  type Id,
  type Instant,
  invariant,
  money,
  newId,
  toBudgetUnits,
} from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { enqueue } from "@remit/platform/jobs";
import type { Keyring, SigningKeys } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { CloseExport, TellExportUse } from "@remit/protocol/contracts";
import {
  assetOfMandate,
  captureHold,
  findMandate,
  freeRestOfHold,
  releaseHold,
  spendOfHold,
} from "../mandates/index.ts";
import * as rows from "./exports.sql.ts";
import { type Export, lateUsesMs, mayRecur, stopsQueue, tokenToStop } from "./exports.ts";
import { keepProof, openProof, type Proven, proofOf } from "./proofs.ts";

export type UsesDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly keyring: Pick<Keyring, "seal" | "open">;
  /** Our own, that open mandates were signed with. */
  readonly keys: Pick<SigningKeys, "jwks">;
};

type Telling = { readonly id: Id<"charge">; readonly actor: Actor };

/**
 * What was taken, by its issuer's word or by a closed mandate that proves it. By a word the budget stays held as it is; what is
 * proven is spent at once, exactly that, and once. When all is used, or more than that, it is over.
 */
export const tellUse = (
  deps: UsesDeps,
  tenant: Id<"tenant">,
  { id, actor, agent, use }: Telling & { readonly agent: string | undefined; readonly use: TellExportUse },
): Promise<Export> =>
  withinLimit(deps, tenant, async (tx) => {
    const found = await locked(tx, id);
    if (agent !== undefined && found.agent !== agent) throw unknownExport();
    const now = deps.clock.now();
    if ("payment_mandate" in use) return proveUse(deps, tx, { found, use, actor, now });
    const token = "token" in use ? use.token : undefined;
    assertSameToken(found, token);
    const usedMinor = await usedAfter(tx, found, { use, now });
    if (usedMinor <= found.usedMinor && token === found.token) return found;
    if (found.state === "closed") {
      if (usedMinor <= found.usedMinor) return found;
      throw new Problem("export_closed");
    }
    return count(tx, found, { usedMinor, token, actor, now });
  });

type Counting = {
  readonly usedMinor: bigint;
  readonly token: string | undefined;
  readonly actor: Actor;
  readonly now: Instant;
  readonly proven?: Proven;
};

async function count(tx: TenantTx, found: Export, counting: Counting) {
  const { usedMinor, token, actor, now, proven } = counting;
  const { id } = found;
  if (usedMinor > found.limitMinor) return useUp(tx, found, { token, actor, now });
  if (usedMinor > found.usedMinor) {
    const amount = { amount_minor: Number(usedMinor - found.usedMinor), used_minor: Number(usedMinor) };
    const by = proven === undefined ? {} : { reference: proven.reference, payee: proven.payee };
    const payload = { mandate: found.mandate, ...amount, ...by };
    await tx.record(newEvent("export.used", { tenant: tx.tenant, actor, subject: id, payload }, now));
  }
  if (usedMinor === found.limitMinor)
    return close(tx, found, { because: "used", usedMinor, token, actor, now });
  const spentMinor = found.spentMinor + (proven?.minor ?? 0n);
  await rows.saveExport(tx, id, { state: found.state, usedMinor, spentMinor, token });
  if (proven !== undefined) await spend(tx, found, proven.minor);
  const counted = { ...found, usedMinor, spentMinor, token: found.token ?? token };
  // It was wanted back before anybody had heard of its token.
  if (found.token === undefined) await stopLater(tx, counted);
  return counted;
}

async function stopLater(tx: TenantTx, found: Export): Promise<void> {
  if (tokenToStop(found) === undefined) return;
  await enqueue(tx, { queue: stopsQueue, key: found.id, payload: { tenant: tx.tenant, export: found.id } });
}

/** The budget's row is locked last, as by every charge. */
async function spend(tx: TenantTx, found: Export, minor: bigint): Promise<void> {
  const amount = await unitsOf(tx, found, minor);
  const isSpent = await spendOfHold(tx, { charge: found.id, part: newId("charge"), amount });
  invariant(isSpent, "what is used of an export that goes on is less than its hold");
}

type Proving = {
  readonly found: Export;
  readonly use: Extract<TellExportUse, { payment_mandate: string }>;
  readonly actor: Actor;
  readonly now: Instant;
};

/** The same mandate told again is the same use; of another export, or for a checkout that was paid, it is refused. */
async function proveUse(deps: UsesDeps, tx: TenantTx, { found, use, actor, now }: Proving) {
  const proven = proofOf(deps, found, { use, now });
  const { reference, minor } = proven;
  const known = await rows.findProof(tx, proven);
  if (known?.export === found.id && known.reference === reference) return found;
  if (known !== undefined) throw new Problem("export_mandate_used");
  if (found.state === "closed") throw new Problem("export_closed");
  if (found.spentMinor > 0n && !mayRecur(found)) throw new Problem("export_mandate_used");
  const told = await rows.insertUse(tx, { export: found.id, reference, minor, now });
  if (!told && (await rows.toldMinor(tx, found.id, reference)) !== minor)
    throw new Problem("export_mandate_invalid", { detail: "Another amount was told of it before." });
  await keepProof(deps, tx, { export: found.id, proven, use });
  const usedMinor = found.usedMinor + (told ? minor : 0n);
  return count(tx, found, { usedMinor, token: undefined, actor, now, proven });
}

/** What was used in all, once this use counts: the same use counts once, and a sum never falls. */
async function usedAfter(
  tx: TenantTx,
  found: Export,
  { use, now }: { readonly use: Exclude<TellExportUse, Proving["use"]>; readonly now: Instant },
): Promise<bigint> {
  if ("token" in use) {
    const told = BigInt(use.used_minor);
    return told > found.usedMinor ? told : found.usedMinor;
  }
  const { reference } = use;
  const minor = BigInt(use.amount_minor);
  const isNew = await rows.insertUse(tx, { export: found.id, reference, minor, now });
  return isNew ? found.usedMinor + minor : found.usedMinor;
}

/** Two tokens could each be spent up to the limit of one export. */
function assertSameToken(found: Export, token: string | undefined): void {
  if (token !== undefined && found.token !== undefined && token !== found.token)
    throw new Problem("export_token_other");
}

/** Its issuer confirms that nothing more will be taken: what was is spent, and the rest of the limit is free again. */
export const closeExport = (
  deps: UsesDeps,
  tenant: Id<"tenant">,
  { id, actor, close: asked }: Telling & { readonly close: CloseExport },
): Promise<Export> =>
  withinLimit(deps, tenant, async (tx) => {
    const found = await locked(tx, id);
    const { token, because } = asked;
    assertSameToken(found, token);
    if (found.state === "closed") return found;
    const usedMinor = BigInt(asked.used_minor);
    const now = deps.clock.now();
    if (usedMinor > found.limitMinor) return useUp(tx, found, { token, actor, now });
    if (usedMinor < found.usedMinor)
      throw new Problem("invalid_request", { detail: "Less than was told before.", extra: extraOf(found) });
    return close(tx, found, { because, usedMinor, token, actor, now });
  });

/**
 * Nobody can take anything under it any more. What was told of is spent, and the rest is free again only of a token that is
 * followed to its end; where nobody is there to tell, all of it counts as used.
 */
export const endExport = (
  deps: Pick<UsesDeps, "db" | "clock">,
  tenant: Id<"tenant">,
  id: Id<"charge">,
): Promise<void> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const found = await rows.findExport(tx, id, "update");
    const now = deps.clock.now();
    if (found === undefined || found.state === "closed") return;
    invariant(now >= after(found.expiresAt, lateUsesMs), "an export is ended after its time");
    const actor: Actor = { type: "system", id: "authorization-server" };
    const usedMinor = found.token === undefined ? found.limitMinor : found.usedMinor;
    await close(tx, found, { because: "expired", usedMinor, token: undefined, actor, now });
  });

/**
 * The principal, or the agent, wants it back. Until its issuer has confirmed that, all of it may still be taken: it is told
 * where there is one to tell.
 */
export const revokeExport = (
  { db, clock }: Pick<UsesDeps, "db" | "clock">,
  tenant: Id<"tenant">,
  { id, actor, agent }: Telling & { readonly agent: string | undefined },
): Promise<Export> =>
  db.of(tenant).transaction(async (tx) => {
    const found = await locked(tx, id);
    if (agent !== undefined && found.agent !== agent) throw unknownExport();
    return wantBack(tx, found, { actor, now: clock.now() });
  });

/** A mandate that was revoked wants back all that was exported of it: what others hold is not held to it. */
export async function revokeExportsOf(tx: TenantTx, mandate: Id<"mandate">, now: Instant): Promise<void> {
  const actor: Actor = { type: "system", id: "authorization-server" };
  for (const found of await rows.lockHeldOf(tx, mandate)) await wantBack(tx, found, { actor, now });
}

async function wantBack(
  tx: TenantTx,
  found: Export,
  { actor, now }: { readonly actor: Actor; readonly now: Instant },
): Promise<Export> {
  if (found.state !== "held") return found;
  const { id, usedMinor, spentMinor } = found;
  await rows.saveExport(tx, id, { state: "revoking", usedMinor, spentMinor });
  const facts = { tenant: tx.tenant, actor, subject: id, payload: { mandate: found.mandate } };
  await tx.record(newEvent("export.revoking", facts, now));
  const revoking = { ...found, state: "revoking" } as const;
  await stopLater(tx, revoking);
  return revoking;
}

export type StopDeps = Pick<UsesDeps, "db"> & {
  /** Since when its issuer authorises nothing new with it; undefined when it knows none for this export. */
  readonly revokeToken: (token: string, of: Id<"charge">) => Promise<Instant | undefined>;
};

/** Its issuer is told, and what it says is kept. The limit stays held: what was authorised before can still be captured. */
export async function stopExport(
  { db, revokeToken }: StopDeps,
  tenant: Id<"tenant">,
  id: Id<"charge">,
): Promise<void> {
  const found = await db.of(tenant).transaction((tx) => rows.findExport(tx, id));
  const token = found && tokenToStop(found);
  if (token === undefined) return;
  const stoppedAt = await revokeToken(token, id);
  await failpoint("export.stopped");
  if (stoppedAt !== undefined) await db.of(tenant).transaction((tx) => rows.saveStop(tx, id, stoppedAt));
}

const unknownExport = (): Problem => new Problem("not_found", { detail: "There is no such export." });

async function locked(tx: TenantTx, id: Id<"charge">): Promise<Export> {
  const found = await rows.findExport(tx, id, "update");
  if (found === undefined) throw unknownExport();
  return found;
}

const extraOf = ({ limitMinor, usedMinor }: Export) => ({
  limit: Number(limitMinor),
  used: Number(usedMinor),
});

const exceeds = (found: Export): Problem =>
  new Problem("export_use_exceeds_limit", { extra: extraOf(found) });

/** More was taken than it allows: that is refused, and of what it allows nothing is free again. */
async function useUp(tx: TenantTx, found: Export, closing: Omit<Closing, "because" | "usedMinor">) {
  await close(tx, found, { because: "used", usedMinor: found.limitMinor, ...closing });
  return { exceeded: found };
}

/** What is written stands, also when what was told is refused as too much. */
async function withinLimit(
  { db }: UsesDeps,
  tenant: Id<"tenant">,
  work: (tx: TenantTx) => Promise<Export | { readonly exceeded: Export }>,
): Promise<Export> {
  const told = await db.of(tenant).transaction(async (tx) => {
    const written = await work(tx);
    await failpoint("export.telling");
    return written;
  });
  await failpoint("export.told");
  if ("exceeded" in told) throw exceeds(told.exceeded);
  return told;
}

type Closing = {
  readonly because: CloseExport["because"];
  readonly usedMinor: bigint;
  readonly token: string | undefined;
  readonly actor: Actor;
  readonly now: Instant;
};

/** The budget's row is locked last, as by every charge. */
async function close(tx: TenantTx, found: Export, closing: Closing): Promise<Export> {
  const { because, usedMinor, token, actor, now } = closing;
  await rows.saveExport(tx, found.id, {
    state: "closed",
    usedMinor,
    spentMinor: usedMinor,
    because,
    closedAt: now,
    token,
  });
  const payload = { mandate: found.mandate, because, used_minor: Number(usedMinor) };
  await tx.record(newEvent("export.closed", { tenant: tx.tenant, actor, subject: found.id, payload }, now));
  const rest = await unitsOf(tx, found, usedMinor - found.spentMinor);
  const end = usedMinor === 0n ? releaseHold : rest === 0n ? freeRestOfHold : undefined;
  const ended = end === undefined ? await captureHold(tx, found.id, rest) : await end(tx, found.id);
  invariant(ended, "an export that is not closed has its hold");
  return { ...found, state: "closed", usedMinor, spentMinor: usedMinor, because };
}

async function unitsOf(tx: TenantTx, { mandate: id }: Export, minor: bigint): Promise<bigint> {
  const mandate = await findMandate(tx, id);
  invariant(mandate !== undefined, "a mandate never disappears");
  return toBudgetUnits(money(assetOfMandate(mandate.details), minor));
}

/** What was told of a use, with what proves it; without the chains once their key is destroyed. */
export type ToldUse = {
  readonly reference: string;
  readonly minor: bigint;
  readonly toldAt: Instant;
  readonly proof:
    | (Pick<Proven, "payee" | "transaction" | "closedAt"> & {
        readonly chains: { readonly payment_mandate: string; readonly checkout_mandate: string };
      })
    | undefined;
};

export const listUses = (
  deps: UsesDeps,
  tenant: Id<"tenant">,
  { id, ...page }: { readonly id: Id<"charge">; readonly after: string | undefined; readonly limit: number },
): Promise<ToldUse[]> =>
  deps.db.of(tenant).transaction(async (tx) => {
    if ((await rows.findExport(tx, id)) === undefined) throw unknownExport();
    const told: ToldUse[] = [];
    for (const row of await rows.usesOf(tx, id, page)) told.push(await toldOf(deps, tx, row));
    return told;
  });

async function toldOf(deps: UsesDeps, tx: TenantTx, row: rows.ToldRow): Promise<ToldUse> {
  const { reference, minor, toldAt, transaction, payee, closedAt, sealed } = row;
  const bare = { reference, minor, toldAt, proof: undefined };
  if (sealed === null || transaction === null || payee === null || closedAt === null) return bare;
  const chains = await openProof(deps, tx, { reference, sealed });
  if (chains === undefined) return bare;
  return { ...bare, proof: { payee, transaction, closedAt, chains } };
}
