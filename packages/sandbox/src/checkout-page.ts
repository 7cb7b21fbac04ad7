import { moneyOf, toDecimal } from "@remit/kernel";
import type { Account } from "./stripe/index.ts";

function totalOf(amountMinor: number, currency: string): string {
  const amount = moneyOf(amountMinor, currency);
  return amount === undefined ? `${currency} ${amountMinor} minor units` : `${currency} ${toDecimal(amount)}`;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => `&#${char.codePointAt(0) ?? 0};`);

/** The page to which Checkout leads: here whoever tries things out pays with a test card, or goes back. */
export function checkoutPage(account: Account, id: string): string | undefined {
  const session = account.all("checkout.session").find((one) => one.id === id);
  if (session === undefined) return undefined;
  const total = totalOf(session.amount_total, session.currency.toUpperCase());
  const back =
    session.cancel_url === null ? "" : `<p><a href="${escaped(session.cancel_url)}">Cancel</a></p>`;
  const pay =
    session.status === "open"
      ? `<form method="post" action="/sandbox/checkout/${session.id}/pay"><button>Pay ${total}</button></form>${back}`
      : `<p>This session is ${session.status}.</p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Checkout (sandbox)</title><h1>Checkout (sandbox)</h1>${pay}</html>`;
}

/** The page to which an account link leads: here whoever tries things out gives a merchant's particulars. */
export function onboardingPage(account: Account, link: string): string | undefined {
  const found = account.all("account_link").find((one) => one.id === link);
  if (found === undefined) return undefined;
  const form = `<form method="post"><button>Give the particulars of ${found.account}</button></form>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Connect (sandbox)</title><h1>Connect (sandbox)</h1>${form}</html>`;
}
