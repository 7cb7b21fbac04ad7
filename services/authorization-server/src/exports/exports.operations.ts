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
import { failpoint } from "@remit/platform/failpoint";
import { enqueue } from "@remit/platform/jobs";
import type { SigningKeys } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem, type PublicJwk } from "@remit/protocol";
import type { ExportMandate, MandateExport } from "@remit/protocol/contracts";
import { agentById, keyed } from "../agents/index.ts";
import {
  assertChainStands,
  assetOfMandate,
  findChain,
  findMandate,
  limitsFor,
  type Mandate,
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
  const exported = await deps.db.of(tenant).transaction(async (tx) => {
    const made = await makeWithin(deps, tx, { ...exporting, holder });
    await exporting.keep(tx, made);
    await failpoint("export.making");
    return made;
  });
  await failpoint("export.made");
  return exported;
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

const unused = {
  state: "held",
  usedMinor: 0n,
  spentMinor: 0n,
  because: undefined,
  token: undefined,
  stoppedAt: undefined,
} as const;

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
    ...unused,
    currency,
    limitMinor,
    document,
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

export const listExports = (
  { db }: ExportsDeps,
  tenant: Id<"tenant">,
  asked: {
    readonly mandate: Id<"mandate">;
    readonly before: Id<"charge"> | undefined;
    readonly limit: number;
  },
): Promise<Export[]> => db.of(tenant).transaction((tx) => rows.exportsOf(tx, asked.mandate, asked));
