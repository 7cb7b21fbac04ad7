import { type Id, toRfc3339 } from "@remit/kernel";
import { type Caller, onlyOperator, platformTenant, type Route, route } from "@remit/platform/http";
import { type Actor, Problem } from "@remit/protocol";
import {
  BillingProfile,
  InvoiceBody,
  InvoiceList,
  InvoicePayment,
  InvoiceQuery,
  idOf,
  MonthBody,
  MonthList,
  RunningFees,
  SetBillingProfile,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { boundsOf, closedMonths, monthNamed, monthOf, runningFees } from "../ledger/index.ts";
import { dueOf, leftOf, nameOf, totalOf } from "./invoice.ts";
import { askForMonth } from "./invoices.jobs.ts";
import {
  anyDocument,
  type Document,
  documentOf,
  documentsOf,
  type InvoiceDeps,
  payInvoice,
  profileOf,
  setProfile,
} from "./invoices.ts";
import { pdfOf } from "./pdf.ts";

const reads = { scope: "billing:read" } as const;
const writes = { scope: "billing:write" } as const;
const OfMonth = z.strictObject({ month: z.string().regex(/^20\d\d-(0[1-9]|1[0-2])$/) });
const OfInvoice = z.strictObject({ id: idOf("invoice") });
const OfTenant = z.strictObject({ organization: idOf("tenant") });

/** Months and invoices: a merchant's organization reads its own, the operator closes, reads and settles all. */
export const invoiceRoutes = (deps: InvoiceDeps): Route[] => [
  ...monthRoutes(deps),
  runningRoute(deps),
  ...profileRoutes(deps),
  route({
    method: "GET",
    path: "/api/v1/invoices",
    summary: "The invoices of the caller's organization, newest first; the operator may name another.",
    needs: reads,
    query: InvoiceQuery,
    answers: { 200: InvoiceList, 403: "forbidden" },
    handle: async ({ caller }, { query: { organization, limit, cursor } }) => {
      const asked = organization ?? caller.tenant;
      if (asked !== caller.tenant) onlyOperator(caller);
      const found = await documentsOf(deps, asked, { limit: limit + 1, before: cursor });
      const data = found.slice(0, limit).map(bodyOf);
      const next = found.length > limit ? (data.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data, next_cursor: next } };
    },
  }),
  ...oneInvoice(deps),
];

/** The operator sees every organization's. */
const seenBy = (deps: InvoiceDeps, { tenant }: Caller, id: Id<"invoice">): Promise<Document> =>
  tenant === platformTenant ? anyDocument(deps, id) : documentOf(deps, tenant, id);

const oneInvoice = (deps: InvoiceDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/invoices/:id",
    summary: "One invoice.",
    needs: reads,
    params: OfInvoice,
    answers: { 200: InvoiceBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => ({
      status: 200,
      body: bodyOf(await seenBy(deps, caller, params.id)),
    }),
  }),
  route({
    method: "GET",
    path: "/api/v1/invoices/:id/pdf",
    summary: "One invoice as a PDF, always of the same bytes.",
    needs: reads,
    params: OfInvoice,
    types: ["application/pdf"],
    answers: { 200: z.unknown(), 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      const document = await seenBy(deps, caller, params.id);
      const name = `invoice-${nameOf(document.invoice)}.pdf`;
      return {
        status: 200,
        body: await pdfOf(document),
        headers: {
          "Content-Type": "application/pdf",
          "Content-Disposition": `inline; filename="${name}"`,
        },
      };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/invoices/:id/payment",
    summary: "Says that the money of an invoice has arrived; for the operator.",
    needs: writes,
    params: OfInvoice,
    body: InvoicePayment,
    answers: { 200: InvoiceBody, 403: "forbidden", 404: "not_found", 409: "invoice_settled" },
    handle: async ({ caller }, { params, body }) => {
      onlyOperator(caller);
      return { status: 200, body: bodyOf(await payInvoice(deps, params.id, body.reference)) };
    },
  }),
];

const monthRoutes = (deps: InvoiceDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/months",
    summary: "The months of the books that are closed; for the operator.",
    needs: reads,
    answers: { 200: MonthList, 403: "forbidden" },
    handle: async ({ caller }) => {
      onlyOperator(caller);
      const data = (await closedMonths(deps.db)).map(({ month, state, closedAt }) => ({
        month,
        state,
        closed_at: toRfc3339(closedAt),
      }));
      return { status: 200, body: { data } };
    },
  }),
  route({
    method: "POST",
    path: "/api/v1/months/:month/close",
    summary:
      "Closes a month that is over and writes its invoices; again, it changes nothing. For the operator.",
    needs: writes,
    params: OfMonth,
    answers: { 202: MonthBody, 403: "forbidden", 409: "month_open" },
    handle: async ({ caller, now }, { params: { month } }) => {
      onlyOperator(caller);
      if (boundsOf(month).until > now) throw new Problem("month_open");
      await askForMonth(deps.db, month);
      const state = (await monthNamed(deps.db, month))?.state ?? "closing";
      return { status: 202, body: { month, state } };
    },
  }),
];

const runningRoute = ({ db }: InvoiceDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/running-fees",
    summary:
      "What the month that lasts has cost the organization's merchants so far, withheld or to be invoiced.",
    needs: reads,
    answers: { 200: RunningFees },
    handle: async ({ caller, now }) => {
      const month = monthOf(now);
      const fees = await db.of(caller.tenant).transaction((tx) => runningFees(tx, month));
      const data = fees.map(({ merchant, asset, fee, withheld }) => ({
        merchant,
        currency: asset,
        fee_minor: Number(fee),
        withheld_minor: Number(withheld),
      }));
      return { status: 200, body: { month, data } };
    },
  });

const actorOf = ({ actor }: Caller): Actor => ({
  type: actor.type === "account" ? "account" : "client",
  id: actor.id,
});

const tenantOf = (organization: Caller["tenant"]): Caller["tenant"] | "platform" =>
  organization === platformTenant ? "platform" : organization;

const profileRoutes = (deps: InvoiceDeps): Route[] => [
  route({
    method: "GET",
    path: "/api/v1/billing-profiles/:organization",
    summary: "To whom an organization's invoices are written, and with which tax.",
    needs: reads,
    params: OfTenant,
    answers: { 200: BillingProfile, 403: "forbidden" },
    handle: async ({ caller }, { params }) => {
      if (params.organization !== caller.tenant) onlyOperator(caller);
      return { status: 200, body: await profileBodyOf(deps, params.organization) };
    },
  }),
  route({
    method: "PUT",
    path: "/api/v1/billing-profiles/:organization",
    summary: "Sets to whom they are written; the operator's own organization is who writes them all.",
    needs: writes,
    params: OfTenant,
    body: SetBillingProfile,
    answers: { 200: BillingProfile, 400: "invalid_request", 403: "forbidden" },
    handle: async ({ caller }, { params, body }) => {
      onlyOperator(caller);
      const { name, address, country, tax_id: taxId = null } = body;
      const profile = {
        party: { name, address, country, taxId },
        taxBasisPoints: body.tax_basis_points,
        reverseCharge: body.reverse_charge,
        dueDays: body.due_days,
      };
      await setProfile(deps, tenantOf(params.organization), { profile, actor: actorOf(caller) });
      return { status: 200, body: await profileBodyOf(deps, params.organization) };
    },
  }),
];

async function profileBodyOf(
  deps: InvoiceDeps,
  organization: Caller["tenant"],
): Promise<z.input<typeof BillingProfile>> {
  const { party, ...profile } = await profileOf(deps, tenantOf(organization));
  return {
    name: party.name,
    address: [...party.address],
    country: party.country,
    tax_id: party.taxId,
    tax_basis_points: profile.taxBasisPoints,
    reverse_charge: profile.reverseCharge,
    due_days: profile.dueDays,
  };
}

const bodyOf = ({ invoice, from, to }: Document): z.input<typeof InvoiceBody> => ({
  id: invoice.id,
  number: nameOf(invoice),
  kind: invoice.kind,
  status: invoice.state,
  month: invoice.month,
  organization: invoice.tenant,
  merchant: invoice.merchant,
  currency: invoice.asset.code,
  from: { name: from.name, address: [...from.address], country: from.country, tax_id: from.taxId },
  to: { name: to.name, address: [...to.address], country: to.country, tax_id: to.taxId },
  lines: invoice.lines.map((line) => ({
    kind: line.kind,
    rail: line.rail,
    fee_schedule: line.schedule,
    from_minor: Number(line.fromVolume),
    count: Number(line.count),
    amount_minor: Number(line.gross),
    fee_minor: Number(line.fee),
  })),
  net_minor: Number(invoice.net),
  tax: {
    basis_points: invoice.taxBasisPoints,
    amount_minor: Number(invoice.tax),
    reverse_charge: invoice.reverseCharge,
  },
  total_minor: Number(totalOf(invoice)),
  withheld_minor: Number(invoice.withheld),
  credited_minor: Number(dueOf(invoice) - leftOf(invoice)),
  due_minor: Number(leftOf(invoice)),
  issued_at: toRfc3339(invoice.issuedAt),
  due_at: toRfc3339(invoice.dueAt),
  paid_at: invoice.paidAt === null ? null : toRfc3339(invoice.paidAt),
});
