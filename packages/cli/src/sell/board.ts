import type { OfferBody, OfferSales } from "@remit/protocol/contracts";
import { bold, faint, harmless, note, print } from "../output.ts";
import { moneyText, paymentsOf, revenueText, row } from "./show.ts";

/** Shows how an offer sells, as long as the seller watches. */
export type Board = { show(sales: OfferSales): void; failed(error: unknown): void };

/** A table that is drawn over itself on a terminal; one line for each change where there is none. */
export const boardFor = (offer: OfferBody, as: "table" | "lines" | "json"): Board =>
  as === "table" ? tableBoard(offer) : lineBoard(offer, as);

const eraseLine = "\u001b[2K";
const up = (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}A`);

function tableBoard(offer: OfferBody): Board {
  let drawn = 0;
  const draw = (lines: readonly string[]): void => {
    const blank = Array.from({ length: Math.max(0, drawn - lines.length) }, () => "");
    const all = [...lines, ...blank];
    process.stdout.write(`${up(drawn)}${all.map((line) => `\r${eraseLine}${line}\n`).join("")}`);
    drawn = all.length;
  };
  return {
    show: (sales) => draw(tableOf(offer, sales)),
    failed: () => draw([faint("The gateway does not answer; asking again …")]),
  };
}

/** The whole table, as lines that fit a terminal. */
export function tableOf(offer: OfferBody, sales: OfferSales): string[] {
  const { requests, latest } = sales;
  return [
    "",
    bold(`  ${harmless(offer.name)}`),
    row(
      "requests",
      `${requests.total}  ${faint(`${requests.unpaid} asked the price, ${requests.refused} refused`)}`,
    ),
    row("payments", String(paymentsOf(sales))),
    row("revenue", revenueText(sales)),
    "",
    ...(latest.length === 0
      ? [faint("  Nobody has paid yet.")]
      : latest.map(
          ({ at, method, path, amount_minor: amount, refunded_minor: back, currency, payer }) =>
            `  ${at.slice(11, 19)}  ${moneyText(amount, currency).padEnd(14)} ${`${method} ${harmless(path)}`.padEnd(32)} ${faint(short(harmless(payer)))}${back > 0 ? `  given back ${moneyText(back, currency)}` : ""}`,
        )),
    "",
    faint("  Ctrl-C ends this."),
  ];
}

const short = (text: string): string => (text.length > 34 ? `${text.slice(0, 33)}…` : text);

function lineBoard(offer: OfferBody, as: "lines" | "json"): Board {
  let last: string | undefined;
  let isSilent = false;
  return {
    show: (sales) => {
      isSilent = false;
      const { requests } = sales;
      const line =
        as === "json"
          ? JSON.stringify({ event: "sales", name: offer.name, ...sales })
          : `${offer.name}: ${requests.total} requests, ${requests.unpaid} asked the price, ${paymentsOf(sales)} payments, ${revenueText(sales)}`;
      if (line !== last) print(line);
      last = line;
    },
    failed: () => {
      if (!isSilent) note("The gateway does not answer; asking again.");
      isSilent = true;
    },
  };
}
