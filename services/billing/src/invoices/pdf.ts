import { createRequire } from "node:module";
import { type Instant, money, toDate, toDecimal, toRfc3339 } from "@remit/kernel";
import PDFDocument from "pdfkit";
import { dueOf, type InvoiceLine, nameOf, type Party, totalOf } from "./invoice.ts";
import type { Document } from "./invoices.ts";

const { resolve } = createRequire(import.meta.url);
/** Embedded, so that a name looks the same on every machine. Its digits are all of one width. */
const faces = {
  regular: resolve("dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf"),
  bold: resolve("dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf"),
};

const page = { left: 56, right: 539, top: 56, bottom: 770 };
const ink = "#16202a";
const quiet = "#6b7680";
const hairline = "#d9dee2";

type Paper = PDFKit.PDFDocument;

/** The invoice as a PDF. The same document gives the same bytes: no clock, no chance, no machine goes into it. */
export function pdfOf(document: Document): Promise<Uint8Array> {
  const { invoice } = document;
  const paper = new PDFDocument({
    size: "A4",
    margin: page.left,
    bufferPages: true,
    lang: "en",
    pdfVersion: "1.7",
    info: {
      Title: `${titleOf(document)} ${nameOf(invoice)}`,
      Author: document.from.name,
      Creator: "Remit",
      Producer: "Remit",
      CreationDate: toDate(invoice.issuedAt),
      ModDate: toDate(invoice.issuedAt),
    },
  });
  paper.registerFont("regular", faces.regular);
  paper.registerFont("bold", faces.bold);
  const chunks: Uint8Array[] = [];
  return new Promise((done, failed) => {
    paper.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    paper.on("error", failed);
    paper.on("end", () => done(new Uint8Array(Buffer.concat(chunks))));
    drawHead(paper, document);
    drawTotals(paper, document, drawLines(paper, document));
    drawFeet(paper, document);
    paper.end();
  });
}

const titleOf = ({ invoice }: Document): string => (invoice.kind === "invoice" ? "Invoice" : "Credit note");
const dayOf = (at: Instant): string => toRfc3339(at).slice(0, 10);

/** Where text stands and how it looks. */
type Style = {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly right?: boolean;
  readonly size?: number;
  readonly colour?: string;
  readonly bold?: boolean;
};

/** Answers where the next line may begin. */
function write(paper: Paper, text: string, style: Style): number {
  const { x, y, width, right = false, size = 9, colour = ink, bold = false } = style;
  paper
    .font(bold ? "bold" : "regular")
    .fontSize(size)
    .fillColor(colour);
  paper.text(text, x, y, { width, align: right ? "right" : "left", lineGap: 2 });
  return paper.y;
}

const rule = (paper: Paper, y: number, colour = hairline): void =>
  void paper.moveTo(page.left, y).lineTo(page.right, y).lineWidth(0.7).strokeColor(colour).stroke();

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
  write(paper, `Merchant ${invoice.merchant}`, { x: page.left, y: 256, width: 480, size: 8, colour: quiet });
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

function drawFeet(paper: Paper, document: Document): void {
  const { start, count } = paper.bufferedPageRange();
  for (let index = start; index < start + count; index++) {
    paper.switchToPage(index);
    // Below the margin, where text would otherwise begin a page of its own.
    paper.page.margins.bottom = 0;
    const text = `${titleOf(document)} ${nameOf(document.invoice)}`;
    write(paper, text, { x: page.left, y: 800, width: 300, size: 7.5, colour: quiet });
    const place = { x: 400, y: 800, width: 139, right: true };
    write(paper, `${index + 1} / ${count}`, { ...place, size: 7.5, colour: quiet });
  }
}

/** `1 234 567.80`, with thin spaces: no country's sign is mistaken for another's. */
const grouped = (digits: string): string => digits.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, "\u2009");
