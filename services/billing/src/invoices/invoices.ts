import {
  after,
  assetOf,
  type Clock,
  dayMs,
  hourMs,
  type Id,
  type Instant,
  invariant,
  newId,
  toRfc3339,
} from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { OpenKeyring } from "@remit/platform/keys";
import type { Database, Tenant, TenantTx, Tx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import {
  boundsOf,
  closeMonth,
  finishMonth,
  invoiceEntry,
  invoicePaidEntry,
  monthsNow,
  post,
  sumMonth,
  sumsOf,
  tenantsIn,
} from "../ledger/index.ts";
import { planChargesOf, planPayersIn } from "../plans/index.ts";
import {
  type Draft,
  draftsOf,
  type Invoice,
  leftOf,
  nextStep,
  type Party,
  type Profile,
  planDraftsOf,
  setOff,
  stateAtIssue,
  type TaxTerms,
  totalOf,
} from "./invoice.ts";
import * as rows from "./invoices.sql.ts";

export type InvoiceDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyring: Pick<OpenKeyring, "seal" | "open">;
};

/** An invoice with who wrote it to whom. */
export type Document = { readonly invoice: Invoice; readonly from: Party; readonly to: Party };

const scopeOf = (tenant: Tenant): string => `billing:${tenant}`;
const utf8 = new TextEncoder();

async function sealJson(
  { keyring }: InvoiceDeps,
  tx: Tx,
  of: { tenant: Tenant; aad: string; value: unknown },
): Promise<Uint8Array> {
  const plaintext = utf8.encode(JSON.stringify(of.value));
  return keyring.seal(tx, scopeOf(of.tenant), { plaintext, aad: of.aad });
}

async function openJson<T>(
  { keyring }: InvoiceDeps,
  tx: Tx,
  of: { tenant: Tenant; aad: string; sealed: Uint8Array },
): Promise<T | undefined> {
  const plain = await keyring.open(tx, scopeOf(of.tenant), { sealed: of.sealed, aad: of.aad });
  // What `sealJson` wrote under the same words.
  return plain === undefined ? undefined : (JSON.parse(new TextDecoder().decode(plain)) as T);
}

const unknownParty = (name: string): Party => ({ name, address: [], country: "", taxId: null });

/** How an organization is invoiced; without a profile by its id, untaxed, within 30 days. */
export async function profileOf(deps: InvoiceDeps, tenant: Tenant): Promise<Profile> {
  return deps.db.of<Tenant>(tenant).transaction(async (tx) => {
    const row = await rows.profile(tx);
    const party =
      row && (await openJson<Party>(deps, tx, { tenant, aad: `profile ${tenant}`, sealed: row.sealed }));
    const name = tenant === "platform" ? "Remit" : tenant;
    return {
      party: party ?? unknownParty(name),
      taxBasisPoints: row?.tax_basis_points ?? 0,
      reverseCharge: row?.reverse_charge ?? false,
      dueDays: row?.due_days ?? 30,
    };
  });
}

/** How an organization is taxed now. */
export async function taxOf(deps: InvoiceDeps, tenant: Id<"tenant">): Promise<TaxTerms> {
  const { taxBasisPoints, reverseCharge } = await profileOf(deps, tenant);
  return { taxBasisPoints, reverseCharge };
}

export async function setProfile(
  deps: InvoiceDeps,
  tenant: Tenant,
  { profile, actor }: { profile: Profile; actor: Actor },
): Promise<void> {
  if (profile.reverseCharge && profile.taxBasisPoints > 0)
    throw new Problem("invalid_request", { detail: "Under reverse charge no tax is charged." });
  await deps.db.of<Tenant>(tenant).transaction(async (tx) => {
    const now = deps.clock.now();
    const sealed = await sealJson(deps, tx, { tenant, aad: `profile ${tenant}`, value: profile.party });
    const { taxBasisPoints: points, reverseCharge: reverse, dueDays: days } = profile;
    await rows.saveProfile(tx, { tenant, sealed, points, reverse, days, now });
    const payload = { tax_basis_points: points, reverse_charge: reverse, due_days: days };
    await tx.record(newEvent("billing_profile.changed", { tenant, actor, subject: tenant, payload }, now));
  });
}

/**
 * Closes a month that is over, sums it up and writes its invoices. Each step is durable and done once, so that a run after
 * a crash, beside another one or years later goes on from there, and one that finds all done changes nothing. One
 * organization whose invoices cannot be written keeps nobody else from theirs: the month is finished when it has them too.
 */
export async function invoiceMonth(deps: InvoiceDeps, month: string): Promise<void> {
  if (!(await closeMonth(deps.db, month, monthsNow(deps.clock)))) throw new Problem("month_open");
  await failpoint("month.closed");
  while (await sumMonth(deps.db, month)) await failpoint("month.summing");
  await failpoint("month.summed");
  const issuer = await profileOf(deps, "platform");
  const failures: unknown[] = [];
  for await (const tenant of invoicedIn(deps.db, month)) {
    await writeInvoices(deps, { tenant, month, issuer }).catch((error: unknown) => {
      deps.log.error(
        { tenant, month, error },
        "an organization's invoices cannot be written: somebody must look",
      );
      failures.push(error);
    });
    await failpoint("month.invoicing");
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} organizations have no invoices of ${month}`);
  await finishMonth(deps.db, month, deps.clock.now());
}

/** Who has sold or has paid for a plan in a month. Who did both comes twice, and has its documents once. */
async function* invoicedIn(db: Database, month: string): AsyncGenerator<Id<"tenant">> {
  yield* tenantsIn(db, month);
  yield* planPayersIn(db, boundsOf(month));
}

type Writing = { readonly tenant: Id<"tenant">; readonly month: string; readonly issuer: Profile };

/** All documents of a tenant's month that are not there yet, in one transaction. */
async function writeInvoices(deps: InvoiceDeps, { tenant, month, issuer }: Writing): Promise<void> {
  const profile = await profileOf(deps, tenant);
  await deps.db.of(tenant).transaction(async (tx) => {
    const now = deps.clock.now();
    const year = Number(toRfc3339(now).slice(0, 4));
    const drafts = [
      ...draftsOf(month, await sumsOf(tx, month), { profile, assetOf }),
      ...planDraftsOf(month, await planChargesOf(tx, boundsOf(month))),
    ];
    if (drafts.length === 0) return;
    // In this order: once the numbers are ours, nobody else can write one of them.
    const [, stored] = await Promise.all([rows.holdNumbers(tx, year), rows.invoicesOfMonth(tx, month)]);
    const written = new Set(stored.map(({ invoice }) => keyOf(invoice, invoice)));
    const entries = [];
    for (const draft of drafts) {
      const terms = draft.terms ?? profile;
      if (written.has(keyOf(draft, terms))) continue;
      const number = await rows.takeNumber(tx, year);
      const invoice = invoiceOf(draft, { tenant, year, number, profile: { ...profile, ...terms }, now });
      const value = { from: issuer.party, to: profile.party };
      const sealed = await sealJson(deps, tx, { tenant, aad: `invoice ${invoice.id}`, value });
      await rows.insertInvoice(tx, invoice, sealed);
      await tell(tx, { type: "invoice.issued", invoice, now });
      // The tax of a plan was posted when it was paid.
      if (invoice.tax !== 0n && invoice.merchant !== null)
        entries.push(invoiceEntry(ownedBy(invoice, invoice.merchant), invoice.tax, now));
    }
    // Nothing to post: the reversals and the tax of a note have left the merchant owing so much less.
    for (const changed of setOff(await rows.unsettled(tx))) {
      await rows.creditInvoice(tx, changed);
      await tell(tx, { type: "invoice.changed", invoice: changed, now });
    }
    await post(tx, entries);
  });
}

/** What a month has one document of: per merchant, or of a plan per rate of tax. */
const keyOf = (
  { merchant, asset, kind }: Pick<Draft, "merchant" | "asset" | "kind">,
  { taxBasisPoints, reverseCharge }: TaxTerms,
): string => `${merchant ?? `plan ${taxBasisPoints} ${reverseCharge}`} ${asset.code} ${kind}`;

const ownedBy = ({ id, tenant, asset }: Invoice, merchant: Id<"merchant">) => ({
  invoice: id,
  asset,
  owner: { tenant, merchant },
});

function invoiceOf(
  draft: Draft,
  of: { tenant: Id<"tenant">; year: number; number: number; profile: Profile; now: Instant },
): Invoice {
  const { tenant, year, number, profile, now } = of;
  const { terms: _, ...said } = draft;
  const state = stateAtIssue(draft);
  const dueAt = after(now, profile.dueDays * dayMs);
  return {
    ...said,
    id: newId("invoice"),
    tenant,
    year,
    number,
    taxBasisPoints: profile.taxBasisPoints,
    reverseCharge: profile.reverseCharge,
    issuedAt: now,
    dueAt,
    state,
    nextStepAt: state === "open" ? dueAt : null,
    paidAt: state === "paid" ? now : null,
    paymentReference: null,
    credited: 0n,
  };
}

type Told = {
  readonly type: "invoice.issued" | "invoice.changed";
  readonly invoice: Invoice;
  readonly now: Instant;
};

const tell = (tx: TenantTx, { type, invoice, now }: Told): Promise<void> =>
  tx.record(
    newEvent(
      type,
      {
        tenant: invoice.tenant,
        actor: { type: "system", id: "billing" },
        subject: invoice.id,
        payload: {
          merchant: invoice.merchant,
          month: invoice.month,
          kind: invoice.kind,
          state: invoice.state,
          currency: invoice.asset.code,
          total_minor: Number(totalOf(invoice)),
          due_minor: Number(leftOf(invoice)),
        },
      },
      now,
    ),
  );

/**
 * Takes the next step with each invoice that is due and not paid; one with which that fails is put off for an hour, so that
 * the others have their turn. True while there may be more.
 */
export async function dun(deps: InvoiceDeps): Promise<boolean> {
  const now = deps.clock.now();
  const due = await deps.db.global.transaction((tx) => rows.dueInvoices(tx, now));
  for (const { tenant, id } of due)
    await takeStep(deps, { tenant, id, now }).catch(async (error: unknown) => {
      deps.log.error({ tenant, invoice: id, error }, "an invoice cannot be dunned: somebody must look");
      await deps.db.of(tenant).transaction((tx) => rows.putOff(tx, id, { now, until: after(now, hourMs) }));
    });
  return due.length > 0;
}

const takeStep = (
  deps: InvoiceDeps,
  { tenant, id, now }: { tenant: Id<"tenant">; id: Id<"invoice">; now: Instant },
): Promise<void> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const found = await rows.invoiceById(tx, id);
    if (found === undefined || found.invoice.nextStepAt === null || found.invoice.nextStepAt > now) return;
    const to = { ...nextStep(found.invoice.state, now), paidAt: null, reference: null };
    const moved = await rows.moveInvoice(tx, found.invoice, to);
    if (moved !== undefined) await tell(tx, { type: "invoice.changed", invoice: moved, now });
  });

/** An operator has seen the money of an invoice arrive. Once; again with the same reference it changes nothing. */
export async function payInvoice(deps: InvoiceDeps, id: Id<"invoice">, reference: string): Promise<Document> {
  const tenant = await deps.db.global.transaction((tx) => rows.tenantOfInvoice(tx, id));
  if (tenant === null) throw new Problem("not_found");
  await deps.db.of(tenant).transaction(async (tx) => {
    const found = await rows.invoiceById(tx, id);
    invariant(found !== undefined, "an invoice is in the tenant that it was looked up in");
    const { invoice } = found;
    if (invoice.state === "paid" && invoice.paymentReference === reference) return;
    const now = deps.clock.now();
    const to = { state: "paid", next: null, paidAt: now, reference } as const;
    const payable = invoice.state !== "paid" && invoice.state !== "credited";
    const paid = payable ? await rows.moveInvoice(tx, invoice, to) : undefined;
    if (paid === undefined) throw new Problem("invoice_settled");
    await tell(tx, { type: "invoice.changed", invoice: paid, now });
    invariant(paid.merchant !== null, "the invoice of a plan is paid when it is written");
    await post(tx, [invoicePaidEntry(ownedBy(paid, paid.merchant), leftOf(paid), now)]);
  });
  return documentOf(deps, tenant, id);
}

/** Of whichever organization it is: for the operator. */
export async function anyDocument(deps: InvoiceDeps, id: Id<"invoice">): Promise<Document> {
  const tenant = await deps.db.global.transaction((tx) => rows.tenantOfInvoice(tx, id));
  if (tenant === null) throw new Problem("not_found");
  return documentOf(deps, tenant, id);
}

export async function documentOf(
  deps: InvoiceDeps,
  tenant: Id<"tenant">,
  id: Id<"invoice">,
): Promise<Document> {
  return deps.db.of(tenant).transaction(async (tx) => {
    const found = await rows.invoiceById(tx, id);
    if (found === undefined) throw new Problem("not_found");
    return open(deps, tx, found);
  });
}

export const documentsOf = (
  deps: InvoiceDeps,
  tenant: Id<"tenant">,
  page: { readonly limit: number; readonly before: Id<"invoice"> | undefined },
): Promise<Document[]> =>
  deps.db.of(tenant).transaction(async (tx) => {
    const documents = [];
    for (const stored of await rows.invoices(tx, page)) documents.push(await open(deps, tx, stored));
    return documents;
  });

async function open(deps: InvoiceDeps, tx: TenantTx, { invoice, sealed }: rows.Stored): Promise<Document> {
  const place = { tenant: invoice.tenant, aad: `invoice ${invoice.id}`, sealed };
  const parties = await openJson<{ from: Party; to: Party }>(deps, tx, place);
  // The law has invoices keep their parties: no erasure of ours shreds this scope. Should its key be gone, the numbers stand.
  return { invoice, ...(parties ?? { from: unknownParty("Remit"), to: unknownParty(invoice.tenant) }) };
}
