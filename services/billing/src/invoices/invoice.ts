import type { Asset } from "@remit/kernel";
import { after, dayMs, type Id, type Instant, invariant, money, share, unreachable } from "@remit/kernel";
import type { Sum } from "../ledger/index.ts";
import type { PlanCharge } from "../plans/index.ts";

/** Who writes an invoice, or to whom. */
export type Party = {
  readonly name: string;
  readonly address: readonly string[];
  readonly country: string;
  readonly taxId: string | null;
};

/** What an organization's invoices need beside its sums. */
export type Profile = {
  readonly party: Party;
  readonly taxBasisPoints: number;
  /** The customer owes the tax (EU VAT Directive 2006/112, Art. 196): none is charged, and the invoice says so. */
  readonly reverseCharge: boolean;
  readonly dueDays: number;
};

export type InvoiceState =
  | "open"
  | "overdue"
  | "reminded"
  | "final_notice"
  | "uncollectible"
  | "paid"
  | "credited";

export type InvoiceLine = {
  readonly kind: string;
  readonly rail: string;
  readonly schedule: string;
  readonly fromVolume: bigint;
  readonly count: bigint;
  readonly gross: bigint;
  readonly fee: bigint;
};

export type TaxTerms = Pick<Profile, "taxBasisPoints" | "reverseCharge">;

/**
 * Of one merchant, or of an organization's plan (no merchant), asset and month. `net` are the fees; what was withheld of them
 * is paid already.
 */
export type Draft = {
  readonly kind: "invoice" | "credit_note";
  readonly month: string;
  readonly merchant: Id<"merchant"> | null;
  readonly asset: Asset;
  readonly terms?: TaxTerms;
  readonly lines: readonly InvoiceLine[];
  readonly net: bigint;
  readonly tax: bigint;
  readonly withheld: bigint;
};

export type Invoice = Omit<Draft, "terms"> & {
  readonly id: Id<"invoice">;
  readonly tenant: Id<"tenant">;
  readonly year: number;
  readonly number: number;
  readonly taxBasisPoints: number;
  readonly reverseCharge: boolean;
  readonly issuedAt: Instant;
  readonly dueAt: Instant;
  readonly state: InvoiceState;
  readonly nextStepAt: Instant | null;
  readonly paidAt: Instant | null;
  /** What credit notes have settled of it; of a credit note, what has been set off against invoices. */
  readonly credited: bigint;
  readonly paymentReference: string | null;
};

export const totalOf = ({ net, tax }: Pick<Draft, "net" | "tax">): bigint => net + tax;
export const dueOf = (draft: Pick<Draft, "net" | "tax" | "withheld">): bigint =>
  totalOf(draft) - draft.withheld;
/** What is still to pay of an invoice; of a credit note, below nothing, what is still to give back. */
export const leftOf = (invoice: Pick<Invoice, "kind" | "net" | "tax" | "withheld" | "credited">): bigint =>
  dueOf(invoice) + (invoice.kind === "credit_note" ? invoice.credited : -invoice.credited);
export const nameOf = ({ year, number }: Pick<Invoice, "year" | "number">): string =>
  `${year}-${String(number).padStart(6, "0")}`;

/**
 * The documents of a tenant's sums, in one order whoever draws them up. What a closed month was charged is never changed: a
 * correction of it is a credit note. Tax is on the sum of the lines, rounded half to even once.
 */
export function draftsOf(
  month: string,
  sums: readonly Sum[],
  {
    profile,
    assetOf,
  }: { profile: Pick<Profile, "taxBasisPoints">; assetOf: (code: string) => Asset | undefined },
): Draft[] {
  const groups = new Map<string, Sum[]>();
  for (const sum of sums) {
    const kind = sum.kind === "reversal" ? "credit_note" : "invoice";
    const key = `${sum.merchant} ${sum.asset} ${kind}`;
    groups.set(key, [...(groups.get(key) ?? []), sum]);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, group]) => {
      const [first] = group;
      const asset = first === undefined ? undefined : assetOf(first.asset);
      invariant(first !== undefined && asset !== undefined, "a sum is of an asset we know");
      const total = (of: (sum: Sum) => bigint): bigint => group.reduce((all, sum) => all + of(sum), 0n);
      const net = total(({ withheld, invoiced }) => withheld + invoiced);
      return {
        kind: key.endsWith("credit_note") ? "credit_note" : "invoice",
        month,
        merchant: first.merchant,
        asset,
        lines: group.map(({ kind, rail, schedule, fromVolume, count, gross, withheld, invoiced }) => ({
          kind,
          rail,
          schedule,
          fromVolume,
          count,
          gross,
          fee: withheld + invoiced,
        })),
        net,
        tax: share(money(asset, net), BigInt(profile.taxBasisPoints), "half-even").units,
        withheld: total(({ withheld }) => withheld),
      };
    });
}

/** What an organization has paid for its plan in a month: a document for each rate of tax, with nothing left to pay. */
export function planDraftsOf(month: string, charges: readonly PlanCharge[]): Draft[] {
  const groups = Map.groupBy(
    charges,
    ({ gross, taxBasisPoints, reverseCharge }) => `${gross.asset.code} ${taxBasisPoints} ${reverseCharge}`,
  );
  return [...groups.values()].flatMap((group): Draft[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { taxBasisPoints, reverseCharge, gross } = first;
    const lines = [...Map.groupBy(group, ({ tier }) => tier)].map(
      ([tier, ofTier]): InvoiceLine => ({
        kind: "plan",
        rail: "card",
        schedule: tier,
        fromVolume: 0n,
        count: BigInt(ofTier.length),
        gross: ofTier.reduce((sum, one) => sum + one.gross.units, 0n),
        fee: ofTier.reduce((sum, one) => sum + one.gross.units - one.tax.units, 0n),
      }),
    );
    const net = lines.reduce((sum, { fee }) => sum + fee, 0n);
    const withheld = lines.reduce((sum, line) => sum + line.gross, 0n);
    const terms = { taxBasisPoints, reverseCharge };
    const tax = withheld - net;
    return [{ kind: "invoice", month, merchant: null, asset: gross.asset, terms, lines, net, tax, withheld }];
  });
}

/** How a document stands when it is written: nothing may be left to pay. */
export const stateAtIssue = (draft: Draft): InvoiceState =>
  draft.kind === "credit_note" ? "credited" : dueOf(draft) > 0n ? "open" : "paid";

/**
 * Sets credit notes off against unpaid invoices of the same merchant and asset, the oldest first, given oldest first. Answers
 * those that change, as they stand then. What is left of a note waits for the invoices to come.
 */
export function setOff(documents: readonly Invoice[]): Invoice[] {
  const standing = new Map(documents.map((document) => [document.id, document]));
  const now = ({ id }: Invoice): Invoice => {
    const found = standing.get(id);
    invariant(found !== undefined, "every document stands");
    return found;
  };
  const credit = (document: Invoice, units: bigint): void => {
    const next = { ...document, credited: document.credited + units };
    const settled = document.kind === "invoice" && leftOf(next) === 0n;
    standing.set(document.id, settled ? { ...next, state: "credited", nextStepAt: null } : next);
  };
  for (const note of documents.filter(({ kind }) => kind === "credit_note"))
    for (const invoice of documents.filter(({ kind }) => kind === "invoice")) {
      if (invoice.merchant !== note.merchant || invoice.asset.code !== note.asset.code) continue;
      const [give, owed] = [-leftOf(now(note)), leftOf(now(invoice))];
      const units = give < owed ? give : owed;
      if (units <= 0n) continue;
      credit(now(note), units);
      credit(now(invoice), units);
    }
  return documents.map(now).filter(({ credited }, index) => credited !== documents[index]?.credited);
}

/** What comes next when nobody pays, and when. */
export function nextStep(state: InvoiceState, now: Instant): { state: InvoiceState; next: Instant | null } {
  switch (state) {
    case "open":
      return { state: "overdue", next: after(now, 7 * dayMs) };
    case "overdue":
      return { state: "reminded", next: after(now, 14 * dayMs) };
    case "reminded":
      return { state: "final_notice", next: after(now, 30 * dayMs) };
    case "final_notice":
      return { state: "uncollectible", next: null };
    case "uncollectible":
    case "paid":
    case "credited":
      return { state, next: null };
    default:
      return unreachable(state);
  }
}
