import { after, type Id, type Instant, invariant, money, toBudgetUnits } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { CloseExport, TellExportUse } from "@remit/protocol/contracts";
import { assetOfMandate, captureHold, findMandate, releaseHold } from "../mandates/index.ts";
import type { ExportsDeps } from "./exports.operations.ts";
import * as rows from "./exports.sql.ts";
import { type Export, lateUsesMs } from "./exports.ts";

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
    const usedMinor = found.token === undefined ? found.limitMinor : found.usedMinor;
    await close(tx, found, { because: "expired", usedMinor, token: undefined, actor, now });
  });

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
