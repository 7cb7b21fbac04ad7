import {
  type Asset,
  after,
  type Clock,
  fromRfc3339,
  type Id,
  type Instant,
  invariant,
  money,
  newId,
  toBudgetUnits,
} from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { SigningKeys } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem, type PublicJwk } from "@remit/protocol";
import type { CloseExport, ExportMandate, MandateExport, TellExportUse } from "@remit/protocol/contracts";
import { agentById, keyed } from "../agents/index.ts";
import {
  assertChainStands,
  assetOfMandate,
  captureHold,
  findChain,
  findMandate,
  limitsFor,
  type Mandate,
  releaseHold,
  remainingAfter,
  takeHold,
  velocityOf,
  whyAskPrincipal,
} from "../mandates/index.ts";
import { asksAbove, rulesOf } from "../rules/index.ts";
import * as rows from "./exports.sql.ts";
import {
  assertExportable,
  assertWithinRules,
  documentOf,
  type Export,
  exportsQueue,
  lateUsesMs,
  spendControls,
} from "./exports.ts";

export type ExportsDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly keys: Pick<SigningKeys, "sign">;
};

/** An export, and for who makes it the signed form where there is one. */
export type Made =
  | { readonly kind: "held"; readonly made: Export; readonly credential: string | undefined }
  | { readonly kind: "advice"; readonly advice: Advice };

export type Advice = Pick<MandateExport, "document"> & {
  readonly mandate: Id<"mandate">;
  readonly currency: string;
  readonly limitMinor: bigint;
  readonly now: Instant;
  readonly expiresAt: Instant;
};

export type Exporting = {
  readonly mandate: Id<"mandate">;
  /** Only its own; undefined for its principal. */
  readonly agent: string | undefined;
  readonly asked: ExportMandate;
  readonly actor: Actor;
  /** With what is made, in the same transaction. */
  readonly keep: (tx: TenantTx, made: Made) => Promise<void>;
};

/**
 * Exports what is left of a mandate, or the part that is asked for: in one transaction the hold of the full limit, along the
 * whole chain, and the export. Of two that want the same money the second is refused.
 */
export async function exportMandate(
  deps: ExportsDeps,
  tenant: Id<"tenant">,
  exporting: Exporting,
): Promise<Made> {
  const holder = await holderOf(deps, tenant, exporting);
  return deps.db.of(tenant).transaction(async (tx) => {
    const made = await makeWithin(deps, tx, { ...exporting, holder });
    await exporting.keep(tx, made);
    return made;
  });
}

const unknown = (): Problem => new Problem("not_found", { detail: "There is no such mandate." });

/** The key that the mandate is bound to, which what is exported is bound to as well. */
async function holderOf(
  { db }: ExportsDeps,
  tenant: Id<"tenant">,
  { mandate: id, agent: only }: Exporting,
): Promise<PublicJwk> {
  const mandate = await db.of(tenant).transaction((tx) => findMandate(tx, id));
  if (mandate === undefined || (only !== undefined && mandate.agent !== only)) throw unknown();
  const agent = await db.of(mandate.agentTenant).transaction((tx) => agentById(tx, mandate.agent));
  if (agent?.status !== "active") throw new Problem("agent_suspended");
  const { dpopJwk, dpopThumbprint } = keyed(agent);
  if (dpopThumbprint !== mandate.holderThumbprint) throw new Problem("mandate_holder_mismatch");
  return dpopJwk;
}

async function makeWithin(
  deps: ExportsDeps,
  tx: TenantTx,
  exporting: Exporting & { readonly holder: PublicJwk },
): Promise<Made> {
  const now = deps.clock.now();
  const chain = await findChain(tx, exporting.mandate);
  const mandate = chain.at(-1);
  invariant(mandate !== undefined, "a mandate never disappears");
  const asset = assetOfMandate(mandate.details);
  const limitMinor = await limitOf(tx, mandate, exporting.asked);
  const expiresAt = endOf(chain, exporting.asked, now);
  await assertChainStands(tx, chain, now);
  for (const one of chain) assertAllowed(one, { ...exporting, asset, limitMinor });
  if (exporting.asked.kind !== "x402") await assertRuled(tx, chain, { asset, limitMinor });
  const limits = { asset, limitMinor, now, expiresAt };
  const { asked, holder } = exporting;
  const { currency } = mandate.details;
  if (asked.kind === "x402") {
    const document = spendControls(mandate.details, limits);
    return {
      kind: "advice",
      advice: { document, mandate: mandate.id, currency, limitMinor, now, expiresAt },
    };
  }
  const id = newId("charge");
  const document = documentOf(mandate.details, asked, { id, limits, holder });
  const made: Export = {
    id,
    mandate: mandate.id,
    agent: mandate.agent,
    kind: asked.kind,
    state: "held",
    currency,
    limitMinor,
    usedMinor: 0n,
    document,
    because: undefined,
    token: undefined,
    createdAt: now,
    expiresAt,
  };
  const credential =
    asked.kind === "ap2" ? `${await deps.keys.sign("mandate", { typ: "dc+sd-jwt" }, document)}~` : undefined;
  await hold(tx, { chain, made, asset });
  await rows.insertExport(tx, made);
  const ending = { export: made.id, tenant: tx.tenant };
  await enqueue(tx, {
    queue: exportsQueue,
    key: made.id,
    payload: ending,
    runAt: after(expiresAt, lateUsesMs),
  });
  const payload = { mandate: made.mandate, kind: made.kind, limit_minor: Number(limitMinor), currency };
  await tx.record(
    newEvent("export.made", { tenant: tx.tenant, actor: exporting.actor, subject: made.id, payload }, now),
  );
  return { kind: "held", made, credential };
}

async function limitOf(tx: TenantTx, mandate: Mandate, asked: ExportMandate): Promise<bigint> {
  if (asked.amount_minor !== undefined) return BigInt(asked.amount_minor);
  const left = await remainingAfter(tx, mandate, 0n);
  if (left === 0) throw new Problem("mandate_cap_exceeded", { extra: { remaining: 0 } });
  return BigInt(left);
}

function endOf(chain: readonly Mandate[], asked: ExportMandate, now: Instant): Instant {
  const last = chain.reduce(
    (end, { expiresAt }) => (expiresAt < end ? expiresAt : end),
    chain[0]?.expiresAt ?? now,
  );
  const end = asked.expires_at === undefined ? last : fromRfc3339(asked.expires_at);
  if (end === undefined || end <= now || end > last)
    throw new Problem("invalid_request", {
      detail: "expires_at must lie between now and the mandate's end.",
    });
  return end;
}

type Wanted = {
  readonly asked: ExportMandate;
  readonly asset: Asset;
  readonly limitMinor: bigint;
};

/** Each of the chain must allow it; what would ask its principal cannot, where nobody asks us. */
function assertAllowed(mandate: Mandate, { asked, asset, limitMinor }: Wanted): void {
  assertExportable(mandate.details, asked, limitMinor);
  const purchase = { amount: toBudgetUnits(money(asset, limitMinor)), firstAtMerchant: true };
  if (whyAskPrincipal(mandate.details, purchase) !== undefined) throw new Problem("approval_required");
}

/** The principal's rules, read after the chain was locked: none of them can be kept where nobody asks us. */
async function assertRuled(
  tx: TenantTx,
  chain: readonly Mandate[],
  { asset, limitMinor }: Pick<Wanted, "asset" | "limitMinor">,
): Promise<void> {
  const rules = await rulesOf(tx);
  const currency = asset.code;
  const limits = limitsFor(rules.limits, { currency, agents: chain.map(({ agent }) => agent) });
  for (const { details } of chain) assertWithinRules(details, { ...rules, limits });
  if (asksAbove(rules, { amount: toBudgetUnits(money(asset, limitMinor)), currency }))
    throw new Problem("approval_required");
}

async function hold(
  tx: TenantTx,
  { chain, made, asset }: { chain: readonly Mandate[]; made: Export; asset: Asset },
): Promise<void> {
  const bearers = chain.map(({ id, details }) => ({ mandate: id, velocity: velocityOf(details) }));
  const leaf = bearers.at(-1);
  invariant(leaf !== undefined, "a chain has its leaf");
  await takeHold(tx, {
    ...leaf,
    above: bearers.slice(0, -1),
    charge: made.id,
    amount: toBudgetUnits(money(asset, made.limitMinor)),
    asset,
    merchant: `export:${made.kind}`,
  });
}

/** From an export's id to its tenant, for who confirms it. */
export const tenantOf = ({ db }: ExportsDeps, id: Id<"charge">): Promise<Id<"tenant"> | undefined> =>
  db.global.transaction((tx) => rows.tenantOfExport(tx, id));

type Telling = { readonly id: Id<"charge">; readonly actor: Actor };

/** What its issuer says was taken. The budget stays held as it is; once all is used, or more than that, it is over. */
export const tellUse = (
  deps: ExportsDeps,
  tenant: Id<"tenant">,
  { id, actor, use }: Telling & { readonly use: TellExportUse },
): Promise<Export> =>
  withinLimit(deps, tenant, async (tx) => {
    const found = await locked(tx, id);
    const now = deps.clock.now();
    const token = "token" in use ? use.token : undefined;
    assertSameToken(found, token);
    const usedMinor = await usedAfter(tx, found, { use, now });
    if (usedMinor <= found.usedMinor && token === found.token) return found;
    if (found.state === "closed") {
      if (usedMinor <= found.usedMinor) return found;
      throw new Problem("export_closed");
    }
    if (usedMinor > found.limitMinor) return useUp(tx, found, { token, actor, now });
    if (usedMinor > found.usedMinor) {
      const amount = { amount_minor: Number(usedMinor - found.usedMinor), used_minor: Number(usedMinor) };
      const facts = { tenant: tx.tenant, actor, subject: id, payload: { mandate: found.mandate, ...amount } };
      await tx.record(newEvent("export.used", facts, now));
    }
    if (usedMinor === found.limitMinor)
      return close(tx, found, { because: "used", usedMinor, token, actor, now });
    await rows.saveExport(tx, id, { state: found.state, usedMinor, token });
    return { ...found, usedMinor, token: found.token ?? token };
  });

/** What was used in all, once this use counts: the same use counts once, and a sum never falls. */
async function usedAfter(
  tx: TenantTx,
  found: Export,
  { use, now }: { readonly use: TellExportUse; readonly now: Instant },
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
  deps: ExportsDeps,
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
export const endExport = (deps: ExportsDeps, tenant: Id<"tenant">, id: Id<"charge">): Promise<void> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const found = await rows.findExport(tx, id, "update");
    const now = deps.clock.now();
    if (found === undefined || found.state === "closed") return;
    invariant(now >= after(found.expiresAt, lateUsesMs), "an export is ended after its time");
    const actor: Actor = { type: "system", id: "authorization-server" };
    const usedMinor = isFollowed(found) ? found.usedMinor : found.limitMinor;
    await close(tx, found, { because: "expired", usedMinor, token: undefined, actor, now });
  });

/** Of any other export, silence says nothing: it may all have been taken where nobody asks us. */
const isFollowed = ({ token }: Export): boolean => token !== undefined;

/** The principal, or the agent, wants it back. Until its issuer has confirmed that, all of it may still be taken. */
export const revokeExport = (
  deps: ExportsDeps,
  tenant: Id<"tenant">,
  { id, actor, agent }: Telling & { readonly agent: string | undefined },
): Promise<Export> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const found = await locked(tx, id);
    if (agent !== undefined && found.agent !== agent) throw unknownExport();
    if (found.state !== "held") return found;
    await rows.saveExport(tx, id, { state: "revoking", usedMinor: found.usedMinor });
    const facts = { tenant: tx.tenant, actor, subject: id, payload: { mandate: found.mandate } };
    await tx.record(newEvent("export.revoking", facts, deps.clock.now()));
    return { ...found, state: "revoking" };
  });

export const listExports = (
  { db }: ExportsDeps,
  tenant: Id<"tenant">,
  asked: {
    readonly mandate: Id<"mandate">;
    readonly before: Id<"charge"> | undefined;
    readonly limit: number;
  },
): Promise<Export[]> => db.of(tenant).transaction((tx) => rows.exportsOf(tx, asked.mandate, asked));

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
  { db }: ExportsDeps,
  tenant: Id<"tenant">,
  work: (tx: TenantTx) => Promise<Export | { readonly exceeded: Export }>,
): Promise<Export> {
  const told = await db.of(tenant).transaction(work);
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
  await rows.saveExport(tx, found.id, { state: "closed", usedMinor, because, closedAt: now, token });
  const payload = { mandate: found.mandate, because, used_minor: Number(usedMinor) };
  await tx.record(newEvent("export.closed", { tenant: tx.tenant, actor, subject: found.id, payload }, now));
  const mandate = await findMandate(tx, found.mandate);
  invariant(mandate !== undefined, "a mandate never disappears");
  const used = toBudgetUnits(money(assetOfMandate(mandate.details), usedMinor));
  const ended = usedMinor === 0n ? await releaseHold(tx, found.id) : await captureHold(tx, found.id, used);
  invariant(ended, "an export that is not closed has its hold");
  return { ...found, state: "closed", usedMinor, because };
}
