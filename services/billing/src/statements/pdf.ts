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
import { grossOf, type Head, type Line } from "./statement.ts";

type Statement = {
  readonly head: Head;
  readonly lines: readonly Line[];
  /** There are more lines than these. */
  readonly cut: boolean;
};

/** A statement as a PDF, always of the same bytes. */
export function statementPdf(statement: Statement): Promise<Uint8Array> {
  const { head, cut } = statement;
  const title = `Statement ${dayOf(head.from)} to ${dayOf(head.until)}`;
  return drawn({ title, author: "Remit", at: head.until }, (paper) => {
    write(paper, title, { x: page.left, y: page.top, width: 483, size: 18, bold: true });
    const facts = `Merchant ${head.merchant}, amounts in ${head.asset.code}`;
    write(paper, facts, { x: page.left, y: page.top + 30, width: 483, colour: quiet });
    const y = drawLines(paper, statement, drawTotals(paper, head, page.top + 60));
    const more =
      "There are more lines than a page of this is for: the CSV of this statement has all of them.";
    if (cut) write(paper, more, { x: page.left, y, width: 483, colour: quiet });
    drawFeet(paper, title);
  });
}

const sums = [
  { title: "Gross", x: 250, width: 92 },
  { title: "Fees", x: 348, width: 92 },
  { title: "Net", x: 447, width: 92 },
] as const;

const decimalOf =
  ({ asset }: Head) =>
  (units: bigint): string =>
    grouped(toDecimal(money(asset, units)));

function drawTotals(paper: Paper, head: Head, from: number): number {
  const amount = decimalOf(head);
  let y = from;
  for (const { title, ...box } of sums)
    write(paper, title, { ...box, y, right: true, size: 8, colour: quiet });
  rule(paper, y + 15, ink);
  y += 23;
  const row = (name: string, cells: readonly string[], bold = false): void => {
    write(paper, name, { x: page.left, y, width: 190, bold });
    for (const [index, { title: _, ...box }] of sums.entries())
      write(paper, cells[index] ?? "", { ...box, y, right: true, bold });
    y += 18;
  };
  row("Opening balance", ["", "", amount(head.opening)], true);
  for (const total of head.totals)
    row(`${words[total.kind]} (${total.count})`, [grossOf(total), -total.fee, total.net].map(amount));
  row("Closing balance", ["", "", amount(head.closing)], true);
  return y + 14;
}

const words = {
  charge: "Charges",
  refund: "Refunds",
  dispute: "Disputes",
  payout: "Payouts",
  adjustment: "Adjustments",
} as const;

const columns = [
  { title: "Date", x: page.left, width: 58, right: false },
  { title: "Entry", x: 116, width: 178, right: false },
  { title: "What", x: 296, width: 82, right: false },
  { title: "Net", x: 380, width: 76, right: true },
  { title: "Balance", x: 460, width: 79, right: true },
] as const;

function drawHeads(paper: Paper, y: number): number {
  for (const { title, ...box } of columns) write(paper, title, { ...box, y, size: 8, colour: quiet });
  rule(paper, y + 14, ink);
  return y + 20;
}

function drawLines(paper: Paper, { head, lines }: Statement, from: number): number {
  const amount = decimalOf(head);
  let y = drawHeads(paper, from);
  for (const { at, entry, kind, transition, net, balance } of lines) {
    if (y > page.bottom - 20) {
      paper.addPage();
      y = drawHeads(paper, page.top);
    }
    const cells = [dayOf(at), entry, `${kind} ${transition}`, amount(net), amount(balance)];
    for (const [index, { title: _, ...box }] of columns.entries())
      write(paper, cells[index] ?? "", { ...box, y, size: 7.5 });
    y += 15;
  }
  return y + 6;
}
