import { money, toDecimal } from "@remit/kernel";
import {
  dayOf,
  drawFeet,
  drawn,
  grouped,
  ink,
  type Paper,
  page,
  quiet,
  rule,
  write,
} from "../paper/index.ts";
import { dueOf, type InvoiceLine, nameOf, type Party, totalOf } from "./invoice.ts";
import type { Document } from "./invoices.ts";

/** The invoice as a PDF, always of the same bytes. */
export function pdfOf(document: Document): Promise<Uint8Array> {
  const { invoice, from } = document;
  const title = `${titleOf(document)} ${nameOf(invoice)}`;
  return drawn({ title, author: from.name, at: invoice.issuedAt }, (paper) => {
    drawHead(paper, document);
    drawTotals(paper, document, drawLines(paper, document));
    drawFeet(paper, title);
  });
}

const titleOf = ({ invoice }: Document): string => (invoice.kind === "invoice" ? "Invoice" : "Credit note");

function drawHead(paper: Paper, document: Document): void {
  const { invoice, from, to } = document;
  write(paper, from.name, { x: page.left, y: page.top, width: 240, size: 11, bold: true });
  write(paper, titleOf(document), { x: 300, y: page.top - 6, width: 239, right: true, size: 22 });
  write(paper, nameOf(invoice), {
    x: 300,
    y: page.top + 24,
    width: 239,
    right: true,
    size: 10,
    colour: quiet,
  });
  const below = 150;
  drawParty(paper, { label: "From", party: from, x: page.left, y: below });
  drawParty(paper, { label: "To", party: to, x: 226, y: below });
  const facts: readonly (readonly [string, string])[] = [
    ["Month", invoice.month],
    ["Issued", dayOf(invoice.issuedAt)],
    ["Due", dueOf(invoice) > 0n ? dayOf(invoice.dueAt) : "nothing to pay"],
    ["Currency", invoice.asset.code],
  ];
  for (const [index, [label, value]] of facts.entries()) {
    const y = below + index * 17;
    write(paper, label, { x: 398, y, width: 60, colour: quiet });
    write(paper, value, { x: 450, y, width: 89, right: true });
  }
  write(paper, invoice.merchant === null ? "Plan" : `Merchant ${invoice.merchant}`, {
    x: page.left,
    y: 256,
    width: 480,
    size: 8,
    colour: quiet,
  });
}

function drawParty(
  paper: Paper,
  { label, party, x, y }: { label: string; party: Party; x: number; y: number },
): void {
  const width = 156;
  write(paper, label, { x, y, width, size: 8, colour: quiet });
  let next = write(paper, party.name, { x, y: y + 14, width, bold: true });
  const tax = party.taxId === null ? [] : [`Tax id ${party.taxId}`];
  for (const line of [...party.address, party.country, ...tax])
    if (line !== "") next = write(paper, line, { x, y: next, width });
}

const columns = [
  { title: "Description", x: page.left, width: 214, right: false },
  { title: "Count", x: 272, width: 62, right: true },
  { title: "Amount", x: 340, width: 96, right: true },
  { title: "Fee", x: 442, width: 97, right: true },
] as const;

function drawTableHead(paper: Paper, y: number): number {
  for (const { title, ...box } of columns) write(paper, title, { ...box, y, size: 8, colour: quiet });
  rule(paper, y + 15, ink);
  return y + 23;
}

function drawLines(paper: Paper, { invoice }: Document): number {
  let y = drawTableHead(paper, 286);
  const amount = (units: bigint): string => grouped(toDecimal(money(invoice.asset, units)));
  for (const line of invoice.lines) {
    if (y > page.bottom - 60) {
      paper.addPage();
      y = drawTableHead(paper, page.top);
    }
    const cells = [describe(line), grouped(String(line.count)), amount(line.gross), amount(line.fee)];
    for (const [index, { title: _, ...box }] of columns.entries())
      write(paper, cells[index] ?? "", { ...box, y });
    rule(paper, y + 17);
    y += 25;
  }
  return y;
}

const words: Readonly<Record<string, string>> = {
  capture: "Captures",
  refund: "Refunds",
  dispute: "Disputes",
  reversal: "Corrections",
};

function describe({ kind, rail }: InvoiceLine): string {
  const word = words[kind] ?? kind;
  return rail === "" ? word : `${word}, ${rail}`;
}

function drawTotals(paper: Paper, document: Document, from: number): void {
  const { invoice } = document;
  let y = from + 8;
  if (y > page.bottom - 130) {
    paper.addPage();
    y = page.top;
  }
  const amount = (units: bigint): string => grouped(toDecimal(money(invoice.asset, units)));
  const rate = `${(invoice.taxBasisPoints / 100).toFixed(2)} %`;
  const rows: readonly (readonly [string, string])[] = [
    ["Fees", amount(invoice.net)],
    [invoice.reverseCharge ? "Tax (reverse charge)" : `Tax ${rate}`, amount(invoice.tax)],
    ["Total", amount(totalOf(invoice))],
    ["Withheld from captures", amount(-invoice.withheld)],
  ];
  for (const [label, value] of rows) {
    write(paper, label, { x: 300, y, width: 136, colour: quiet });
    write(paper, value, { x: 442, y, width: 97, right: true });
    y += 18;
  }
  paper.moveTo(300, y).lineTo(page.right, y).lineWidth(0.7).strokeColor(ink).stroke();
  write(paper, invoice.kind === "invoice" ? "To pay" : "Balance", {
    x: 300,
    y: y + 9,
    width: 136,
    size: 11,
    bold: true,
  });
  const due = `${amount(dueOf(invoice))} ${invoice.asset.code}`;
  write(paper, due, { x: 400, y: y + 9, width: 139, right: true, size: 11, bold: true });
  if (invoice.reverseCharge)
    write(paper, "Reverse charge: the recipient owes the tax (Directive 2006/112/EC, Article 196).", {
      x: page.left,
      y: y + 40,
      width: 483,
      size: 8,
      colour: quiet,
    });
}
